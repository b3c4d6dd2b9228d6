"""Nearest neighbours of 3×3 feature patches by cosine (pass one)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
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

EPSILON = 1e-9


def match_patches(
    source: Tensor,
    target: Tensor,
    report: Callable[[float], None] = ignore,
    *,
    query: Query | None = None,
    budget: int | None = None,
) -> Tensor:
    """For positions of the source, the target position whose 3×3 patch has the largest cosine with their own.

    Dot product and both norms run over the offsets that lie inside at both ends (algorithm.md 1.1 step 2). Accumulated
    in float64 and compared in float32, as published; among equals the first in raster order.

    Args:
        source: (C, h, w) features.
        target: (C, h2, w2) features.
        report: called with the fraction done many times a second; may raise to stop.
        query: which positions, where the source is a part of a picture; all without it.
        budget: bytes to take beside arguments and result; ``usual_budget`` without it.

    Returns:
        (h, w) int64 for every position asked for, raster index y·w2 + x into the target.
    """
    dtype = working_dtype(source.device)

    def scored(a: Tensor, band: Band) -> Score:
        energy_a, energy_b = a.square().sum(2), band.features.square().sum(1)
        inside_a, inside_b = (_side_by_side(torch.ones_like(energy[0])) for energy in (energy_a, energy_b))

        def score(block: Block) -> Tensor:
            columns_a = _side_by_side(block.add_neighbours(block.of_source(energy_a)))
            columns_b = _side_by_side(block.add_neighbours(block.of_target(energy_b)))
            norms = (columns_a @ inside_b.T).mul_(inside_a @ columns_b.transpose(1, 2)).sqrt_()
            return correlate(block, a, band.features).div_(norms.add_(EPSILON))

        return score

    asked = query or Query.everything(source)
    return best_targets(source, target, asked, lambda features: features.to(dtype), scored, report, budget)


def _side_by_side(columns: Tensor) -> Tensor:
    """(…, w) → (…, w, 3): each value with its left and right neighbours, zero outside."""
    return F.pad(columns, (1, 1)).unfold(-1, 3, 1).contiguous()
