"""Boxes and rows of pixels, against pixel-by-pixel references on tiny pictures."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from painterly_plugin.placement import (
    Box,
    alpha_plane,
    at_most,
    both,
    covered_box,
    crop,
    firm,
    leading_bytes,
    pasted,
    region_around,
    solid,
    surrounded,
    with_alpha,
    without_alpha,
)
from painterly_protocol.pixels import Pixels, SampleType

sides = st.integers(1, 6)
boxes = st.builds(Box, st.integers(-5, 5), st.integers(-5, 5), st.integers(0, 6), st.integers(0, 6))


def cells(box: Box) -> set[tuple[int, int]]:
    return {(x, y) for x in range(box.x, box.x + box.width) for y in range(box.y, box.y + box.height)}


@given(boxes, boxes)
def test_intersection_holds_the_common_pixels(one: Box, other: Box) -> None:
    common = one.intersect(other)
    assert cells(common) == cells(one) & cells(other)
    assert common.is_empty == (not cells(common))


def test_shifted() -> None:
    assert Box(1, 2, 3, 4).shifted(-5, 7) == Box(-4, 9, 3, 4)


@given(sides, sides, st.data())
def test_covered_box_of_bytes(width: int, height: int, data: st.DataObject) -> None:
    samples = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, 255]), min_size=width * height, max_size=width * height))
    check_covered_box(Pixels(height, width, 1, SampleType.UINT8, bytes(samples)), samples)


@given(sides, sides, st.data())
def test_covered_box_of_floats(width: int, height: int, data: st.DataObject) -> None:
    # 1.0 ends in zero bytes, 2**-149 is almost nothing but zero bytes.
    values = st.sampled_from([0.0, 0.0, 0.0, 1.0, 0.1, 2.0**-149, 2.0**-126])
    samples = data.draw(st.lists(values, min_size=width * height, max_size=width * height))
    check_covered_box(Pixels(height, width, 1, SampleType.FLOAT32, struct.pack(f"<{len(samples)}f", *samples)), samples)


def check_covered_box(plane: Pixels, samples: list[float]) -> None:
    covered = [(i % plane.width, i // plane.width) for i, value in enumerate(samples) if value]
    box = covered_box(plane)
    if not covered:
        assert box.is_empty
        return
    xs, ys = zip(*covered, strict=True)
    assert box == Box(min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)


def test_crop_takes_whole_pixels() -> None:
    picture = Pixels(3, 4, 3, SampleType.UINT8, bytes(range(36)))
    part = crop(picture, Box(1, 1, 2, 2))
    assert (part.width, part.height, part.channels) == (2, 2, 3)
    assert bytes(part.data) == bytes([*range(15, 21), *range(27, 33)])


def test_crop_of_wide_samples() -> None:
    picture = Pixels(2, 2, 1, SampleType.FLOAT32, struct.pack("<4f", 1, 2, 3, 4))
    assert struct.unpack("<2f", crop(picture, Box(1, 0, 1, 2)).data) == (2, 4)


def test_alpha_plane() -> None:
    eight = alpha_plane(bytes([1, 2, 3, 4, 5, 6, 7, 8]), 2, 1, SampleType.UINT8)
    assert bytes(eight.data) == b"\x04\x08"
    deep = alpha_plane(struct.pack("<8f", 1, 2, 3, 0.25, 5, 6, 7, 0.5), 1, 2, SampleType.FLOAT32)
    assert struct.unpack("<2f", deep.data) == (0.25, 0.5)
    assert (deep.height, deep.width, deep.channels) == (2, 1, 1)


@given(boxes, st.integers(1, 40))
def test_strips_cover_the_box_once(box: Box, pixels: int) -> None:
    seen = [cell for strip in box.strips(pixels) for cell in cells(strip)]
    assert len(seen) == len(set(seen))
    assert set(seen) == cells(box)


def test_a_small_painting_travels_whole() -> None:
    canvas = Box(0, 0, 2000, 1500)
    assert region_around(Box(10, 10, 5, 5), canvas) == canvas


@given(st.integers(0, 7900), st.integers(0, 4900), st.integers(1, 3000), st.integers(1, 3000))
def test_of_a_large_painting_travels_what_surrounds_the_object(x: int, y: int, width: int, height: int) -> None:
    canvas = Box(0, 0, 8000, 5000)
    needed = Box(x, y, width, height).intersect(canvas)
    region = region_around(needed, canvas)
    assert region == region.intersect(canvas)
    assert region.intersect(needed) == needed
    least = needed.grown(256).intersect(canvas)
    assert region.intersect(least) == least
    assert region.pixels <= max(4_000_000, least.pixels)
    if least.pixels < 4_000_000:
        assert region.pixels > 3_900_000, "there was room for more of the style"


@given(boxes, st.integers(1, 300))
def test_of_a_large_style_travels_the_middle(box: Box, budget: int) -> None:
    found = at_most(box, budget)
    if box.pixels <= budget:
        assert found == box
    else:
        assert found == found.intersect(box)
        assert 0 < found.pixels <= max(budget, box.width, box.height)
        assert abs((found.x - box.x) - (box.x + box.width - found.x - found.width)) <= 1


def test_more_than_half_is_yes() -> None:
    assert firm(bytes([0, 127, 128, 255])) == bytes([0, 0, 255, 255])


def test_surrounded_by_zeros() -> None:
    plane = Pixels(2, 2, 1, SampleType.UINT8, bytes([1, 2, 3, 4]))
    whole = surrounded(plane, Box(1, 1, 2, 2), 4, 4)
    assert bytes(whole.data) == bytes([0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0])
    assert crop(whole, Box(1, 1, 2, 2)) == plane


def test_solid_planes() -> None:
    assert solid(bytes([0, 1, 255])) == bytes([0, 255, 255])
    assert both(bytes([0, 255, 255]), bytes([255, 0, 255])) == bytes([0, 0, 255])
    floats = Pixels(1, 3, 1, SampleType.FLOAT32, struct.pack("<3f", 0.0, 1e-6, 1.0))
    assert solid(leading_bytes(floats)) == bytes([0, 255, 255])


def test_with_alpha_keeps_the_colours() -> None:
    solid_plane = bytes([255, 0])
    assert with_alpha(bytes([1, 2, 3, 9, 4, 5, 6, 9]), solid_plane, SampleType.UINT8) == bytes(
        [1, 2, 3, 255, 4, 5, 6, 0]
    )
    floats = struct.pack("<8f", 0.1, 0.2, 0.3, 0.4, 1.5, -0.5, 0.0, 0.7)
    made = struct.unpack("<8f", with_alpha(floats, solid_plane, SampleType.FLOAT32))
    before = struct.unpack("<8f", floats)
    assert made == (*before[:3], 1.0, *before[4:7], 0.0)


def test_pasted() -> None:
    picture = Pixels(2, 3, 1, SampleType.UINT8, bytes(6))
    part = Pixels(1, 2, 1, SampleType.UINT8, bytes([7, 8]))
    assert bytes(pasted(picture, part, 1, 1).data) == bytes([0, 0, 0, 0, 7, 8])


@given(st.sampled_from(list(SampleType)), st.integers(1, 5))
def test_colours_lose_their_alpha(kind: SampleType, count: int) -> None:
    pixel = [bytes([channel]) * kind.size for channel in range(4)]
    assert without_alpha(b"".join(pixel) * count, kind) == b"".join(pixel[:3]) * count
