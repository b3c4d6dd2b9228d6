"""Where each pixel was one frame ago, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from painterly_engine.arrays import Array
from painterly_engine.cutout.opencv import cv2
from painterly_engine.pictures.files import Bytes

ASTRAY, SLACK = 0.01, 0.5
"""Two flows contradict each other when their sum's square is more than this share of their own squares, and a half
pixel² (Sundaram, Brox and Keutzer, ECCV 2010)."""
ALIKE = 0.06
"""Colour difference, of 1, at which a pixel is as likely another thing's as the same."""
SMOOTH = 1.5  # px


@dataclass(frozen=True)
class Motion:
    """From one frame to the next.

    Attributes:
        back: (H, W, 2) float32: where in the frame before each pixel was, as a step (x, y).
        sure: (H, W) float32 in [0, 1]: 0 where something has just come into sight.
    """

    back: Array
    sure: Array

    @property
    def is_cut(self) -> bool:
        """Whether hardly anything of the frame before is left."""
        return float(self.sure.mean()) < 0.15


class Flow:
    """Dense inverse search (Kroeger et al., ECCV 2016), OpenCV's, both ways."""

    def __init__(self) -> None:
        cv = cv2("video")
        self._search = cv.DISOpticalFlow_create(cv.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def between(self, before: Bytes, now: Bytes) -> Motion:
        """From a frame (H, W, 3) to the next."""
        cv = cv2("video")
        first, second = (cv.cvtColor(picture, cv.COLOR_RGB2GRAY) for picture in (before, now))
        back = self._search.calc(second, first, None)
        forth = self._search.calc(first, second, None)
        return Motion(back, _sure(before, now, back, forth))


def carried(picture: Array, back: Array) -> Array:
    """A picture (H, W) or (H, W, C) of the frame before, each pixel brought to where it is now."""
    cv = cv2("video")
    x, y = _grid(back)
    found: Array = cv.remap(picture, x, y, cv.INTER_CUBIC, borderMode=cv.BORDER_REPLICATE)
    return found


def _sure(before: Bytes, now: Bytes, back: Array, forth: Array) -> Array:
    cv = cv2("video")
    there = cv.remap(forth, *_grid(back), cv.INTER_LINEAR, borderMode=cv.BORDER_REPLICATE)
    contradiction = np.square(back + there).sum(2)
    allowed = ASTRAY * (np.square(back).sum(2) + np.square(there).sum(2)) + SLACK
    consistent = np.exp(-contradiction / (2 * allowed))
    change = np.abs(carried(before.astype(np.float32), back) - now).mean(2) / 255
    change = cv.GaussianBlur(change, (0, 0), SMOOTH)  # noise is no news
    alike = np.exp(-np.square(change / ALIKE) * np.log(2))
    x, y = _grid(back)
    inside = (x >= -0.5) & (y >= -0.5) & (x <= back.shape[1] - 0.5) & (y <= back.shape[0] - 0.5)
    sure: Array = (consistent * alike * inside).astype(np.float32)
    return sure


def _grid(back: Array) -> tuple[Array, Array]:
    height, width = back.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x + back[..., 0], y + back[..., 1]
