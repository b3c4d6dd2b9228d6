"""Cut the sample objects out of their photographs again: ``python cut_out.py [FOLDER]``.

Needs more than the project does: ``pip install scikit-image opencv-python-headless pymatting`` (a scratch environment
will do). The photographs are those in scikit-image's wheel. GrabCut (Rother et al. 2004) finds the object between
hand-drawn seeds, closed-form matting (Levin et al. 2008) the soft edge around its outline.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pymatting
import skimage.data
from PIL import Image

Polygon = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Cut:
    """Seeds of one object, in pixels of the photograph, and the size it is kept at."""

    photograph: str
    outline: tuple[Polygon, ...]  # nothing outside these belongs to the object
    inside: tuple[Polygon, ...]  # all of these does
    outside: tuple[Polygon, ...]  # none of these does
    soft: tuple[tuple[Polygon, int], ...]  # where the edge is uncertain by that many pixels (hair); elsewhere by 2
    smooth: int  # specks and spikes thinner than twice that are no part of it
    scale: float


CUTS = {
    "astronaut": Cut(
        photograph="astronaut",
        outline=(
            ((150, 90), (150, 40), (190, 10), (250, 8), (300, 40), (308, 100), (280, 150), (312, 190), (318, 250),
             (364, 290), (366, 346), (420, 335), (480, 380), (511, 450), (511, 511), (15, 511), (18, 430), (45, 250),
             (112, 205), (108, 180), (140, 140), (165, 140)),
        ),
        inside=(
            ((175, 60), (220, 30), (280, 60), (280, 100), (255, 150), (200, 140), (170, 100)),
            ((130, 180), (180, 165), (250, 175), (272, 191), (296, 226), (290, 270), (230, 285), (150, 250),
             (120, 210)),
            ((60, 260), (120, 225), (230, 300), (330, 290), (345, 340), (300, 400), (300, 505), (40, 505), (35, 400)),
            ((48, 283), (42, 302), (37, 320), (31, 338), (28, 350), (29, 378), (23, 402), (60, 420), (60, 283)),
            ((300, 400), (380, 350), (420, 350), (480, 430), (485, 505), (290, 505)),
        ),
        outside=(
            ((258, 167), (264, 174), (278, 186), (289, 199), (298, 213), (304, 225), (309, 232), (322, 239), (333, 250),
             (343, 260), (351, 274), (358, 296), (371, 330), (440, 325), (511, 330), (511, 0), (316, 0), (312, 140)),
        ),
        soft=((((140, 0), (310, 0), (310, 140), (265, 140), (200, 140), (140, 140)), 7),),
        smooth=2,
        scale=0.8,
    ),
    "coffee": Cut(
        photograph="coffee",
        outline=(
            ((66, 250), (60, 180), (100, 105), (140, 86), (158, 78), (178, 70), (188, 58), (198, 47), (210, 39),
             (230, 27), (250, 19), (280, 15), (320, 19), (350, 31), (361, 36), (371, 43), (381, 52), (391, 62),
             (396, 69), (404, 65), (413, 64), (422, 68), (427, 75), (424, 90), (419, 106), (434, 117), (470, 150),
             (492, 200), (490, 280), (400, 380), (260, 399), (120, 340)),
        ),
        inside=(
            ((90, 190), (130, 115), (178, 92), (192, 68), (205, 54), (230, 36), (280, 24), (340, 36), (375, 60),
             (395, 82), (405, 80), (415, 112), (465, 200), (455, 280), (380, 350), (280, 380), (180, 350), (100, 260)),
        ),
        outside=(),
        soft=(),
        smooth=8,
        scale=0.8,
    ),
}  # fmt: skip


def cut(name: str) -> Image.Image:
    """The object as RGBA on nothing, cropped to what is visible."""
    plan = CUTS[name]
    photograph = getattr(skimage.data, plan.photograph)()[..., :3]
    trimap = _trimap(photograph, plan)
    colour = photograph / 255.0
    alpha = pymatting.estimate_alpha_cf(colour, trimap)
    alpha = np.clip((alpha - 0.04) / 0.92, 0, 1)
    foreground = pymatting.estimate_foreground_ml(colour, alpha)
    rgba = np.round(np.dstack([foreground, alpha]).clip(0, 1) * 255).astype(np.uint8)
    picture = Image.fromarray(rgba).crop(Image.fromarray(rgba[..., 3]).getbbox())
    size = (round(picture.width * plan.scale), round(picture.height * plan.scale))
    small = picture.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    pixels = np.asarray(small).copy()
    pixels[pixels[..., 3] == 0] = 0
    return Image.fromarray(pixels)


def _trimap(photograph: np.ndarray, plan: Cut) -> np.ndarray:
    """1 inside, 0 outside, 0.5 where matting has to decide."""
    shape = photograph.shape[:2]
    labels = np.full(shape, cv2.GC_PR_FGD, np.uint8)
    labels[~_filled(shape, plan.outline)] = cv2.GC_BGD
    labels[_filled(shape, plan.inside)] = cv2.GC_FGD
    labels[_filled(shape, plan.outside)] = cv2.GC_BGD
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(1)
    cv2.grabCut(photograph[..., ::-1].copy(), labels, None, models[0], models[1], 8, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    inside = _largest(cv2.morphologyEx(inside, cv2.MORPH_OPEN, _disc(plan.smooth)))
    inside = 1 - _largest(1 - np.pad(inside, 1))[1:-1, 1:-1] if inside.any() else inside
    radius = np.full(shape, 2)
    for polygon, pixels in plan.soft:
        radius[_filled(shape, (polygon,))] = pixels
    trimap = np.full(shape, 0.5)
    for pixels in np.unique(radius):
        # Repeated at the frame: an object the photograph cuts off keeps its full strength there.
        framed = cv2.copyMakeBorder(inside, pixels, pixels, pixels, pixels, cv2.BORDER_REPLICATE)
        window = (slice(pixels, -pixels), slice(pixels, -pixels))
        sure = cv2.erode(framed, _disc(pixels))[window]
        possible = cv2.dilate(framed, _disc(pixels))[window]
        here = radius == pixels
        trimap[here & (sure == 1)] = 1
        trimap[here & (possible == 0)] = 0
    return trimap


def _filled(shape: tuple[int, ...], polygons: tuple[Polygon, ...]) -> np.ndarray:
    canvas = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(canvas, [np.array(polygon, np.int32)], 1)
    return canvas.astype(bool)


def _largest(mask: np.ndarray) -> np.ndarray:
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask)
    return (labels == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for object_name in CUTS:
        cut(object_name).save(folder / f"{object_name}.png", optimize=True)
