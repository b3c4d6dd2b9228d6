"""What is imitated instead of all of the painting: a part of it, or another picture, or a part of that."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from painterly_engine.arrays import Array, to_array, white
from painterly_engine.resample import resize
from painterly_engine.tensors import to_tensor
from painterly_engine.window import Box, Size, box_of
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import HarmonizeRequest

LENT = 0.5
"""Style masks above this say yes; of places that are partly yes, those with at least so much or half of the most."""
TINY = 1e-6


@dataclass(frozen=True)
class Style:
    """
    Attributes:
        picture: (H, W, 3) in its own sample type.
        lends: (H, W) bool, somewhere true, where it may be imitated; None: everywhere.
        is_painting: whether it is the painting itself.
    """

    picture: Array
    lends: Array | None
    is_painting: bool

    @property
    def size(self) -> Size:
        return (self.picture.shape[0], self.picture.shape[1])

    def part(self, area: float) -> Box:
        """All that may be imitated; of more than about so many pixels, as many around the middle of it."""
        whole = self._whole()
        shrink = min(1.0, (area / whole.area) ** 0.5)
        return self.within((int(whole.size[0] * shrink), int(whole.size[1] * shrink)))

    def within(self, most: Size) -> Box:
        """All that may be imitated; where that is more than so high and wide, what is around the middle of it."""
        whole = self._whole()
        spans = zip(self._middle(whole), (whole.top, whole.left), (whole.bottom, whole.right), most, strict=True)
        (top, bottom), (left, right) = (_cut(middle, first, end, most) for middle, first, end, most in spans)
        return Box(top, left, bottom, right)

    def _whole(self) -> Box:
        whole = Box.whole(self.size) if self.lends is None else box_of(torch.from_numpy(self.lends))
        assert whole is not None, "a style lends something"
        return whole

    def _middle(self, whole: Box) -> tuple[int, int]:
        """A pixel that lends, near the centre of all that do."""
        if self.lends is None:
            return (whole.top + whole.bottom) // 2, (whole.left + whole.right) // 2
        rows, columns = self.lends.nonzero()
        nearest = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
        return int(rows[nearest]), int(columns[nearest])


def lent(lends: Tensor, size: Size) -> Tensor:
    """(h, w) bool: the places of (H, W) in [0, 1], brought to a size, of which enough may be imitated; never none where
    there is anything at all."""
    shares = resize(lends, size)
    return shares >= max(min(LENT, float(shares.max()) / 2), TINY)


def only_lent(features: Tensor, lends: Tensor | None) -> Tensor:
    """(C, h, w) features that are never negative, 0 where they may not be imitated: nothing is like them there."""
    return features if lends is None else features * lent(lends, (features.shape[1], features.shape[2]))


def laid_out(style: Style, size: Size, scale: float, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """A style as the two passes want it, who know but one size of picture: the painting's, strokes to the same scale.

    A larger one is cut to its middle, a smaller one goes on by reflection.

    Args:
        size: (H, W).
        scale: by which the painting has become so large.

    Returns:
        (3, H, W) RGB in about [0, 1], and (H, W) in [0, 1], how much of each place lends itself; None: all of it.
    """
    box = style.within((math.ceil(size[0] / scale), math.ceil(size[1] / scale)))
    own = (max(1, round(box.size[0] * scale)), max(1, round(box.size[1] * scale)))
    picture = to_tensor(_of(style.picture, box), "style picture", device)
    lends = None
    if style.lends is not None:
        lends = _mirrored(resize(torch.from_numpy(_of(style.lends, box)).float().to(device), own), size)
    return _mirrored(resize(picture, own), size), lends


def _of(array: Array, box: Box) -> Array:
    return np.ascontiguousarray(array[box.top : box.bottom, box.left : box.right])


def _mirrored(planes: Tensor, size: Size) -> Tensor:
    """(…, h, w) to (…, H, W), going on by reflection."""
    for axis, length in ((-2, size[0]), (-1, size[1])):
        own = planes.shape[axis]
        there = torch.arange(length, device=planes.device) % (2 * own)
        planes = planes.index_select(axis, torch.where(there < own, there, 2 * own - 1 - there))
    return planes


def _cut(middle: int, first: int, end: int, most: int) -> tuple[int, int]:
    """The span from ``first`` to ``end``, or ``most`` of it around ``middle``, as far as it goes."""
    length = min(end - first, max(1, most))
    start = min(max(first, middle - length // 2), end - length)
    return start, start + length


def style_of(request: HarmonizeRequest) -> Style | None:
    """What the request asks to imitate; None where that is all of the painting.

    Raises:
        PainterlyError: EMPTY_MASK where its style mask is 0 everywhere.
    """
    if request.style is None and request.style_mask is None:
        return None
    picture = to_array(request.painting if request.style is None else request.style)
    lends: Array | None = None
    if request.style_mask is not None:
        mask = to_array(request.style_mask)[..., 0]
        lends = mask > LENT * white(mask)
        if not lends.any():
            raise PainterlyError(
                ErrorCode.EMPTY_MASK,
                "The style mask is empty: there is nothing to imitate.",
                "Make it white where the style may be taken from, or leave it out.",
            )
    return Style(picture, lends, is_painting=request.style is None)
