"""Reading features: by name, as the start of a gradient, and amplified."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from painterly_engine.network.features import CAFFE, TORCHVISION, Layout, random_network

LAYERS = ("relu1_1", "relu2_1", "relu4_1")


def test_gradients_can_stop_at_one_feature_and_start_at_the_next() -> None:
    """Segment by segment must equal one backward through all."""
    network = random_network(width=2).double()
    pixels = torch.rand(3, 24, 30, dtype=torch.float64, requires_grad=True)
    features = network(pixels, LAYERS)
    injected = torch.rand_like(features["relu4_1"])
    (whole,) = torch.autograd.grad(network(pixels, ["relu4_1"])["relu4_1"], pixels, injected)
    (at_two,) = torch.autograd.grad(features["relu4_1"], features["relu2_1"], injected)
    (at_one,) = torch.autograd.grad(features["relu2_1"], features["relu1_1"], at_two)
    (walked,) = torch.autograd.grad(features["relu1_1"], pixels, at_one)
    torch.testing.assert_close(walked, whole)


@pytest.mark.parametrize("layout", [CAFFE, TORCHVISION], ids=lambda layout: layout.name)
def test_amplified_features_are_the_gain_times_as_large(layout: Layout) -> None:
    network = random_network(width=2, layout=replace(layout, activation_gain=7.0)).double()
    for layer in network.layers:
        network.get_buffer(f"{layer}_bias").uniform_(-0.5, 0.5)
    loud = network.amplified()
    pixels = torch.rand(3, 24, 30, dtype=torch.float64) * 255
    plain, amplified = network(pixels, LAYERS), loud(pixels, LAYERS)
    for layer in LAYERS:
        torch.testing.assert_close(amplified[layer], 7 * plain[layer])
    assert loud.layout.activation_gain == 1
    assert network.layout.activation_gain == 7
    assert torch.equal(loud.get_buffer("relu2_1_weight"), network.get_buffer("relu2_1_weight"))


def test_caffe_runs_as_published() -> None:
    network = random_network(width=2)
    loud = network.amplified()
    assert all(torch.equal(a, b) for a, b in zip(network.buffers(), loud.buffers(), strict=True))
