"""Changing sizes the way the published system does (torch/image; algorithm.md 1.0 and 1.7)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]


def fit_longest(height: int, width: int, longest: int) -> Size:
    """(h, w) with the longest side equal to ``longest``, the other in proportion, truncated, at least 1."""
    side = max(height, width)
    return max(1, height * longest // side), max(1, width * longest // side)


def scale_bilinear(image: Tensor, size: Size) -> Tensor:
    """torch/image's 'bilinear' scale: per axis align-corners linear to grow, exact box average to shrink, else a copy.

    Args:
        image: (..., H, W), floating point.
        size: (h, w) to scale to.

    Returns:
        (..., h, w).
    """
    rows_last = _scale_last_axis(image, size[1]).transpose(-1, -2)
    return _scale_last_axis(rows_last, size[0]).transpose(-1, -2).contiguous()


def scale_nearest(x: Tensor, size: Size) -> Tensor:
    """torch/image's 'simple' scale: output i reads input floor(i·src/dst), its top-left rather than its centre.

    Args:
        x: (..., H, W), any type.
        size: (h, w) to scale to.

    Returns:
        (..., h, w) of the same type.
    """
    rows, columns = (
        torch.arange(new, device=x.device) * old // new for new, old in zip(size, x.shape[-2:], strict=True)
    )
    return x[..., rows[:, None], columns]


def _scale_last_axis(image: Tensor, length: int) -> Tensor:
    source = image.shape[-1]
    if length == source:
        return image
    indices, weights = _linear_taps(source, length) if length > source else _box_taps(source, length)
    taps = image[..., indices.to(image.device)]
    return (taps * weights.to(image)).sum(-1)


def _linear_taps(source: int, length: int) -> tuple[Tensor, Tensor]:
    """Indices and weights, both (length, 2), of align-corners interpolation: the end samples map onto each other."""
    steps = torch.arange(length) * (source - 1)
    left = steps // (length - 1)
    fraction = (steps % (length - 1)).double() / (length - 1)
    return torch.stack([left, (left + 1).clamp(max=source - 1)], 1), torch.stack([1 - fraction, fraction], 1)


def _box_taps(source: int, length: int) -> tuple[Tensor, Tensor]:
    """Indices and weights, both (length, k), of the average over [i·s, (i+1)·s), s = source/length.

    Counted in units of 1/length of a source sample, where every border is a whole number.
    """
    start = torch.arange(length)[:, None] * source
    count = -(-source // length) + 1
    indices = start // length + torch.arange(count)
    overlap = torch.minimum((indices + 1) * length, start + source) - torch.maximum(indices * length, start)
    return indices.clamp(max=source - 1), overlap.clamp(min=0).double() / source


def resize(planes: Tensor, size: Size) -> Tensor:
    """(…, H, W) → (…, h, w), linear with pixel centres kept in place, averaging where it shrinks; a copy of none where
    the size stays. Not the published system's way; differentiable."""
    if tuple(planes.shape[-2:]) == tuple(size):
        return planes
    four = planes.reshape(1, -1, *planes.shape[-2:])
    resized = F.interpolate(four, size, mode="bilinear", align_corners=False, antialias=True)
    return resized.reshape(*planes.shape[:-2], *size)
