"""Islands of an object, against OpenCV's own count of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from painterly_engine.repaint.islands import island_areas, usual_size


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=24)))
def test_islands_are_those_opencv_finds(land: np.ndarray) -> None:
    _, _, stats, _ = cv2.connectedComponentsWithStats(land.astype(np.uint8), connectivity=8)
    areas = island_areas(torch.from_numpy(land.astype(np.float32)))
    if land.any():
        assert sorted(areas) == sorted(stats[1:, cv2.CC_STAT_AREA])
    else:
        assert usual_size(torch.from_numpy(land.astype(np.float32))) == 1


@pytest.mark.parametrize("shown", [1.0, 0.3])
def test_one_island_is_as_large_as_its_area(shown: float) -> None:
    support = torch.zeros(90, 700)
    support[10:50, 30:670] = shown
    assert usual_size(support) == pytest.approx((40 * 640 * shown) ** 0.5)


@pytest.mark.parametrize("height", [300, 1500])
def test_many_islands_are_as_small_as_one(height: int) -> None:
    support = torch.zeros(height, 600)
    for left in range(20, 560, 60):
        support[40:70, left : left + 30] = 1
    assert usual_size(support) == pytest.approx(30, rel=0.01)


def test_dust_beside_an_object_counts_for_nothing() -> None:
    support = torch.zeros(200, 200)
    support[50:150, 50:150] = 1
    support[::20, ::20] = 1
    assert usual_size(support) == pytest.approx(100, rel=0.02)
