"""Which scales, and how much of the painting."""

from __future__ import annotations

from painterly_engine.repaint.scales import CONTEXT, levels, own_context, surroundings
from painterly_engine.window import Box

SIDES = (96, 192, 384, 768)


def test_from_coarse_to_the_finest_and_never_larger_than_the_painting() -> None:
    around = Box(0, 0, 300, 500)
    plan = levels(around, (300, 500), SIDES, 16)
    assert [max(level.size) for level in plan] == [96, 192, 384, 500]
    assert plan[-1].size == (300, 500) and plan[-1].context == Box(0, 0, 300, 500)


def test_a_scale_hardly_smaller_than_the_finest_is_left_out() -> None:
    plan = levels(Box(0, 0, 200, 200), (200, 200), SIDES, 16)
    assert [max(level.size) for level in plan] == [96, 200]


def test_what_is_worked_on_depends_on_the_object_not_on_the_canvas() -> None:
    box = Box(2000, 2000, 2300, 2300)
    small, large = (levels(surroundings(box, size), size, SIDES, 16) for size in ((4000, 4000), (8000, 8000)))
    assert [level.size for level in small] == [level.size for level in large]
    for level in large:
        assert level.context_size[0] * level.context_size[1] <= 1.1 * max(CONTEXT, 2 * level.size[0] * level.size[1])
    assert own_context(surroundings(box, (8000, 8000)), (8000, 8000)).area <= CONTEXT


def test_coarse_scales_see_all_of_the_painting() -> None:
    size = (3000, 3000)
    plan = levels(surroundings(Box(1000, 1000, 1300, 1300), size), size, SIDES, 16)
    assert plan[0].context == Box.whole(size) and plan[-1].context != Box.whole(size)


def test_thin_pictures_are_stretched_to_what_the_network_needs() -> None:
    plan = levels(Box(0, 0, 8, 2000), (8, 2000), SIDES, 32)
    assert all(min(level.size) >= 32 and min(level.context_size) >= 32 for level in plan)
