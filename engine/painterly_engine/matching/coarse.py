"""Nearest neighbours of patches in pictures too large for comparing every pair: coarse to fine.

Exact on features averaged 2×2, again and again until that is affordable; then, level by level, every position tries
what its coarse match, its neighbours' matches and the matches' neighbours suggest, for a few rounds (after PatchMatch,
Barnes et al. 2009, without its randomness). What is lost by it ``painterly bench`` measures.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.matching.correlation import Query, ignore, usual_budget
from painterly_engine.matching.cosine import EPSILON, match_patches
from painterly_engine.window import Box

EXACT_PAIRS = (10**6 // 16) ** 2
"""As many pairs as all positions of relu3_1 have in a picture of a million pixels."""
ROUNDS = 3
LEAST_SIDE = 4
AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def match_at_any_size(
    source: Tensor,
    target: Tensor,
    report: Callable[[float], None] = ignore,
    *,
    query: Query | None = None,
    budget: int | None = None,
    exact_pairs: int = EXACT_PAIRS,
) -> Tensor:
    """``match_patches``, exact up to so many pairs of positions and nearly so beyond.

    Args:
        source: (C, h, w) features.
        target: (C, h2, w2) features.
        report: called with the fraction done; may raise to stop.
        query: which positions, where the source is a part of a picture; all without it.
        budget: bytes to take beside arguments and result; ``usual_budget`` without it.
        exact_pairs: positions asked for times positions of the target.

    Returns:
        (h, w) int64 for every position asked for, raster index y·w2 + x into the target.
    """
    asked = query or Query.everything(source)
    affordable = asked.positions.area * target.shape[1] * target.shape[2] <= exact_pairs
    coarse = _coarser(asked)
    if affordable or coarse is None or min(target.shape[1:]) < 2 * LEAST_SIDE:
        return match_patches(source, target, report, query=asked, budget=budget)
    averaged = _averaged(source, asked.given, coarse.given)
    few = F.avg_pool2d(target[None], 2)[0]
    rough = match_at_any_size(
        averaged, few, lambda f: report(f / 2), query=coarse, budget=budget, exact_pairs=exact_pairs
    )
    start = _brought_up(rough, coarse, few, asked, target)
    return _refined(start, PatchCosines(source, target, asked, budget), target.shape[1:], lambda f: report(0.5 + f / 2))


class PatchCosines:
    """How well positions fit given matches: the score that ``match_patches`` maximises, in the features' own type.

    Args:
        source: (C, h, w), what the query calls ``given``.
        target: (C, h2, w2).
        query: which positions.
        budget: bytes to take; ``usual_budget`` without it.
    """

    def __init__(self, source: Tensor, target: Tensor, query: Query, budget: int | None = None) -> None:
        self.size, self.target_size = source.shape[1:], target.shape[1:]
        self.a, self.b = (features.flatten(1).T.contiguous() for features in (source, target))
        self.energy_a, self.energy_b = self.a.square().sum(1), self.b.square().sum(1)
        grid = torch.arange(len(self.a), device=source.device).view(self.size)
        self.places = query.positions.within(query.given).of(grid).flatten()
        # What is gathered for one offset at both ends, and room for their product.
        budget = usual_budget(source.device) if budget is None else budget
        self.chunk = max(1, budget // (4 * self.a.shape[1] * self.a.element_size()))

    def __call__(self, field: Tensor) -> Tensor:
        """(h, w), at most about 1, of a match (h, w) for every position asked for."""
        pairs = zip(*(torch.split(x, self.chunk) for x in (self.places, field.flatten())), strict=True)
        return torch.cat([self._of(places, matches) for places, matches in pairs]).view(field.shape)

    def _of(self, places: Tensor, matches: Tensor) -> Tensor:
        total, norm_a, norm_b = (torch.zeros(len(places), dtype=self.a.dtype, device=self.a.device) for _ in range(3))
        for offset in AROUND:
            p, p_inside = _moved(places, self.size, offset)
            q, q_inside = _moved(matches, self.target_size, offset)
            both = (p_inside & q_inside).to(self.a)
            total += both * (self.a[p] * self.b[q]).sum(1)
            norm_a += both * self.energy_a[p]
            norm_b += both * self.energy_b[q]
        return total / ((norm_a * norm_b).sqrt() + EPSILON)


def _moved(places: Tensor, size: tuple[int, ...], offset: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Raster indices moved by (dy, dx) and clamped, and whether they stayed inside without that."""
    (height, width), (dy, dx) = size, offset
    y, x = places // width + dy, places % width + dx
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return y.clamp(0, height - 1) * width + x.clamp(0, width - 1), inside


def _coarser(query: Query) -> Query | None:
    """At half the size, as much of it as its features can be averaged from; None where that is next to nothing."""
    given, (height, width) = query.given, query.size
    box = Box(-(-given.top // 2), -(-given.left // 2), given.bottom // 2, given.right // 2)
    return Query(box, box, (height // 2, width // 2)) if min(box.size) >= LEAST_SIDE else None


def _averaged(source: Tensor, given: Box, coarse: Box) -> Tensor:
    doubled = Box(2 * coarse.top, 2 * coarse.left, 2 * coarse.bottom, 2 * coarse.right)
    return F.avg_pool2d(doubled.within(given).of(source)[None], 2)[0]


def _brought_up(rough: Tensor, coarse: Query, few: Tensor, asked: Query, target: Tensor) -> Tensor:
    """A coarse field at twice the size: each of four children is sent where its parent's match has the same child."""
    box, (top, left) = asked.positions, (coarse.positions.top, coarse.positions.left)
    y = torch.arange(box.top, box.bottom, device=rough.device)[:, None]
    x = torch.arange(box.left, box.right, device=rough.device)[None]
    height, width = rough.shape
    parents = rough[(y // 2 - top).clamp(0, height - 1), (x // 2 - left).clamp(0, width - 1)]
    q_y, q_x = parents // few.shape[2] * 2 + y % 2, parents % few.shape[2] * 2 + x % 2
    return q_y.clamp(max=target.shape[1] - 1) * target.shape[2] + q_x.clamp(max=target.shape[2] - 1)


def _refined(
    field: Tensor, score: PatchCosines, target_size: tuple[int, ...], report: Callable[[float], None]
) -> Tensor:
    """Every position tries its neighbours' matches, moved back, and its own match's neighbours, and keeps the best."""
    best = score(field)
    tries = [(offset, kind) for kind in ("neighbour's match", "match's neighbour") for offset in AROUND if any(offset)]
    for done, (offset, kind) in enumerate(tries * ROUNDS, start=1):
        candidate = _moved(field, target_size, offset)[0]
        if kind == "neighbour's match":
            candidate = _shifted(candidate, *offset)
        found = score(candidate)
        better = found > best
        best, field = torch.where(better, found, best), torch.where(better, candidate, field)
        report(done / (ROUNDS * len(tries)))
    return field


def _shifted(field: Tensor, dy: int, dx: int) -> Tensor:
    """(h, w) whose entry at (y, x) is the field's at (y - dy, x - dx), or the nearest there is."""
    height, width = field.shape
    y = (torch.arange(height, device=field.device) - dy).clamp(0, height - 1)
    x = (torch.arange(width, device=field.device) - dx).clamp(0, width - 1)
    return field[y[:, None], x]
