"""The colour guided filter against a double loop that solves every window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from painterly_engine.finishing.guided import at_once, by_rows, guided_filter


def slow_guided(plane: np.ndarray, guide: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    h, w = plane.shape

    def window(y: int, x: int) -> tuple[slice, slice]:
        return slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)

    slope, offset = np.zeros((3, h, w)), np.zeros((h, w))
    for y, x in np.ndindex(h, w):
        colours = guide[(slice(None), *window(y, x))].reshape(3, -1)
        values = plane[window(y, x)].ravel()
        covariance = np.cov(colours, bias=True) if colours.shape[1] > 1 else np.zeros((3, 3))
        cross = (colours * values).mean(1) - colours.mean(1) * values.mean()
        slope[:, y, x] = np.linalg.solve(covariance + epsilon * np.eye(3), cross)
        offset[y, x] = values.mean() - slope[:, y, x] @ colours.mean(1)
    filtered = np.zeros((h, w))
    for y, x in np.ndindex(h, w):
        mean_slope = slope[(slice(None), *window(y, x))].reshape(3, -1).mean(1)
        filtered[y, x] = mean_slope @ guide[:, y, x] + offset[window(y, x)].mean()
    return filtered


def images(seed: int, h: int, w: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, h, w, generator=generator) * 200 - 100, torch.rand(3, h, w, generator=generator)


@pytest.mark.parametrize(("h", "w"), [(9, 11), (3, 4), (1, 8), (8, 1), (1, 1)])
def test_every_value_is_the_formulas(h: int, w: int) -> None:
    planes, guide = images(1, h, w)
    filtered = guided_filter(planes, guide, 2, 0.01)
    for plane, got in zip(planes.double().numpy(), filtered, strict=True):
        assert np.allclose(got.numpy(), slow_guided(plane, guide.double().numpy(), 2, 0.01), atol=5e-3)


@pytest.mark.parametrize(("h", "w", "radius"), [(9, 7, 2), (20, 33, 16), (3, 40, 5)])
def test_windows_summed_by_rows_are_the_same_windows(h: int, w: int, radius: int) -> None:
    plane, guide = images(h, h, w)
    torch.testing.assert_close(by_rows(plane, radius), at_once(plane, radius))
    ways = [guided_filter(plane, guide, radius, 1e-3, way) for way in (at_once, by_rows)]
    torch.testing.assert_close(*ways, rtol=1e-3, atol=1e-3)


def test_a_constant_plane_stays() -> None:
    _, guide = images(2, 7, 8)
    assert torch.allclose(guided_filter(torch.full((1, 7, 8), 33.0), guide, 2, 0.01), torch.tensor(33.0), atol=1e-3)


def test_a_constant_guide_averages_twice_in_shrinking_windows() -> None:
    plane = torch.zeros(1, 1, 5)
    plane[0, 0, 0] = 60.0
    # Means of windows of radius 1: 30, 20, 0, 0, 0; and again: 25, 50/3, 20/3, 0, 0.
    filtered = guided_filter(plane, torch.full((3, 1, 5), 0.4), 1, 0.01)
    assert filtered.flatten().tolist() == pytest.approx([25.0, 50 / 3, 20 / 3, 0.0, 0.0], abs=1e-3)


def test_edges_of_the_guide_survive() -> None:
    guide = torch.zeros(3, 8, 16)
    guide[:, :, 8:] = 1.0
    plane = guide[:1] * 50
    filtered = guided_filter(plane, guide, 2, 1e-4)
    assert (filtered[0, :, 8] - filtered[0, :, 7]).min() > 49
