"""Reference-layer matching of pass two against double loops over the formula, and its border rule by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from painterly_engine.matching import match_reference

OFFSETS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def excluded(place: int, size: int, target: int, target_size: int) -> bool:
    return (target < 1 and not place < 1) or (target > target_size - 2 and not place > size - 2)


def slow_field(source: Tensor, target: Tensor) -> list[list[int]]:
    a, b = source.double().numpy(), target.double().numpy()
    a = a / (np.sqrt((a * a).sum(0)) + 1e-8)
    b = b / (np.sqrt((b * b).sum(0)) + 1e-8)
    (_, h, w), (_, h2, w2) = a.shape, b.shape
    field = [[0] * w for _ in range(h)]
    for y, x in np.ndindex(h, w):
        best = np.float32(-np.inf)
        for v, u in np.ndindex(h2, w2):
            if excluded(x, w, u, w2) or excluded(y, h, v, h2):
                continue
            score = 0.0
            for dy, dx in OFFSETS:
                if 0 <= y + dy < h and 0 <= x + dx < w and 0 <= v + dy < h2 and 0 <= u + dx < w2:
                    score += float(a[:, y + dy, x + dx] @ b[:, v + dy, u + dx])
            if np.float32(score) > best:
                best, field[y][x] = np.float32(score), v * w2 + u
    return field


def features(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).clamp(min=0)


@pytest.mark.parametrize(
    ("size", "target_size"),
    [((6, 7), (6, 7)), ((5, 4), (7, 6)), ((1, 6), (1, 6)), ((6, 1), (6, 1)), ((1, 1), (1, 1)), ((2, 2), (2, 2))],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_match_is_the_formulas(size: tuple[int, int], target_size: tuple[int, int], seed: int) -> None:
    source, target = features(seed, 4, *size), features(seed + 10, 4, *target_size)
    assert match_reference(source, target).tolist() == slow_field(source, target)


def test_only_border_positions_reach_the_same_border() -> None:
    size = 7
    field = match_reference(features(4, 2, size, size), features(5, 2, size, size))
    ys, xs = field // size, field % size
    assert (ys[1:] > 0).all() and (ys[:-1] < size - 1).all()
    assert (xs[:, 1:] > 0).all() and (xs[:, :-1] < size - 1).all()


def test_a_corner_can_match_its_own_corner() -> None:
    target = torch.zeros(2, 5, 5)
    target[0] = 1
    target[:, 0, 0] = torch.tensor([0.0, 1.0])
    source = torch.zeros(2, 5, 5)
    source[1] = 1  # looks for the one odd pixel
    field = match_reference(source, target)
    assert field[0, 0] == 0
    # Others may not use the corner as a centre, but a patch that covers it: top row x = 1, and so on.
    assert field[0, 3] == 1
    assert field[3, 0] == 5
    assert field[3, 3] == 6


def test_a_plain_sum_prefers_full_patches() -> None:
    # With constant unit features the score is the number of valid offsets: 9 first at (1, 1) for interior positions.
    # A left-border source has two columns of neighbours wherever it looks, so any inner row's x = 0 does: y = 1 first.
    field = match_reference(torch.full((3, 5, 5), 2.0), torch.full((3, 5, 5), 3.0))
    assert field[2, 2] == 6
    assert field[2, 0] == 5
    assert field[0, 2] == 1
    assert field[0, 0] == 0


def test_ties_go_to_the_first_in_raster_order() -> None:
    source = (features(6, 3, 4, 4) + 0.1).repeat(1, 3, 3)
    field = match_reference(source, source)
    assert field[9, 9] == 1 * 12 + 1
    assert field.tolist() == slow_field(source, source)


def test_dead_positions_are_no_numbers_trap() -> None:
    field = match_reference(torch.zeros(3, 4, 4), features(7, 3, 4, 4))
    assert field.tolist() == slow_field(torch.zeros(3, 4, 4), features(7, 3, 4, 4))


def test_where_the_border_rule_leaves_nothing_the_match_is_zero() -> None:
    field = match_reference(features(8, 2, 5, 5), features(9, 2, 1, 1))
    assert (field == 0).all()
