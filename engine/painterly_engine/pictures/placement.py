"""Pasting an object into a painting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from painterly_engine.arrays import to_array
from painterly_engine.pictures.files import Bytes
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Result

LARGEST = 16  # times the painting's longest side; scaling an object further would only fill the memory


@dataclass(frozen=True)
class Pasted:
    """Both of the painting's size: the composite (H, W, 3) and the object's soft mask (H, W)."""

    composite: Bytes
    mask: Bytes


def paste(painting: Bytes, cutout: Bytes, at: tuple[int, int] | None, scale: float) -> Pasted:
    """Lay the cut-out object (h, w, 4) over the painting (H, W, 3).

    Args:
        at: canvas position of the object's top left corner after scaling; ``None`` centres it. Parts outside the
            canvas are cut off.
        scale: size factor of the object, > 0.

    Raises:
        PainterlyError: BAD_REQUEST for an object scaled to nothing or off the canvas.
    """
    height, width = painting.shape[:2]
    check_scale(painting, cutout, scale)
    cutout = scaled(cutout, scale)
    x, y = at if at is not None else ((width - cutout.shape[1]) // 2, (height - cutout.shape[0]) // 2)
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + cutout.shape[1], width), min(y + cutout.shape[0], height)
    if left >= right or top >= bottom:
        raise _bad(
            f"At {x},{y} the object lies outside the {width}×{height} painting.", "Give another --at or --scale."
        )
    piece = cutout[top - y : bottom - y, left - x : right - x]
    coverage = piece[..., 3:].astype(np.float32) / 255
    composite, mask = painting.copy(), np.zeros((height, width), np.uint8)
    below = composite[top:bottom, left:right]
    composite[top:bottom, left:right] = np.rint(below + coverage * (piece[..., :3] - below.astype(np.float32)))
    mask[top:bottom, left:right] = piece[..., 3]
    return Pasted(composite, mask)


def apply(result: Result, painting: Bytes) -> Bytes:
    """The painting with the result's box in it."""
    whole: Bytes = painting.copy()
    picture = to_array(result.picture)
    whole[result.y : result.y + picture.shape[0], result.x : result.x + picture.shape[1]] = picture
    return whole


def check_scale(painting: Bytes, cutout: Bytes, scale: float) -> None:
    """Before the memory is asked for.

    Raises:
        PainterlyError: BAD_REQUEST for an object far larger than the painting.
    """
    if scale * max(cutout.shape[:2]) > LARGEST * max(painting.shape[:2]):
        raise _bad(f"Scaled by {scale:g} the object is far larger than the painting.", "Give a smaller --scale.")


def scaled(cutout: Bytes, scale: float) -> Bytes:
    """The cut-out object (h, w, 4), larger or smaller.

    Raises:
        PainterlyError: BAD_REQUEST where nothing is left of it.
    """
    if scale == 1:
        return cutout
    size = (round(cutout.shape[1] * scale), round(cutout.shape[0] * scale))
    if min(size) < 1:
        raise _bad(f"Scaled by {scale:g} nothing is left of the object.", "Give a larger --scale.")
    # Premultiplied, so that the colours hidden under transparent pixels do not bleed into the edge.
    return np.asarray(Image.fromarray(cutout).convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA"))


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
