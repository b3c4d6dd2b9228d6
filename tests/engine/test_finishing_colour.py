"""Lab conversion against published values and the formulas written out for one colour."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from painterly_engine.finishing.colour import lab_to_rgb, rgb_to_lab


def slow_lab(rgb: tuple[float, float, float]) -> list[float]:
    light = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in rgb]
    x = (0.4124564 * light[0] + 0.3575761 * light[1] + 0.1804375 * light[2]) / 0.9504
    y = 0.2126729 * light[0] + 0.7151522 * light[1] + 0.0721750 * light[2]
    z = (0.0193339 * light[0] + 0.1191920 * light[1] + 0.9503041 * light[2]) / 1.0888

    def f(t: float) -> float:
        return t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116

    return [116 * f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))]


def pixel(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(3, 1, 1)


# Known D65 values of the sRGB primaries (as tabulated by Lindbloom and others).
@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 1.0, 1.0), (100.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 1.0, 0.0), (87.73, -86.18, 83.18)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
    ],
)
def test_known_colours(rgb: tuple[float, float, float], lab: tuple[float, float, float]) -> None:
    assert rgb_to_lab(pixel(*rgb)).flatten().tolist() == pytest.approx(lab, abs=0.03)


channel = st.floats(0, 1, width=32)


@given(st.tuples(channel, channel, channel))
def test_every_colour_is_the_formulas_and_returns(rgb: tuple[float, float, float]) -> None:
    lab = rgb_to_lab(pixel(*rgb))
    assert lab.flatten().tolist() == pytest.approx(slow_lab(rgb), abs=2e-3)
    assert lab_to_rgb(lab).flatten().tolist() == pytest.approx(rgb, abs=1e-4)


def test_colours_beyond_srgb_are_clipped() -> None:
    rgb = lab_to_rgb(torch.tensor([50.0, 120.0, -120.0]).view(3, 1, 1)).flatten()
    assert rgb.min() == 0
    assert rgb.max() == pytest.approx(1, abs=1e-6)


def test_pixels_do_not_mix() -> None:
    image = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    lab = rgb_to_lab(image)
    assert torch.allclose(lab[:, 2, 3], rgb_to_lab(image[:, 2:3, 3:4]).flatten(), atol=1e-5)
