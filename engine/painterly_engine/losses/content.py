"""Content as features kept (Gatys et al. 2016; algorithm.md 1.1, 1.3)."""

from __future__ import annotations

from torch import Tensor

from painterly_engine.losses.evaluation import Evaluation


class ContentLoss:
    """Mean squared difference of the masked features from the target's, over all C·h·w of them.

    Args:
        target: (C, h, w), of the naive composite.
        mask: (h, w) in [0, 1], or a scalar 1.
    """

    def __init__(self, target: Tensor, mask: Tensor) -> None:
        self.target, self.mask = target * mask, mask

    def __call__(self, features: Tensor) -> Evaluation:
        """The gradient is the one with respect to the masked features F∘m."""
        difference = features * self.mask - self.target
        return Evaluation(difference.square().mean(), difference * (2 / difference.numel()))
