"""What a result remembers of its outline, and where that belongs once object or result have changed."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from painterly_plugin.outline import (
    Made,
    Outline,
    Shape,
    checksum_of_rows,
    is_lost,
    packed,
    place_of,
    rows_to_look_at,
    shown_at,
    unpacked,
)
from painterly_plugin.placement import Box

CANVAS = Box(0, 0, 400, 300)
OBJECT, RESULT = Shape(Box(10, 20, 100, 80), 7), Shape(Box(30, 18, 50, 60), 9)
THEN = Made(OBJECT, RESULT)
MASK = Box(32, 20, 46, 56)
COVERAGE = bytes(number % 256 for number in range(MASK.pixels))
OUTLINE = Outline(MASK, zlib.compress(COVERAGE), THEN)


def moved(shape: Shape, dx: int, dy: int) -> Shape:
    return Shape(shape.box.shifted(dx, dy), shape.checksum)


def other(shape: Shape) -> Shape:
    return Shape(shape.box, 1)


def test_it_comes_back_as_it_was() -> None:
    data = packed(OUTLINE)
    assert unpacked(data) == OUTLINE
    assert OUTLINE.coverage(CANVAS) == COVERAGE
    large = zlib.compress(bytes(range(256)) * 100)
    assert len(packed(Outline(Box(0, 0, 256, 100), large, THEN))) < 2560, "it is kept small"


def test_what_earlier_versions_wrote_is_read() -> None:
    assert unpacked(struct.pack("<4i", -3, 4, 46, 56) + OUTLINE.packed) == Outline(Box(-3, 4, 46, 56), OUTLINE.packed)


@pytest.mark.parametrize("data", [b"", b"short", b"PHO2 and no more", struct.pack("<4i", 1, 1, 0, 5), b"\xff" * 200])
def test_a_damaged_one_is_none(data: bytes) -> None:
    assert unpacked(data) is None


@pytest.mark.parametrize("field", range(12))
@pytest.mark.parametrize("number", [-(2**31), 2**31 - 1])
def test_boxes_that_no_canvas_has_are_none(field: int, number: int) -> None:
    """GIMP would not take such numbers."""
    data = bytearray(packed(OUTLINE))
    place = 4 + 4 * field + 4 * (field >= 8)  # between the last two boxes stands a checksum
    assert unpacked(bytes(data)) is not None
    struct.pack_into("<i", data, place, number)
    assert unpacked(bytes(data)) is None


@pytest.mark.parametrize("coverage", [b"abc", b"abcde", bytes(10**8)])
def test_a_mask_of_another_size_is_none(coverage: bytes) -> None:
    assert Outline(Box(0, 0, 2, 2), zlib.compress(coverage), THEN).coverage(CANVAS) is None


def test_a_mask_that_is_no_mask_is_none() -> None:
    assert Outline(Box(0, 0, 2, 2), b"no zlib", THEN).coverage(CANVAS) is None
    assert Outline(Box(0, 0, 2, 2), zlib.compress(b"abcd")[:-6], THEN).coverage(CANVAS) is None


@pytest.mark.parametrize("box", [Box(0, 0, 401, 1), Box(0, 0, 1, 301), Box(0, 0, 500_000, 500_000)])
def test_nothing_larger_than_the_canvas_is_unpacked(monkeypatch: pytest.MonkeyPatch, box: Box) -> None:
    monkeypatch.setattr(zlib, "decompressobj", lambda: pytest.fail("unpacked"))
    assert Outline(box, OUTLINE.packed, THEN).coverage(CANVAS) is None


@given(st.integers(-200, 200), st.integers(-200, 200))
def test_it_follows_the_object(dx: int, dy: int) -> None:
    assert place_of(OUTLINE, Made(moved(OBJECT, dx, dy), RESULT)) == MASK.shifted(dx, dy)
    assert place_of(OUTLINE, Made(moved(OBJECT, dx, dy), other(RESULT))) == MASK.shifted(dx, dy)
    assert place_of(OUTLINE, Made(moved(other(OBJECT), dx, dy), moved(RESULT, dx, dy))) == MASK.shifted(dx, dy)


def test_what_was_painted_out_is_looked_for_where_the_result_is() -> None:
    place = MASK.shifted(5, 0)
    assert shown_at(OUTLINE, place, Made(moved(OBJECT, 5, 0), RESULT)) is None
    assert shown_at(OUTLINE, place, Made(moved(OBJECT, 5, 0), other(moved(RESULT, 0, 3)))) == MASK.shifted(0, 3)
    cut = Shape(Box(30, 18, 40, 60), 9)
    assert shown_at(OUTLINE, place, Made(moved(OBJECT, 5, 0), cut)) == place


def test_where_both_look_another_way_it_belongs_nowhere() -> None:
    assert place_of(OUTLINE, Made(other(OBJECT), other(RESULT))) is None
    assert not is_lost(OUTLINE, Made(other(OBJECT), other(RESULT)))


def test_where_the_object_alone_has_another_size_it_is_lost() -> None:
    larger = Shape(Box(10, 20, 101, 80), 7)
    assert place_of(OUTLINE, Made(larger, RESULT)) is None
    assert is_lost(OUTLINE, Made(larger, RESULT))
    assert is_lost(OUTLINE, Made(larger, other(RESULT)))
    assert not is_lost(OUTLINE, Made(larger, Shape(Box(30, 18, 51, 60), 9))), "both were scaled"


@pytest.mark.parametrize(("x", "y"), [(-30, 2), (-20, -22), (-30, -22)])
def test_where_it_may_have_been_mirrored_it_belongs_nowhere(x: int, y: int) -> None:
    """Plain objects look the same from both sides."""
    plain = Shape(OBJECT.box, 0)
    now = Made(Shape(Box(RESULT.box.x + x, RESULT.box.y + y, 100, 80), 0), RESULT)
    outline = Outline(MASK, OUTLINE.packed, Made(plain, RESULT))
    if (x, y) == (-20, -22):
        now = Made(now.of, RESULT)
    assert place_of(outline, now) is None
    assert place_of(outline, Made(moved(plain, 1, 0), RESULT)) == MASK.shifted(1, 0)
    known = Made(Shape(now.of.box, OBJECT.checksum), RESULT)
    assert place_of(OUTLINE, known) == MASK.shifted(now.of.box.x - 10, now.of.box.y - 20), "it was moved there"


def test_without_a_word_of_the_object_it_stays_where_it_was() -> None:
    earlier = Outline(MASK, OUTLINE.packed)
    assert place_of(earlier, Made(moved(OBJECT, 5, 5), RESULT)) == MASK
    assert shown_at(earlier, MASK, THEN) == MASK
    assert place_of(earlier, Made(OBJECT, moved(RESULT, 15, 15))) is None, "the layer is somewhere else"
    assert not is_lost(earlier, Made(moved(OBJECT, 5, 5), RESULT))


rows = st.lists(st.binary(min_size=12, max_size=12), min_size=1, max_size=5)


@given(rows)
def test_a_mirrored_picture_has_another_checksum(picture: list[bytes]) -> None:
    mirrored = [b"".join(row[at : at + 4] for at in (8, 4, 0)) for row in picture]
    others = [mirrored, picture[::-1], mirrored[::-1]]
    found = checksum_of_rows(picture)
    if picture in others:
        assert found == 0
    else:
        assert found != 0
        assert found not in map(checksum_of_rows, others)


@given(st.integers(1, 5000))
def test_rows_are_as_far_from_the_top_as_from_the_bottom(height: int) -> None:
    chosen = rows_to_look_at(height)
    assert chosen == sorted(set(chosen))
    assert chosen == sorted(height - 1 - row for row in chosen)
    assert set(chosen) <= set(range(height))
    assert len(chosen) == height if height <= 64 else len(chosen) == 64
