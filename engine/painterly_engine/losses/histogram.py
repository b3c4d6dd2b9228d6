"""Style as the distribution of every channel (Wilmot et al. 2017, as algorithm.md 1.3 computes it)."""

from __future__ import annotations

import torch
from torch import Tensor

from painterly_engine.losses.evaluation import Evaluation

BINS = 256


class HistogramLoss:
    """Pulls every feature inside a mask towards the value of equal rank in the painting's histogram.

    The remapped value depends on channel and rank alone, so it is tabulated once.

    Args:
        style: (C, h, w) features of the painting.
        ring: (h, w) bool, the painting's positions to imitate, not empty.
        inside: (h, w) bool, the positions to pull, not empty.
        count: h·w of the whole picture, where these are a part of it.
    """

    def __init__(self, style: Tensor, ring: Tensor, inside: Tensor, count: int | None = None) -> None:
        self.count = count or inside.numel()
        self.inside = inside.flatten().nonzero()[:, 0]
        # A channel at a time: in float64 and with their ranks all at once would be many times what is kept.
        channels = [
            values_by_rank(samples[ring][None], len(self.inside)).to(style.dtype).to(style.device) for samples in style
        ]
        self.by_rank = torch.cat(channels)

    def __call__(self, features: Tensor) -> Evaluation:
        """The gradient is F - R: the published one lacks the factor 2."""
        flat = features.flatten(1)
        values = flat[:, self.inside]
        order = values.argsort(dim=1, stable=True)  # equal values, the relu's zeros, keep their raster order
        remapped = torch.empty_like(values).scatter_(1, order, self.by_rank)
        gradient = torch.zeros_like(flat)
        gradient[:, self.inside] = values - remapped
        return Evaluation(gradient.square().sum() / (len(flat) * self.count), gradient.view_as(features))


def values_by_rank(samples: Tensor, count: int) -> Tensor:
    """The values that ``count`` numbers would have, in ascending order, if they were spread like the samples.

    Args:
        samples: (C, n), n ≥ 1.
        count: how many ranks.

    Returns:
        (C, count) float64 on the CPU, where every platform has float64.
    """
    samples = samples.detach().cpu().double()
    low, high = samples.amin(1, keepdim=True), samples.amax(1, keepdim=True)
    histogram = _histograms(samples, low, high) * count / samples.shape[1]
    cumulative = histogram.cumsum(1)
    edges = cumulative.clone()
    edges[:, -1] += 0.5
    ranks = torch.arange(count, dtype=torch.float64).repeat(len(samples), 1)
    bins = torch.searchsorted(edges, ranks, right=True).clamp(max=BINS - 1)
    filled = histogram.gather(1, bins)
    within = ((ranks - (cumulative.gather(1, bins) - filled)) / (filled + 1e-8)).clamp(0, 1)
    return low + (bins + within) * (high - low) / BINS


def _histograms(samples: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Counts per channel, (C, 256) float64; a channel of one value only is counted over one unit either side of it."""
    constant = low == high
    low, high = torch.where(constant, low - 1, low), torch.where(constant, high + 1, high)
    bins = ((samples - low) / (high - low) * BINS).long().clamp(0, BINS - 1)  # NaN too is counted somewhere
    counts = torch.zeros(len(samples), BINS, dtype=torch.float64)
    return counts.scatter_add_(1, bins, torch.ones_like(samples))
