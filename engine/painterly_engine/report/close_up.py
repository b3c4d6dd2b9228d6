"""The object from near: which part of the painting that is, and pictures of any size cut to it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from painterly_engine.pictures.files import Bytes

INSIDE = 26  # of 255: mask values above this are object
MARGIN = 0.2  # of the object's size, around it
LARGE = 0.85  # of the painting's sides: a close-up of this size shows hardly more

Box = tuple[int, int, int, int]


def close_up(mask: Bytes) -> Box | None:
    """(top, bottom, left, right) around the object in a mask (H, W), with air; None where it fills the painting."""
    rows, columns = (np.flatnonzero((mask > INSIDE).any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    air = round(MARGIN * max(rows[-1] - rows[0], columns[-1] - columns[0])) + 8
    height, width = mask.shape
    top, bottom = max(0, int(rows[0]) - air), min(height, int(rows[-1]) + 1 + air)
    left, right = max(0, int(columns[0]) - air), min(width, int(columns[-1]) + 1 + air)
    if max((bottom - top) / height, (right - left) / width) > LARGE:
        return None
    return top, bottom, left, right


def crop(pixels: Bytes, box: Box, size: tuple[int, ...]) -> Bytes:
    """The box, counted in pixels of ``size`` (H, W), out of a picture of any size; as fine as the picture is."""
    fy, fx = pixels.shape[0] / size[0], pixels.shape[1] / size[1]
    height, width = round((box[1] - box[0]) * fy), round((box[3] - box[2]) * fx)
    exact = (box[2] * fx, box[0] * fy, box[3] * fx, box[1] * fy)
    return np.asarray(Image.fromarray(pixels).resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC, exact))


def middle(mask: Bytes) -> float:
    """The object's middle, in percent of the width."""
    columns = np.flatnonzero((mask > INSIDE).any(0))
    return 50.0 if not len(columns) else 100 * float(columns[0] + columns[-1] + 1) / 2 / mask.shape[1]
