"""Refinement and ring mask of pass two against double loops over the formulas, and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from painterly_engine.matching import refine, refine_field, ring_mask


def slow_refine(field: Tensor, guide: Tensor, tight: Tensor) -> list[list[int]]:
    h, w = field.shape
    _, h2, w2 = guide.shape
    colours = guide.double().numpy()
    refined = field.tolist()
    for y, x in np.ndindex(h, w):
        if not tight[y, x]:
            continue
        pool = []
        for dx in range(-2, 3):
            for dy in range(-2, 3):
                if 0 <= y + dy < h and 0 <= x + dx < w:
                    match = int(field[y + dy, x + dx])
                    v, u = match // w2 - dy, match % w2 - dx
                    if 0 <= v < h2 and 0 <= u < w2:
                        pool.append((v, u))
        best = np.float32(np.inf)
        for v, u in pool:
            if not (2 <= v < h2 - 3 and 2 <= u < w2 - 3):
                continue
            energy = np.float32(np.mean([np.sqrt(((colours[:, v, u] - colours[:, j, i]) ** 2).sum()) for j, i in pool]))
            if energy < best:
                best, refined[y][x] = energy, v * w2 + u
    return refined


def slow_ring(field: Tensor, tight: Tensor, size: tuple[int, int]) -> list[list[bool]]:
    ring = np.zeros(size, bool)
    for y, x in np.ndindex(*field.shape):
        if tight[y, x]:
            v, u = divmod(int(field[y, x]), size[1])
            ring[max(0, v - 1) : v + 2, max(0, u - 1) : u + 2] = True
    return ring.tolist()


def case(seed: int, size: tuple[int, int], target_size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    field = torch.randint(target_size[0] * target_size[1], size, generator=generator)
    guide = torch.rand(3, *target_size, generator=generator)
    return field, guide, torch.rand(size, generator=generator) < 0.6


SIZES = [((9, 11), (9, 11)), ((8, 7), (12, 10)), ((6, 6), (6, 6)), ((1, 9), (1, 9)), ((9, 1), (9, 1)), ((3, 3), (5, 5))]


@pytest.mark.parametrize(("size", "target_size"), SIZES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_refinement_is_the_formulas(size: tuple[int, int], target_size: tuple[int, int], seed: int) -> None:
    field, guide, tight = case(seed, size, target_size)
    assert refine_field(field, guide, tight).tolist() == slow_refine(field, guide, tight)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_coherent_fields_with_repeated_colours_too(seed: int) -> None:
    # Pools full of equal members and equal colours: every decision is a tie-break.
    _, guide, tight = case(seed, (10, 10), (12, 12))
    guide = (guide * 2).round() / 2
    ys, xs = torch.meshgrid(torch.arange(10), torch.arange(10), indexing="ij")
    field = (ys + ys // 5) * 12 + xs + (xs > 4) * 2
    assert refine_field(field, guide, tight).tolist() == slow_refine(field, guide, tight)


def test_small_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    field, guide, tight = case(4, (9, 9), (9, 9))
    whole = refine_field(field, guide, tight)
    monkeypatch.setattr(refine, "CHUNK", 7)
    assert torch.equal(refine_field(field, guide, tight), whole)


def test_an_empty_mask_changes_nothing_and_gives_no_ring() -> None:
    field, guide, _ = case(5, (6, 6), (6, 6))
    nothing = torch.zeros(6, 6, dtype=torch.bool)
    refined = refine_field(field, guide, nothing)
    assert torch.equal(refined, field)
    assert refined is not field
    assert not ring_mask(field, nothing, (6, 6)).any()


@pytest.mark.parametrize(("x", "allowed"), [(1, False), (2, True), (6, True), (7, False), (8, False)])
def test_candidate_bounds_are_asymmetric(x: int, allowed: bool) -> None:
    # Target 10 wide: 2 ≤ x < 10 − 2 − 1. One source position alone has one suggestion, its own match; another match
    # outside the tight mask two pixels away suggests (5, 4), which is taken only where the own match is out of bounds.
    guide = torch.zeros(3, 10, 10)
    guide[:, 5, 4] = 1.0
    own = 5 * 10 + x
    field = torch.tensor([[own, 0, 5 * 10 + 4 + 2]])
    tight = torch.tensor([[True, False, False]])
    # The pool is {own, (5, 4)} (the middle's match 0 moved left falls outside): equal energies, own comes first.
    assert refine_field(field, guide, tight)[0, 0] == (own if allowed else 54)


def test_with_no_candidate_the_match_stays() -> None:
    field = torch.tensor([[9, 8], [3, 1]])
    guide = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(refine_field(field, guide, torch.ones(2, 2, dtype=torch.bool)), field)


def test_repeated_suggestions_count() -> None:
    # Black at (4, 3) suggested twice, white at (4, 4) once: mean distances 1/3 and 2/3 of a diagonal.
    guide = torch.zeros(3, 9, 9)
    guide[:, 4, 4] = 1.0
    black, white = 4 * 9 + 3, 4 * 9 + 4
    field = torch.tensor([[white, black + 1, black + 2]])
    assert refine_field(field, guide, torch.tensor([[True, False, False]]))[0, 0] == black


@pytest.mark.parametrize(("size", "target_size"), SIZES)
def test_every_ring_is_the_formulas(size: tuple[int, int], target_size: tuple[int, int]) -> None:
    field, _, tight = case(6, size, target_size)
    tight &= torch.rand(size, generator=torch.Generator().manual_seed(7)) < 0.2
    ring = ring_mask(field, tight, target_size)
    assert ring.dtype == torch.bool
    assert ring.tolist() == slow_ring(field, tight, target_size)


def test_a_ring_is_clipped_at_the_corner() -> None:
    ring = ring_mask(torch.tensor([[0]]), torch.tensor([[True]]), (4, 5))
    assert ring.nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
