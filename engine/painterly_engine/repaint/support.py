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
BAND = 2**21
"""Pixels around which the largest is looked for at a time."""
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
    shows = soft * largest_around(mask, far) / largest_around(soft, far).clamp(min=TINY)
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


def largest_around(mask: Tensor, far: int) -> Tensor:
    """The largest value in a disc around every pixel of (h, w), none below 0."""
    padded = F.pad(mask, (far, far, far, far))
    rows = max(1, BAND // mask.shape[1])
    bands = (padded[top : top + rows + 2 * far] for top in range(0, len(mask), rows))
    return torch.cat([_largest_inside(band, far) for band in bands])


def _largest_inside(padded: Tensor, far: int) -> Tensor:
    """Of (h + 2·far, w + 2·far), (h, w): row by row of the disc, since a square would grow corners. The largest of a
    row's stretch is that of two stretches whose length is a power of two, which all rows share."""
    height, width = (side - 2 * far for side in padded.shape)
    stretches = _powers(padded, 2 * far + 1)
    grown = padded.new_zeros(height, width)
    for dy in range(-far, far + 1):
        half = int((far**2 - dy**2) ** 0.5)
        power = (2 * half + 1).bit_length() - 1
        rows = stretches[power][far + dy : far + dy + height]
        for left in (far - half, far + half + 1 - 2**power):
            torch.maximum(grown, rows[:, left : left + width], out=grown)
    return grown


def _powers(mask: Tensor, longest: int) -> list[Tensor]:
    """The largest value of the 1, 2, 4 … pixels from each of (h, w) to the right, up to ``longest``; narrower by as
    many."""
    found = [mask]
    while 2 ** len(found) <= longest:
        reach = 2 ** (len(found) - 1)
        found.append(torch.maximum(found[-1][:, :-reach], found[-1][:, reach:]))
    return found
