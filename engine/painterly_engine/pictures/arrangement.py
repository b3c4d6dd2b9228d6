"""Several objects in a painting: turned, softened, one over the other; and the masks that go with them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from painterly_engine.pictures.files import Bytes
from painterly_engine.pictures.placement import Pasted, check_scale, paste, scaled
from painterly_protocol.errors import ErrorCode, PainterlyError

MOST = 500  # px, of feather and growth: more is a slip of the keyboard
LOOSE_SIDE, LOOSE_KERNEL, LOOSE_SIGMA, LOOSE_THRESHOLD = 700, 35, 35 / 3, 0.1
"""The published loose mask and the working size that its pixels are of."""


@dataclass(frozen=True)
class Placement:
    """Where an object goes and what is done to it before, in this order: flipped, scaled, rotated, softened.

    Attributes:
        at: canvas position (x, y) of its top left corner before it is rotated; None is the middle of the painting.
        scale: size factor, above 0.
        rotate: degrees, counterclockwise, about its middle.
        flip: left to right.
        feather: pixels over which its edge fades, inwards, where it has colours.
        grow: pixels by which the mask reaches beyond the object; less than 0 cuts so much off the object's edge.

    Raises:
        PainterlyError: BAD_REQUEST.
    """

    at: tuple[int, int] | None = None
    scale: float = 1.0
    rotate: float = 0.0
    flip: bool = False
    feather: float = 0.0
    grow: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.scale < math.inf):
            raise _bad(f"A scale of {self.scale} cannot be used.", "Give a number above 0, for example 0.5.")
        if not math.isfinite(self.rotate):
            raise _bad(f"A rotation by {self.rotate} cannot be used.", "Give degrees, for example 30.")
        if not 0 <= self.feather <= MOST:
            raise _bad(f"A feather of {self.feather} px cannot be used.", f"Give 0 to {MOST}.")
        if abs(self.grow) > MOST:
            raise _bad(f"A growth of {self.grow} px cannot be used.", f"Give {-MOST} to {MOST}.")


def arrange(painting: Bytes, objects: Iterable[tuple[Bytes, Placement]]) -> Pasted:
    """Lay cut-out objects (h, w, 4) over the painting (H, W, 3), the first one lowest.

    Returns:
        The composite, and the mask of all objects together.

    Raises:
        PainterlyError: BAD_REQUEST for an object of which nothing is left, or nothing on the canvas.
    """
    composite, free = painting, np.ones(painting.shape[:2], np.float32)
    for cutout, placement in objects:
        check_scale(painting, cutout, placement.scale)
        turned = _turned(cutout, placement)
        middle = scaled_size(cutout, placement.scale)
        at = placement.at
        if at is not None:
            at = at[0] + (middle[1] - turned.shape[1]) // 2, at[1] + (middle[0] - turned.shape[0]) // 2
        pasted = paste(composite, _softened(turned, placement), at, 1.0)
        composite = pasted.composite
        free *= 1 - grown(pasted.mask, max(0, placement.grow)).astype(np.float32) / 255
    return Pasted(composite, np.rint(255 * (1 - free)).astype(np.uint8))


def scaled_size(cutout: Bytes, scale: float) -> tuple[int, int]:
    """(h, w) of the scaled object."""
    return round(cutout.shape[0] * scale), round(cutout.shape[1] * scale)


def grown(mask: Bytes, by: int) -> Bytes:
    """(H, W): at each pixel the largest value of a disc around it; the smallest for ``by`` below 0."""
    if by == 0 or not mask.any():
        return mask
    if by < 0:
        shrunk: Bytes = 255 - grown(255 - np.pad(mask, -by), -by)[-by:by, -by:by]
        return shrunk
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    top, left = max(0, rows[0] - by), max(0, columns[0] - by)
    box = np.s_[top : rows[-1] + by + 1, left : columns[-1] + by + 1]
    found: Bytes = mask.copy()
    found[box] = _largest_around(mask[box], by)
    return found


def loose_mask(mask: Bytes) -> Bytes:
    """(H, W), 0 or 255: where pixels may change, as the published method widens a mask (H, W) at 700 px."""
    height, width = mask.shape
    share = LOOSE_SIDE / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    small = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.BOX), np.float32) / 255
    steps = np.arange(LOOSE_KERNEL) - LOOSE_KERNEL // 2
    kernel = np.exp(-(steps**2) / (2 * LOOSE_SIGMA**2))
    for axis in (0, 1):
        small = np.apply_along_axis(np.convolve, axis, small, kernel / kernel.sum(), "full")
        small = np.take(small, range(LOOSE_KERNEL // 2, small.shape[axis] - LOOSE_KERNEL // 2), axis)
    wide = Image.fromarray(np.where(small > LOOSE_THRESHOLD, 255, 0).astype(np.uint8))
    smooth = np.asarray(wide.resize((width, height), Image.Resampling.BILINEAR))
    whole: Bytes = np.where((smooth > 127) | (mask > 0), 255, 0).astype(np.uint8)
    return whole


def _turned(cutout: Bytes, placement: Placement) -> Bytes:
    """Flipped, scaled and rotated; a rotated one's box is as large as it needs to be."""
    turned = scaled(cutout[:, ::-1] if placement.flip else cutout, placement.scale)
    if placement.rotate % 360 == 0:
        return turned
    image = Image.fromarray(np.ascontiguousarray(turned))  # which Pillow turns premultiplied
    return np.asarray(image.rotate(placement.rotate, Image.Resampling.BICUBIC, expand=True))


def _softened(cutout: Bytes, placement: Placement) -> Bytes:
    alpha = grown(cutout[..., 3], min(0, placement.grow))
    if placement.feather > 0:
        # Pulled in by as much as it then spreads: beyond the edge there is no colour that could fade.
        reach = math.ceil(placement.feather / 2)
        inner = Image.fromarray(np.pad(grown(alpha, -reach), reach))
        soft = np.asarray(inner.filter(ImageFilter.GaussianBlur(placement.feather / 4)))
        alpha = np.minimum(alpha, soft[reach:-reach, reach:-reach])
    if not alpha.any():
        raise _bad("Nothing is left of the object.", "Give a smaller --feather, or a --grow nearer to 0.")
    return np.dstack([cutout[..., :3], alpha])


def _largest_around(mask: Bytes, reach: int) -> Bytes:
    """Row by row of the disc: a square would grow corners."""
    found: Bytes = mask.copy()
    for dy in range(-reach, reach + 1):
        row = _largest_in_row(mask, int((reach**2 - dy**2) ** 0.5))
        into, out_of = (slice(max(0, step), len(mask) + min(0, step)) for step in (dy, -dy))
        found[into] = np.maximum(found[into], row[out_of])
    return found


def _largest_in_row(mask: Bytes, half: int) -> Bytes:
    """The largest of 2·half + 1 neighbours, by windows that double."""
    padded = np.pad(mask, ((0, 0), (half, half)))
    window, width = 1, 2 * half + 1
    while window < width:
        step = min(window, width - window)
        padded = np.maximum(padded[:, : padded.shape[1] - step], padded[:, step:])
        window += step
    found: Bytes = padded
    return found


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
