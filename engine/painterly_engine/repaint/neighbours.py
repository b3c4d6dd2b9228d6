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
CENTRED = 0.5
"""Share of the painting's mean features that is taken away before patches are compared: what all have in common tells
none apart, but how bright a patch is should still count."""
SCORES = 2**24
"""Scores alive at a time: 64 MiB."""


def patches(features: Tensor, positions: Tensor) -> Tensor:
    """(n, 9·C): the 3×3 patches of (C, h, w) around raster positions (n,), zeros beyond the border."""
    columns = F.unfold(features[None], 3, padding=1)[0]
    return columns.index_select(1, positions).T


class Distance:
    """How far the 3×3 patches around some positions of features are from wanted ones; no other patch is ever made.

    Args:
        positions: (n,) raster indices.
        size: (h, w) of the features.
        wanted: (n, 9·C).
    """

    def __init__(self, positions: Tensor, size: tuple[int, int], wanted: Tensor) -> None:
        steps = torch.arange(-1, 2, device=positions.device)
        y = (positions // size[1])[:, None] + steps.repeat_interleave(3)
        x = (positions % size[1])[:, None] + steps.repeat(3)
        inside = (y >= 0) & (y < size[0]) & (x >= 0) & (x < size[1])
        self.places = (y.clamp(0, size[0] - 1) * size[1] + x.clamp(0, size[1] - 1)).flatten()
        self.inside = inside.to(wanted)[..., None]
        self.wanted = wanted.view(len(positions), -1, 9).transpose(1, 2) * self.inside
        self.energies = self.wanted.square().sum((1, 2))

    def __call__(self, features: Tensor) -> Tensor:
        """(n,) squares of (C, h, w), differentiable."""
        rows = features.permute(1, 2, 0).flatten(0, 1).index_select(0, self.places).view_as(self.wanted)
        return ((rows - self.wanted) * self.inside).square().sum((1, 2))


class Vocabulary:
    """The painting's patches, ready to be searched.

    Args:
        features: (C, h, w) of the painting.
        lent: (h, w) bool, the positions that may be imitated; None: all of them.

    Attributes:
        positions: (n,) raster indices of the patches that may be imitated.
    """

    def __init__(self, features: Tensor, lent: Tensor | None = None) -> None:
        self.positions = torch.arange(features.shape[1] * features.shape[2], device=features.device)
        if lent is not None:
            self.positions = lent.flatten().nonzero()[:, 0]
        self.common = CENTRED * features.flatten(1)[:, self.positions].mean(1)[:, None, None]
        directions = self.directions(features, self.positions)
        sample = directions[:: -(-len(directions) // SAMPLES)]
        moment = (sample.T @ sample).cpu().double()
        vectors: Tensor = torch.linalg.eigh(moment).eigenvectors
        self.basis = vectors[:, -COMPONENTS:].to(features.dtype).to(features.device)
        self.short = directions @ self.basis

    def directions(self, features: Tensor, positions: Tensor) -> Tensor:
        """(n, 9·C) of length 1: the patches of (C, h, w) around raster positions (n,), as they are compared."""
        return F.normalize(patches(features - self.common, positions), dim=1)

    def nearest(self, wanted: Tensor, report: Callable[[float], None]) -> Tensor:
        """(n,) raster indices of the painting's patches that each of the ``directions`` (n, 9·C) is most like."""
        found: list[Tensor] = []
        chunks = torch.split(wanted @ self.basis, max(1, SCORES // len(self.short)))
        for done, some in enumerate(chunks, start=1):
            found.append((some @ self.short.T).argmax(1))
            report(done / len(chunks))
        return self.positions[torch.cat(found)]
