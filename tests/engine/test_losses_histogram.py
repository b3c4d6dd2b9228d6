"""The histogram loss against the published rules, one rank at a time (algorithm.md 1.3, 1.7)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from painterly_engine.losses.histogram import HistogramLoss, values_by_rank


def slow_values(samples: list[float], count: int) -> list[float]:
    """Value of each rank 0 … count-1 for one channel."""
    low, high = min(samples), max(samples)
    first, last = (low - 1, high + 1) if low == high else (low, high)
    histogram = [0.0] * 256
    for v in samples:
        histogram[min(int((v - first) / (last - first) * 256), 255)] += 1
    histogram = [h * count / len(samples) for h in histogram]
    cumulative, total = [], 0.0
    for h in histogram:
        total += h
        cumulative.append(total)
    values = []
    for k in range(count):
        found = 255
        for b in range(256):
            lower = -0.5 if b == 0 else cumulative[b - 1]
            upper = cumulative[b] + (0.5 if b == 255 else 0)
            if lower <= k < upper:
                found = b
                break
        within = (k - (cumulative[found] - histogram[found])) / (histogram[found] + 1e-8)
        values.append(low + (found + min(max(within, 0), 1)) * (high - low) / 256)
    return values


def slow_gradient(features: Tensor, style: Tensor, ring: Tensor, inside: Tensor) -> Tensor:
    gradient = torch.zeros_like(features)
    positions = inside.nonzero().tolist()
    for c in range(len(features)):
        by_rank = slow_values(style[c][ring].tolist(), len(positions))
        order = sorted(range(len(positions)), key=lambda i: float(features[c, positions[i][0], positions[i][1]]))
        for k, i in enumerate(order):  # sorted() is stable: equal values keep their raster order
            y, x = positions[i]
            gradient[c, y, x] = features[c, y, x] - by_rank[k]
    return gradient


@given(
    st.lists(st.floats(0, 50, width=32), min_size=1, max_size=40),
    st.integers(1, 60),
)
@settings(max_examples=150, deadline=None)
def test_values_by_rank_against_the_rules(samples: list[float], count: int) -> None:
    found = values_by_rank(torch.tensor([samples]), count)[0]
    exact = torch.tensor(samples, dtype=torch.float32).tolist()
    torch.testing.assert_close(found, torch.tensor(slow_values(exact, count), dtype=torch.float64))


def test_values_by_rank_by_hand() -> None:
    """Samples 0 and 256 fill the first and the last bin with 2 of 4 ranks each; a bin is one unit wide."""
    found = values_by_rank(torch.tensor([[0.0, 256.0]]), 4)[0]
    torch.testing.assert_close(found, torch.tensor([0, 0.5, 255, 255.5], dtype=torch.float64))


def test_a_constant_channel_maps_everything_to_its_value() -> None:
    assert values_by_rank(torch.full((1, 5), 3.0), 4).tolist() == [[3.0] * 4]
    assert values_by_rank(torch.zeros(1, 5), 4).tolist() == [[0.0] * 4]


def test_channels_do_not_mix() -> None:
    """The published ports read channel 0's histogram for all."""
    samples = torch.tensor([[0.0, 1.0], [100.0, 101.0]])
    found = values_by_rank(samples, 3)
    assert found[0].max() <= 1
    assert found[1].min() >= 100


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_against_the_rules(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = (torch.randn(3, 6, 7, generator=generator) * 4).clamp(min=0)  # with ties at 0, as relus leave them
    style = (torch.randn(3, 5, 8, generator=generator) * 9 + 2).clamp(min=0)
    ring, inside = torch.rand(5, 8, generator=generator) > 0.5, torch.rand(6, 7, generator=generator) > 0.4
    value, gradient = HistogramLoss(style, ring, inside)(features)
    expected = slow_gradient(features, style, ring, inside)
    torch.testing.assert_close(gradient, expected)
    assert float(value) == pytest.approx(float((expected**2).mean()), rel=1e-5)


def test_ties_keep_their_raster_order() -> None:
    features, style = torch.zeros(1, 1, 4), torch.tensor([[[0.0, 256.0]]])
    loss = HistogramLoss(style, torch.ones(1, 2, dtype=torch.bool), torch.ones(1, 4, dtype=torch.bool))
    torch.testing.assert_close(loss(features).gradient, -torch.tensor([[[0, 0.5, 255, 255.5]]]))


def test_positions_outside_the_mask_stay_out() -> None:
    features = torch.tensor([[[9.0, 1.0, 5.0]]])
    inside = torch.tensor([[True, False, False]])
    loss = HistogramLoss(torch.full((1, 1, 2), 4.0), torch.ones(1, 2, dtype=torch.bool), inside)
    assert loss(features).gradient.tolist() == [[[5.0, 0.0, 0.0]]]
