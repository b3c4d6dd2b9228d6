"""Changing sizes the way the published system does (torch/image; algorithm.md 1.0 and 1.7)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.window import Box

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
    return _scale_rows(_scale_last_axis(image, size[1]), size[0])


def scale_strips(strips: Iterable[Tensor], size: Size) -> Tensor:
    """``scale_bilinear`` of an image (…, H, W) that comes in strips of its rows, from top to bottom; bit for bit the
    same, and the whole image never exists."""
    return _scale_rows(torch.cat([_scale_last_axis(strip, size[1]) for strip in strips], -2), size[0])


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


def _scale_rows(image: Tensor, height: int) -> Tensor:
    return _scale_last_axis(image.transpose(-1, -2), height).transpose(-1, -2).contiguous()


def _scale_last_axis(image: Tensor, length: int) -> Tensor:
    source = image.shape[-1]
    if length == source:
        return image
    indices, weights = _linear_taps(source, length) if length > source else _box_taps(source, length)
    return _tapped(image, indices, weights)


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


def resize_part(planes: Tensor, size: Size, box: Box) -> Tensor:
    """``box.of(resize(planes, size))``, but for rounding where the size changes, without the rest ever existing."""
    if tuple(planes.shape[-2:]) == tuple(size):
        return box.of(planes)
    columns = _triangle_taps(planes.shape[-1], size[1], box.left, box.right)
    rows = _triangle_taps(planes.shape[-2], size[0], box.top, box.bottom)
    return _tapped(_tapped(planes, *columns).transpose(-1, -2), *rows).transpose(-1, -2).contiguous()


def shown_in(box: Box, source: Size, size: Size) -> Box:
    """Outside which nothing of a box of (H, W) can be seen once ``resize`` has brought it to (h, w)."""
    (top, bottom), (left, right) = (
        _shown_on_axis(span, old, new)
        for span, old, new in zip(((box.top, box.bottom), (box.left, box.right)), source, size, strict=True)
    )
    return Box(top, left, bottom, right)


def _shown_on_axis(span: tuple[int, int], source: int, length: int) -> tuple[int, int]:
    reach = max(1, -(-source // length))
    return max(0, (span[0] - reach) * length // source), min(length, -(-(span[1] + reach) * length // source))


def _triangle_taps(source: int, length: int, first: int, last: int) -> tuple[Tensor, Tensor]:
    """Indices and weights (last - first, k) that ``resize`` takes for positions ``first`` to ``last`` of an axis."""
    step = source / length
    reach = max(1.0, step)
    centre = (torch.arange(first, last).double() + 0.5) * step
    indices = (centre - reach).floor().long()[:, None] + torch.arange(int(2 * reach) + 2)
    weights = (1 - ((indices + 0.5 - centre[:, None]) / reach).abs()).clamp(min=0)
    weights = weights * ((indices >= 0) & (indices < source))
    return indices.clamp(0, source - 1), weights / weights.sum(1, keepdim=True)


def _tapped(planes: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of (…, n) along its last axis: (…, m)."""
    near = slice(int(indices.min()), int(indices.max()) + 1)
    return (
        planes[..., near][..., (indices - near.start).to(planes.device)] * weights.to(planes.dtype).to(planes.device)
    ).sum(-1)
