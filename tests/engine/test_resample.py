"""Sizes change as torch/image changes them (algorithm.md 1.0, 1.7)."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from painterly_engine.resample import (
    fit_longest,
    resize,
    resize_part,
    scale_bilinear,
    scale_nearest,
    scale_strips,
    shown_in,
)
from painterly_engine.window import Box

sides = st.integers(1, 23)


def slow_scale_line(line: list[float], length: int) -> list[float]:
    """One axis, straight from the words."""
    source = len(line)
    if length == source:
        return list(line)
    if length > source:
        positions = [i * (source - 1) / (length - 1) for i in range(length)]
        lefts = [min(math.floor(p + 1e-9), source - 1) for p in positions]
        return [
            line[a] * (1 - (p - a)) + line[min(a + 1, source - 1)] * (p - a)
            for p, a in zip(positions, lefts, strict=True)
        ]
    scale = source / length
    result = []
    for i in range(length):
        start, end = i * scale, (i + 1) * scale
        overlaps = [max(0.0, min(end, j + 1) - max(start, j)) for j in range(source)]
        result.append(sum(v * o for v, o in zip(line, overlaps, strict=True)) / scale)
    return result


def slow_scale(image: Tensor, size: tuple[int, int]) -> Tensor:
    rows = torch.tensor([slow_scale_line(row, size[1]) for row in image.tolist()])
    return torch.tensor([slow_scale_line(column, size[0]) for column in rows.T.tolist()]).T


@given(sides, sides, sides, sides, st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_bilinear_against_the_formula(height: int, width: int, new_height: int, new_width: int, seed: int) -> None:
    image = torch.rand(2, height, width, generator=torch.Generator().manual_seed(seed))
    scaled = scale_bilinear(image, (new_height, new_width))
    assert scaled.shape == (2, new_height, new_width)
    for got, channel in zip(scaled, image, strict=True):
        torch.testing.assert_close(got, slow_scale(channel, (new_height, new_width)))


def test_shrinking_weighs_the_ends_of_the_interval() -> None:
    line = torch.tensor([[3.0, 6.0, 9.0]])
    torch.testing.assert_close(scale_bilinear(line, (1, 2)), torch.tensor([[(3 + 0.5 * 6) / 1.5, (9 + 0.5 * 6) / 1.5]]))


def test_growing_keeps_the_corners() -> None:
    line = torch.tensor([[0.0, 3.0]])
    torch.testing.assert_close(scale_bilinear(line, (1, 4)), torch.tensor([[0.0, 1.0, 2.0, 3.0]]))


def test_each_axis_decides_for_itself() -> None:
    image = torch.tensor([[0.0, 2.0, 4.0, 6.0]] * 2)
    torch.testing.assert_close(scale_bilinear(image, (3, 2)), torch.tensor([[1.0, 5.0]] * 3))


def test_the_same_size_is_a_copy_to_the_bit() -> None:
    image = torch.rand(3, 5, 7)
    assert torch.equal(scale_bilinear(image, (5, 7)), image)


@given(sides, sides, sides, sides)
@settings(max_examples=80, deadline=None)
def test_nearest_reads_the_top_left(height: int, width: int, new_height: int, new_width: int) -> None:
    image = torch.arange(height * width).view(height, width)
    scaled = scale_nearest(image, (new_height, new_width))
    expected = [
        [int(image[i * height // new_height, j * width // new_width]) for j in range(new_width)]
        for i in range(new_height)
    ]
    assert scaled.tolist() == expected


def test_nearest_keeps_booleans() -> None:
    assert scale_nearest(torch.tensor([[True, False]]), (1, 4)).tolist() == [[True, True, False, False]]


@pytest.mark.parametrize(
    ("height", "width", "longest", "expected"),
    [
        (682, 700, 700, (682, 700)),
        (1000, 1500, 700, (466, 700)),
        (100, 70, 700, (700, 490)),
        (10000, 3, 700, (700, 1)),
    ],
)
def test_fit_longest_truncates(height: int, width: int, longest: int, expected: tuple[int, int]) -> None:
    assert fit_longest(height, width, longest) == expected


@given(sides, sides, sides, sides, st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_an_image_in_strips_is_scaled_as_a_whole(height: int, width: int, new_h: int, new_w: int, rows: int) -> None:
    image = torch.rand(2, height, width, generator=torch.Generator().manual_seed(rows))
    strips = torch.split(image, rows, 1)
    assert torch.equal(scale_strips(strips, (new_h, new_w)), scale_bilinear(image, (new_h, new_w)))


@given(*[st.integers(2, 23)] * 4, st.data())  # of a single column torch copies the first row: nobody's picture
@settings(max_examples=80, deadline=None)
def test_a_part_is_resized_as_the_whole(height: int, width: int, new_h: int, new_w: int, data: st.DataObject) -> None:
    image = torch.rand(2, height, width, generator=torch.Generator().manual_seed(height))
    top, left = data.draw(st.integers(0, new_h - 1)), data.draw(st.integers(0, new_w - 1))
    box = Box(top, left, data.draw(st.integers(top + 1, new_h)), data.draw(st.integers(left + 1, new_w)))
    torch.testing.assert_close(
        resize_part(image, (new_h, new_w), box), box.of(resize(image, (new_h, new_w))), rtol=0, atol=2e-6
    )


def test_a_part_of_the_same_size_is_left_exactly_alone() -> None:
    image, box = torch.rand(2, 6, 7), Box(1, 2, 5, 6)
    assert torch.equal(resize_part(image, (6, 7), box), box.of(image))


@given(*[st.integers(2, 23)] * 4, st.data())
@settings(max_examples=80, deadline=None)
def test_nothing_of_a_box_shows_elsewhere(height: int, width: int, new_h: int, new_w: int, data: st.DataObject) -> None:
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    box = Box(top, left, data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width)))
    mask = torch.zeros(height, width)
    box.of(mask).fill_(1)
    brought_up = resize(mask, (new_h, new_w))
    shown_in(box, (height, width), (new_h, new_w)).of(brought_up).zero_()
    assert not brought_up.any()
