"""Where the object is repainted, and how much of that shows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SOFTEN = 2.0
"""Deviation, in pixels, by which the mask is softened."""
USUAL = 640
"""Surroundings of this many pixels and less are softened by so much; larger ones in proportion."""
TINY = 1e-6
NOTHING = 1 / 512
"""Less than this shows in no picture of 8 bits: it is nothing, so that the painting stays as it is there."""


def support(mask: Tensor, longest: int) -> Tensor:
    """How much of the repainted picture shows: the mask, its outline softened as a brush would lose the edge.

    What softening takes from thin parts is given back in proportion to the largest value around: nothing is too thin
    to be seen, a feather keeps its slope, and half a selection shows half of the object.

    Args:
        mask: (h, w) in [0, 1].
        longest: side of the object's surroundings, in the same pixels.

    Returns:
        (h, w) in [0, 1]; 0 further than three times the softening from the mask.
    """
    sigma = SOFTEN * max(1.0, longest / USUAL)
    far = reach(sigma)
    soft = gaussian(mask, sigma)
    shows = soft * _largest_around(mask, far) / _largest_around(soft, far).clamp(min=TINY)
    return torch.where(shows > NOTHING, shows, torch.zeros_like(shows))


def gaussian(plane: Tensor, sigma: float) -> Tensor:
    """(h, w) blurred, the border's values going on beyond it."""
    far = reach(sigma)
    steps = torch.arange(-far, far + 1, device=plane.device, dtype=plane.dtype)
    kernel = torch.exp(-steps.square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    rows = F.conv2d(_padded(plane[None, None], (0, 0, far, far)), kernel.view(1, 1, -1, 1))
    return F.conv2d(_padded(rows, (far, far, 0, 0)), kernel.view(1, 1, 1, -1))[0, 0]


def reach(sigma: float) -> int:
    """Pixels by which ``gaussian`` blurs."""
    return max(1, round(3 * sigma))


def _padded(planes: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    return F.pad(planes, padding, mode="replicate")


def _largest_around(mask: Tensor, far: int) -> Tensor:
    """The largest value in a disc around every pixel: rows of it, one by one, since a square would grow corners."""
    if far == 0:
        return mask
    grown = mask.clone()
    for away in range(far + 1):
        half = int((far**2 - away**2) ** 0.5)
        row = F.max_pool2d(mask[None, None], (1, 2 * half + 1), 1, (0, half))[0, 0]
        for dy in {away, -away}:
            into, out_of = (slice(max(0, step), len(mask) + min(0, step)) for step in (dy, -dy))
            grown[into] = torch.maximum(grown[into], row[out_of])
    return grown
