"""Which of the painting's feature patches each of the object's is most like: cosine, by a few principal components.

A patch of 3×3 positions has nine times as many numbers as the layer has channels, and most of them follow from the
others. What is left out by keeping ``COMPONENTS`` of them decides between patches that hardly differ.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

COMPONENTS = 96
SAMPLES = 4096
SCORES = 2**24
"""Scores alive at a time: 64 MiB."""


def patches(features: Tensor, positions: Tensor) -> Tensor:
    """(n, 9·C) of length 1: the 3×3 patches of (C, h, w) around raster positions (n,), zeros beyond the border."""
    columns = F.unfold(features[None], 3, padding=1)[0]
    return F.normalize(columns.index_select(1, positions).T, dim=1)


def all_patches(features: Tensor) -> Tensor:
    """(h·w, 9·C) of length 1."""
    return F.normalize(F.unfold(features[None], 3, padding=1)[0].T, dim=1)


class Vocabulary:
    """The painting's patches, ready to be searched.

    Args:
        features: (C, h, w) of the painting.
        lent: (h, w) bool, the positions that may be imitated; None: all of them.

    Attributes:
        positions: (n,) raster indices of the patches that may be imitated.
        patches: (n, 9·C) of length 1.
    """

    def __init__(self, features: Tensor, lent: Tensor | None = None) -> None:
        self.patches = all_patches(features)
        self.positions = torch.arange(len(self.patches), device=features.device)
        if lent is not None:
            self.positions = lent.flatten().nonzero()[:, 0]
            self.patches = self.patches[self.positions]
        step = -(-len(self.patches) // SAMPLES)
        sample = self.patches[::step]
        moment = (sample.T @ sample).double().cpu()
        vectors: Tensor = torch.linalg.eigh(moment).eigenvectors
        self.basis = vectors[:, -COMPONENTS:].to(features)
        self.short = self.patches @ self.basis

    def nearest(self, wanted: Tensor, report: Callable[[float], None]) -> Tensor:
        """(n,) which of the ``patches`` each of (n, 9·C) is most like."""
        found: list[Tensor] = []
        chunks = torch.split(wanted @ self.basis, max(1, SCORES // len(self.short)))
        for done, some in enumerate(chunks, start=1):
            found.append((some @ self.short.T).argmax(1))
            report(done / len(chunks))
        return torch.cat(found)
