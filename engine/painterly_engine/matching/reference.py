"""Nearest neighbours at the reference layer (pass two): normalised features, and borders kept to borders."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from painterly_engine.matching.correlation import (
    Band,
    Block,
    Query,
    Score,
    best_targets,
    correlate,
    ignore,
    working_dtype,
)

EPSILON = 1e-8


def match_reference(
    source: Tensor,
    target: Tensor,
    report: Callable[[float], None] = ignore,
    *,
    query: Query | None = None,
    budget: int | None = None,
) -> Tensor:
    """For positions of the source, the target position whose 3×3 patch of unit features correlates most.

    The score is the plain sum over offsets inside at both ends, neither averaged nor normalised again; the target's
    outer rows and columns are open only to source positions on the same side (algorithm.md 1.2 steps 1 and 2).
    Accumulated in float64 and compared in float32; among equals the first in raster order.

    Args:
        source: (C, h, w) features.
        target: (C, h2, w2) features.
        report: called with the fraction done many times a second; may raise to stop.
        query: which positions, where the source is a part of a picture; all without it.
        budget: bytes to take beside arguments and result; ``usual_budget`` without it.

    Returns:
        (h, w) int64 for every position asked for, raster index y·w2 + x into the target. Where the border rule leaves
        nothing, which cannot be when both have the same size, 0.
    """
    dtype, device = working_dtype(source.device), source.device
    asked = query or Query.everything(source)
    (h, w), (_, h2, w2), given = asked.size, target.shape, asked.given
    closed_columns = _closed(_ends(w, device)[given.left : given.right], _ends(w2, device))
    closed_rows = _closed(_ends(h, device)[given.top : given.bottom], _ends(h2, device))

    def scored(a: Tensor, band: Band) -> Score:
        def score(block: Block) -> Tensor:
            scores = correlate(block, a, band.features)
            scores.masked_fill_(closed_columns, -torch.inf)
            pairs = torch.arange(block.rows, device=device)
            closed = closed_rows[block.source + pairs, band.first + block.target + pairs]
            return scores.masked_fill_(closed[:, None, None], -torch.inf)

        return score

    return best_targets(source, target, asked, lambda features: _unit(features.to(dtype)), scored, report, budget)


def _unit(features: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(features, dim=0, keepdim=True)
    return features / (norms + EPSILON)


def _ends(size: int, device: torch.device) -> Tensor:
    """(size, 2) bool: whether a coordinate is the first, the last."""
    places = torch.arange(size, device=device)
    return torch.stack([places == 0, places == size - 1], dim=1)


def _closed(source: Tensor, target: Tensor) -> Tensor:
    """(n, n2) bool: the target is at an end where the source is not."""
    return (target[None] & ~source[:, None]).any(dim=2)
