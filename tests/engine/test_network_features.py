"""Reading features: by name, as the start of a gradient, and amplified."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from painterly_engine.network.features import CAFFE, TORCHVISION, Layout, random_network, reflected

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


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(2, 2), (2, 5), (6, 3)])
def test_reflection_is_torchs_own_and_keeps_channels_where_they_are(
    size: tuple[int, int], form: torch.memory_format
) -> None:
    generator = torch.Generator().manual_seed(1)
    ours, theirs = (
        torch.rand(1, 4, *size, generator=generator.manual_seed(1), dtype=torch.float64).contiguous(memory_format=form)
        for _ in range(2)
    )
    pull = torch.rand(1, 4, size[0] + 2, size[1] + 2, generator=generator, dtype=torch.float64)
    padded = reflected(ours.requires_grad_()), F.pad(theirs.requires_grad_(), (1, 1, 1, 1), mode="reflect")
    assert torch.equal(*padded) and padded[0].is_contiguous(memory_format=form)
    gradients = [torch.autograd.grad(one, start, pull)[0] for one, start in zip(padded, (ours, theirs), strict=True)]
    torch.testing.assert_close(*gradients)
    assert gradients[0].is_contiguous(memory_format=form) or form is torch.contiguous_format
