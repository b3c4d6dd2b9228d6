"""Content as features kept (Gatys et al. 2016; algorithm.md 1.1, 1.3)."""

from __future__ import annotations

from torch import Tensor

from painterly_engine.losses.evaluation import Evaluation


class ContentLoss:
    """Mean squared difference of the masked features from the target's, over all C·h·w of them.

    Args:
        target: (C, h, w), of the naive composite.
        mask: (h, w) in [0, 1], or a scalar 1.
        count: C·h·w of the whole picture, where the target is a part of it outside of which nothing differs.
    """

    def __init__(self, target: Tensor, mask: Tensor, count: int | None = None) -> None:
        self.target, self.mask = target * mask, mask
        self.count = count or target.numel()

    def __call__(self, features: Tensor) -> Evaluation:
        """The gradient is the one with respect to the masked features F∘m."""
        difference = features * self.mask - self.target
        return Evaluation(difference.square().sum() / self.count, difference * (2 / self.count))
