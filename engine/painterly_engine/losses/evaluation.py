"""What every loss returns, and how a loss takes part in a pass: times a weight, or at unit length."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Evaluation(NamedTuple):
    """value: 0-dimensional; gradient: of the features' shape (or one that broadcasts to it)."""

    value: Tensor
    gradient: Tensor


Loss = Callable[[Tensor], Evaluation]
"""Features (C, h, w) after a relu -> Evaluation."""


def weighted(loss: Loss, weight: float) -> Loss:
    """Pass 1: value and gradient times the weight."""

    def evaluate(features: Tensor) -> Evaluation:
        value, gradient = loss(features)
        return Evaluation(weight * value, weight * gradient)

    return evaluate


def unit_gradient(loss: Loss, weight: float, mask: Tensor) -> Loss:
    """Pass 2: w·n(mask∘gradient), a gradient as long as its weight (algorithm.md 1.3).

    The mask is the one the features passed on their way into the loss; 1 where they passed none.
    """

    def evaluate(features: Tensor) -> Evaluation:
        value, gradient = loss(features)
        return Evaluation(weight * value, weight * normalised(mask * gradient))

    return evaluate


def silent(features: Tensor) -> Evaluation:
    """A loss whose weight is nothing: it adds no gradient, but its layer still masks what passes."""
    zero = features.new_zeros(())
    return Evaluation(zero, zero)


def normalised(x: Tensor) -> Tensor:
    """n(X) = X / (‖X‖₂ + 1e-8), one norm over the whole tensor."""
    length: Tensor = torch.linalg.vector_norm(x)
    return x / (length + 1e-8)
