"""Style as feature correlations (Gatys et al. 2016), each side inside its own mask (algorithm.md 1.1, 1.3)."""

from __future__ import annotations

from torch import Tensor

from painterly_engine.losses.evaluation import Evaluation


def gram_matrix(features: Tensor, mask: Tensor) -> Tensor:
    """(F∘m)(F∘m)ᵀ / (C·Σm), shape (C, C), of features (C, h, w) and a mask (h, w) that is not 0 everywhere."""
    masked = (features * mask).flatten(1)
    return masked @ masked.T / (len(features) * mask.sum())


class GramLoss:
    """Mean squared difference of the masked Gram matrix from its target.

    Args:
        target: (C, C), usually of the painting and inside another mask: each side divides by its own mask's sum.
        mask: (h, w) in [0, 1], not 0 everywhere.
    """

    def __init__(self, target: Tensor, mask: Tensor) -> None:
        self.target, self.mask = target, mask
        self.count = len(target) * mask.sum()

    def __call__(self, features: Tensor) -> Evaluation:
        """The gradient is the one with respect to the masked features F∘m."""
        masked = (features * self.mask).flatten(1)
        difference = masked @ masked.T / self.count - self.target
        slope = difference * (2 / (difference.numel() * self.count))
        gradient = (slope + slope.T) @ masked
        return Evaluation(difference.square().mean(), gradient.view_as(features))
