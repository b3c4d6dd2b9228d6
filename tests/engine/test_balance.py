"""The weights of pass 2 (algorithm.md 1.3)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from painterly_engine.balance import Balance, published_balance


def painting_with_roughness(value: float) -> Tensor:
    """Columns that alternate so that every corner's (dx² + dy²)/2 is ``value``."""
    step = math.sqrt(2 * value)
    return (torch.arange(8) % 2 * step).expand(3, 6, 8)


@pytest.mark.parametrize("roughness", [0.0, 0.0020, 0.0025, 0.0031, 0.4])
def test_weights_by_the_formula(roughness: float) -> None:
    found = published_balance(painting_with_roughness(roughness), 5.0)
    smoothness = 10 / (1 + math.exp(min(1e4 * roughness - 25, 700)))
    assert found.content == 1
    assert found.style == 5
    assert found.variation == pytest.approx(smoothness * 5, rel=1e-3, abs=1e-9)
    assert found.histogram == pytest.approx((10 - smoothness) * 5, rel=1e-3, abs=1e-9)


def test_half_of_each_at_the_half_point() -> None:
    found = published_balance(painting_with_roughness(0.0025), 1.0)
    assert found.variation == pytest.approx(5, rel=1e-3)
    assert found.histogram == pytest.approx(5, rel=1e-3)


def test_the_median_of_an_even_count_is_the_lower() -> None:
    """Two corners in each channel, one flat and one rough: the lower median is 0."""
    painting = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]] * 3)
    assert published_balance(painting, 1.0).variation == pytest.approx(10, rel=1e-6)


def test_what_is_a_thousandth_of_the_largest_may_be_skipped() -> None:
    balance = Balance(content=1.0, style=5.0, histogram=0.04, variation=50.0)
    assert balance.matters(balance.content)
    assert not balance.matters(balance.histogram)
    assert not balance.matters(0.0)


def test_content_alone_is_pulled_harder() -> None:
    balance = Balance(content=1.0, style=5.0, histogram=0.04, variation=50.0)
    assert balance.with_content(1.0) == balance
    assert balance.with_content(2.5) == Balance(content=2.5, style=5.0, histogram=0.04, variation=50.0)


@pytest.mark.parametrize(("pair", "expected"), [("0", 0.0), ("10", 9.76), ("14", 10.0)])
def test_the_published_paintings(shared: object, pair: str, expected: float) -> None:
    """w⁰ of algorithm.md 1.3 for paintings it names."""
    import numpy as np
    from PIL import Image

    from painterly_engine.files import quantise

    path = shared / "pairs" / pair / "painting.jpg"  # type: ignore[operator]
    painting = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1) / 255
    assert published_balance(quantise(painting), 1.0).variation == pytest.approx(expected, abs=0.1)
