"""How a loss takes part in a pass."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from painterly_engine.losses.evaluation import Evaluation, normalised, silent, unit_gradient, weighted


def loss(features: Tensor) -> Evaluation:
    return Evaluation(features.sum(), features * 2)


def test_weighted_scales_both() -> None:
    value, gradient = weighted(loss, 5.0)(torch.tensor([[[1.0, 3.0]]]))
    assert float(value) == 20
    assert gradient.tolist() == [[[10.0, 30.0]]]


def test_a_unit_gradient_is_as_long_as_its_weight_after_the_mask() -> None:
    features = torch.tensor([[[3.0, 77.0], [4.0, 77.0]]])
    gradient = unit_gradient(loss, 10.0, torch.tensor([[1.0, 0.0], [1.0, 0.0]]))(features).gradient
    torch.testing.assert_close(gradient, torch.tensor([[[6.0, 0.0], [8.0, 0.0]]]))


def test_normalising_nothing_gives_nothing() -> None:
    assert not normalised(torch.zeros(2, 3)).any()
    assert float(torch.linalg.vector_norm(normalised(torch.full((2, 3), 1e-8)))) == pytest.approx(6**0.5 / (6**0.5 + 1))


def test_silence_adds_nothing() -> None:
    features = torch.rand(2, 3, 3)
    value, gradient = silent(features)
    assert float(value) == 0
    assert torch.equal(features + gradient, features)
