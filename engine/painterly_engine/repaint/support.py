"""Where the object is repainted, and how much of that shows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

GROW, SOFTEN = 3.0, 1.5
"""Pixels by which the mask is grown, and the deviation by which it is softened then, at ``USUAL`` pixels."""
USUAL = 640
"""Surroundings of this many pixels and less are grown and softened by so much; larger ones in proportion."""
NOTHING = 1 / 512
"""Less than this shows in no picture of 8 bits: it is nothing, so that the painting stays as it is there."""


def support(mask: Tensor, longest: int) -> Tensor:
    """How much of the repainted picture shows: the mask, grown a little and softened.

    Growing takes the largest value around, so a feather keeps its slope and a plateau its value: half a selection
    shows half of the object. The strokes along the outline need the little room to join the painting's own; and no
    part of an object is too thin to have some.

    Args:
        mask: (h, w) in [0, 1].
        longest: side of the object's surroundings, in the same pixels.

    Returns:
        (h, w) in [0, 1], nowhere below the mask by more than the softening takes.
    """
    factor = max(1.0, longest / USUAL)
    grown = _largest_around(mask, round(GROW * factor))
    soft = gaussian(grown, SOFTEN * factor)
    return torch.where(soft > NOTHING, soft, torch.zeros_like(soft))


def gaussian(plane: Tensor, sigma: float) -> Tensor:
    """(h, w) blurred, the border's values going on beyond it."""
    reach = max(1, round(3 * sigma))
    steps = torch.arange(-reach, reach + 1, device=plane.device, dtype=plane.dtype)
    kernel = torch.exp(-steps.square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    rows = F.conv2d(_padded(plane[None, None], (0, 0, reach, reach)), kernel.view(1, 1, -1, 1))
    return F.conv2d(_padded(rows, (reach, reach, 0, 0)), kernel.view(1, 1, 1, -1))[0, 0]


def _padded(planes: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    return F.pad(planes, padding, mode="replicate")


def _largest_around(mask: Tensor, reach: int) -> Tensor:
    """The largest value in a disc around every pixel: rows of it, one by one, since a square would grow corners."""
    if reach == 0:
        return mask
    grown = mask.clone()
    for dy in range(-reach, reach + 1):
        half = int((reach**2 - dy**2) ** 0.5)
        row = F.max_pool2d(mask[None, None], (1, 2 * half + 1), 1, (0, half))[0, 0]
        into, out_of = (slice(max(0, step), len(mask) + min(0, step)) for step in (dy, -dy))
        grown[into] = torch.maximum(grown[into], row[out_of])
    return grown
