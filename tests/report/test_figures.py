"""Our own figures on pictures whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from painterly_engine.network.features import random_network
from painterly_engine.report.figures import content_distance, measure, outside, seam, style_distance
from painterly_engine.report.record import Figure, Stage

SIDE = 96
rng = np.random.default_rng(5)
PAINTING = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
INSIDE = np.zeros((SIDE, SIDE), bool)
INSIDE[36:60, 30:66] = True
MASK = np.where(INSIDE, 255, 0).astype(np.uint8)


def test_an_untouched_painting_is_seamless() -> None:
    assert seam(PAINTING, INSIDE) == pytest.approx(1.0, abs=0.1)


def test_a_hard_edge_raises_the_seam_and_a_blur_lowers_it() -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    slope = np.repeat((y + x)[..., None], 3, axis=2).astype(np.uint8)  # √2 a pixel everywhere
    pasted, flat = slope.copy(), slope.copy()
    pasted[INSIDE] = 255
    flat[30:66, 24:72] = 90
    assert seam(slope, INSIDE) == pytest.approx(1.0)
    assert (seam(pasted, INSIDE) or 0) > 10
    assert seam(flat, INSIDE) == 0


def test_what_has_no_elsewhere_has_no_seam() -> None:
    assert seam(PAINTING, np.ones_like(INSIDE)) is None
    assert seam(np.zeros_like(PAINTING), INSIDE) is None


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_outside_sees_one_changed_pixel_far_from_the_loose_mask_only(factor: int) -> None:
    loose = MASK[::factor, ::factor]
    result = PAINTING.copy()
    result[INSIDE] = 0
    assert outside(PAINTING, result, loose) == 0
    result[0, 0, 1] ^= 7
    assert outside(PAINTING, result, loose) == abs(int(result[0, 0, 1]) - int(PAINTING[0, 0, 1])) > 0
    assert outside(PAINTING, result, np.full_like(loose, 255)) is None


def test_distances_are_0_for_the_same_and_grow_with_the_difference() -> None:
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(8, SIDE, SIDE, generator=generator)
    tiles = features[:, :2, :2].repeat(1, SIDE // 2, SIDE // 2)  # the same statistics everywhere
    mask = torch.from_numpy(INSIDE.astype(np.float32))
    assert style_distance({"a": tiles}, {"a": tiles}, mask, ("a",)) == pytest.approx(0, abs=1e-5)
    twice = style_distance({"a": tiles * 2**0.5}, {"a": tiles}, mask, ("a",))
    assert twice == pytest.approx(1.0, rel=1e-4)
    assert style_distance({"a": tiles}, {"a": tiles}, torch.ones_like(mask), ("a",)) is None
    assert content_distance(features, features, mask) == 0
    assert content_distance(features * 3, features, mask) == pytest.approx(2)
    assert content_distance(features, features * 0, mask) is None


def values(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def test_measuring_names_the_network_and_compares_with_the_composite() -> None:
    composite = PAINTING.copy()
    composite[INSIDE] = (250, 10, 10)
    network = random_network(width=4)
    loose = Stage("loose mask", MASK)
    found = values(measure(PAINTING, composite, PAINTING, MASK, [loose], network))
    assert list(found) == ["seam", "changed outside", "style distance in random-0", "object changed in random-0"]
    style, content = found["style distance in random-0"], found["object changed in random-0"]
    assert style.composite is not None and style.result is not None and style.result < style.composite / 3
    assert content.composite == 0 and content.result is not None and content.result > 0.1
    assert found["changed outside"].result == 0


def test_what_cannot_be_measured_is_left_out() -> None:
    covered = np.full_like(MASK, 255)
    found = values(measure(PAINTING, PAINTING, PAINTING, covered, [], random_network(width=2)))
    assert "changed outside" not in found and found["seam"].result is None
    assert found["style distance in random-0"].result is None
