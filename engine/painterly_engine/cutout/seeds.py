"""What the user says of where the object is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from painterly_engine.arrays import Array
from painterly_protocol.errors import ErrorCode, PainterlyError

OBJECT, BACKGROUND, UNKNOWN = 1, -1, 0
BRIGHT, DARK, OPAQUE = 200, 55, 128
"""A scribble brighter than this is object, darker than that is background, and what is more transparent is neither."""
LEAST = 8  # px a side


@dataclass(frozen=True)
class Box:
    """A rectangle that holds the object and a little of what is around it, in pixels of the photograph."""

    x: int
    y: int
    width: int
    height: int

    def fitted(self, size: tuple[int, int]) -> Box:
        """The part of it on a picture of (height, width).

        Raises:
            PainterlyError: BAD_REQUEST where that is too small, or everything.
        """
        left, top = max(0, self.x), max(0, self.y)
        right, bottom = min(size[1], self.x + self.width), min(size[0], self.y + self.height)
        if min(right - left, bottom - top) < LEAST:
            raise _bad(
                f"Of the box {self.x},{self.y},{self.width},{self.height} hardly anything lies on the "
                f"{size[1]}×{size[0]} photo.",
                "Give --box x,y,width,height in pixels, around the object.",
            )
        if (bottom - top, right - left) == size:
            raise _bad(
                "The box holds the whole photo, so nothing says what is background.",
                "Draw it closer around the object.",
            )
        return Box(left, top, right - left, bottom - top)

    def scaled(self, factor: float) -> Box:
        """In pixels of a picture so much larger."""
        left, top = round(self.x * factor), round(self.y * factor)
        right, bottom = round((self.x + self.width) * factor), round((self.y + self.height) * factor)
        return Box(left, top, max(1, right - left), max(1, bottom - top))


@dataclass(frozen=True)
class Seeds:
    """
    Attributes:
        box: of the object, or None.
        marks: (H, W) of ``OBJECT``, ``BACKGROUND`` and ``UNKNOWN``, or None.
    """

    box: Box | None = None
    marks: Array | None = None


def marks_of(scribble: Array, size: tuple[int, int]) -> Array:
    """(H, W) int8 marks from a picture (h, w, 4) drawn over the photograph: white object, black background.

    Args:
        size: (height, width) of the photograph; a scribble of another size but the same shape is scaled.

    Raises:
        PainterlyError: BAD_REQUEST.
    """
    height, width = scribble.shape[:2]
    if abs(width / height - size[1] / size[0]) > 0.02 * width / height:
        raise PainterlyError(
            ErrorCode.SIZE_MISMATCH,
            f"The scribble is {width}×{height} px, the photo {size[1]}×{size[0]} px.",
            "Draw it on a layer of the photo's size.",
        )
    image = Image.fromarray(scribble)
    if (height, width) != size:
        image = image.resize((size[1], size[0]), Image.Resampling.NEAREST)
    light, opaque = np.asarray(image.convert("L")), np.asarray(image)[..., 3] >= OPAQUE
    marks = np.full(size, UNKNOWN, np.int8)
    marks[opaque & (light >= BRIGHT)] = OBJECT
    marks[opaque & (light <= DARK)] = BACKGROUND
    if not (marks == OBJECT).any():
        raise _bad("Nothing in the scribble is white.", "Mark the object with white, the background with black.")
    return marks


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
