"""Gram matrices of masked features, and the gradient towards one."""

from __future__ import annotations

import torch
from torch import Tensor

from painterly_engine.losses.gram import GramLoss, gram_matrix


def slow_gram(features: Tensor, mask: Tensor) -> Tensor:
    channels, height, width = features.shape
    gram = torch.zeros(channels, channels, dtype=features.dtype)
    for a in range(channels):
        for b in range(channels):
            for y in range(height):
                for x in range(width):
                    gram[a, b] += features[a, y, x] * features[b, y, x] * mask[y, x] ** 2
    return gram / (channels * mask.sum())


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gram_against_the_formula() -> None:
    features, mask = random(3, 4, 5), random(4, 5, seed=1)
    torch.testing.assert_close(gram_matrix(features, mask), slow_gram(features, mask))


def test_gram_by_hand() -> None:
    """One position of weight 1/2: products are weighed by its square, divided by 2 channels times the sum 1/2."""
    features = torch.tensor([[[2.0, 9.0]], [[3.0, 9.0]]])
    found = gram_matrix(features, torch.tensor([[0.5, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([[4.0, 6.0], [6.0, 9.0]]) * 0.25 / (2 * 0.5))


def test_the_gradient_is_the_derivative_by_the_masked_features() -> None:
    features, mask, target = random(3, 4, 5), random(4, 5, seed=1), random(3, 3, seed=2)
    target = target + target.T
    value, gradient = GramLoss(target, mask)(features)
    masked = (features * mask).requires_grad_()
    flat = masked.flatten(1)
    expected = ((flat @ flat.T / (3 * mask.sum()) - target) ** 2).mean()
    (slope,) = torch.autograd.grad(expected, masked)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradient, slope)


def test_each_side_divides_by_its_own_mask() -> None:
    """The same constant feature under masks of different size has the same Gram matrix: the loss is 0."""
    features, small, large = torch.full((2, 3, 3), 1.5), torch.zeros(3, 3), torch.ones(3, 3)
    small[1, 1] = 1
    value, gradient = GramLoss(gram_matrix(features, small), large)(features)
    assert float(value) == 0
    assert not gradient.any()
