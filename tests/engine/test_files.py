"""What writing a picture and reading it again does to it."""

from __future__ import annotations

import torch

from painterly_engine.files import jpeg_round_trip, quantise


def test_quantise_clamps_and_truncates() -> None:
    image = torch.tensor([-0.5, 0.0, 0.9 / 255, 1.0 / 255 + 1e-4, 0.5, 254.9 / 255, 1.0, 1.7]).expand(3, 1, 8)
    expected = torch.tensor([0, 0, 0, 1, 127, 254, 255, 255]) / 255
    torch.testing.assert_close(quantise(image), expected.expand(3, 1, 8), rtol=0, atol=0)


def test_quantise_twice_is_quantise_once() -> None:
    every = (torch.arange(256) / 255).expand(3, 1, 256)
    assert torch.equal(quantise(every), every)


def test_jpeg_changes_a_little_and_less_at_higher_quality() -> None:
    ramp = torch.linspace(0, 1, 64).expand(3, 48, 64)
    texture = 0.1 * torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))
    image = (ramp + texture).clamp(0, 1)
    published, fine = jpeg_round_trip(image), jpeg_round_trip(image, quality=95)
    assert published.shape == image.shape
    assert published.dtype == torch.float32
    assert 0 < (fine - image).abs().mean() < (published - image).abs().mean() < 0.05
