"""How much each loss of pass 2 weighs, from how smooth the painting is (algorithm.md 1.3, "Weights")."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from painterly_engine.losses.variation import corner_variation

NEGLIGIBLE = 1e-3  # of the largest weight


@dataclass(frozen=True)
class Balance:
    """Weights of pass 2; each is the length of its loss's gradient at its own layer."""

    content: float
    style: float
    histogram: float
    variation: float

    def matters(self, weight: float) -> bool:
        """Whether a weight is worth its computing time beside the largest."""
        return weight >= NEGLIGIBLE * max(self.content, self.style, self.histogram, self.variation)

    def with_content(self, times: float) -> Balance:
        """Content so many times as heavy (``Layout.content_pull``)."""
        return replace(self, content=self.content * times)


def published_balance(painting: Tensor, stylization: float) -> Balance:
    """w_c = 1, w_s = τ, w_h = (10 - w⁰)·τ, w_tv = w⁰·τ, where w⁰ falls from 10 to 0 as the painting gets rougher.

    Args:
        painting: (3, H, W) RGB in [0, 1] at the size of pass 2, at least 2×2.
        stylization: τ.
    """
    roughness = corner_variation(painting).median().cpu().double()  # torch's median is the lower one, as published
    smoothness = float(10 * torch.sigmoid(25 - 1e4 * roughness))
    return Balance(
        content=1.0,
        style=stylization,
        histogram=(10 - smoothness) * stylization,
        variation=smoothness * stylization,
    )
