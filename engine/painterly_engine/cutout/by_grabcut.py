"""The object by its colours and edges: GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004), OpenCV's."""

from __future__ import annotations

import numpy as np
from PIL import Image

from painterly_engine.arrays import Array
from painterly_engine.cutout.opencv import cv2
from painterly_engine.cutout.seeds import BACKGROUND, OBJECT, Box, Seeds
from painterly_engine.pictures.files import Bytes
from painterly_protocol.errors import ErrorCode, PainterlyError

SIDE = 900
"""Pixels, longest side: finer edges are the matting's business, and a cut takes seconds here, minutes at full size."""
ROUNDS = 6
FRAME = 0.04
"""Share of the sides that is taken for background where nobody says anything."""
ISLAND, HOLE = 0.02, 0.004
"""Of the object's area: smaller islands without a mark are dropped, smaller holes are filled."""


def find(photo: Bytes, seeds: Seeds) -> Array:
    """(H, W) float32 in [0, 1], 1 on the object of a photograph (H, W, 3); no soft edge yet.

    Without box or marks everything but a narrow frame may be object.

    Raises:
        PainterlyError: BAD_REQUEST where nothing is found.
    """
    size = photo.shape[0], photo.shape[1]
    factor = min(1.0, SIDE / max(size))
    small = Image.fromarray(photo)
    if factor < 1:
        small = small.resize((max(1, round(size[1] * factor)), max(1, round(size[0] * factor))), Image.Resampling.BOX)
    labels = _start(seeds, size, (small.height, small.width), factor)
    found = _cut(np.asarray(small), labels)
    kept = _tidied(found, labels == cv2().GC_FGD)
    if not kept.any():
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "No object was found.",
            "Say where it is with --box x,y,width,height, or mark it in white with --scribble.",
        )
    whole = Image.fromarray(np.where(kept, 255, 0).astype(np.uint8))
    return np.asarray(whole.resize((size[1], size[0]), Image.Resampling.BICUBIC), np.float32) / 255


def _start(seeds: Seeds, size: tuple[int, int], small: tuple[int, int], factor: float) -> Bytes:
    """(h, w) of GrabCut's labels: what is certain, and a first guess of the rest."""
    cv = cv2()
    labels = np.full(small, cv.GC_PR_FGD, np.uint8)
    marks = None
    if seeds.marks is not None:
        marks = _shrunk_marks(seeds.marks, small)
        labels = _nearest_mark(marks)
    box = seeds.box.fitted(size) if seeds.box else None if seeds.marks is not None else _framed(size)
    if box is not None:
        inner = box.scaled(factor)
        outside = np.ones(small, bool)
        outside[inner.y : inner.y + inner.height, inner.x : inner.x + inner.width] = False
        labels[outside] = cv.GC_BGD
    if marks is not None:
        labels[marks == BACKGROUND], labels[marks == OBJECT] = cv.GC_BGD, cv.GC_FGD
    return labels


def _framed(size: tuple[int, int]) -> Box:
    frame = max(1, round(FRAME * min(size)))
    return Box(frame, frame, size[1] - 2 * frame, size[0] - 2 * frame).fitted(size)


def _shrunk_marks(marks: Array, small: tuple[int, int]) -> Array:
    """Thin strokes stay: a position is marked where any of its pixels is."""
    found = np.zeros(small, np.int8)
    rows, columns = (np.arange(side) * new // side for side, new in zip(marks.shape, small, strict=True))
    for mark in (BACKGROUND, OBJECT):
        y, x = np.nonzero(marks == mark)
        found[rows[y], columns[x]] = mark
    return found


def _nearest_mark(marks: Array) -> Bytes:
    """Probably what the nearest stroke is; without a stroke on the background its frame is that."""
    cv = cv2()
    marks = marks.copy()
    if not (marks == BACKGROUND).any():
        for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
            marks[edge] = np.where(marks[edge] == OBJECT, OBJECT, BACKGROUND)
    far = {
        mark: cv.distanceTransform(np.where(marks == mark, 0, 1).astype(np.uint8), cv.DIST_L2, cv.DIST_MASK_5)
        for mark in (OBJECT, BACKGROUND)
    }
    labels: Bytes = np.where(far[OBJECT] < far[BACKGROUND], cv.GC_PR_FGD, cv.GC_PR_BGD).astype(np.uint8)
    return labels


def _cut(photo: Bytes, labels: Bytes) -> Array:
    """(h, w) bool."""
    cv = cv2()
    cv.setRNGSeed(0)  # its colours are first grouped at random; the same photo shall give the same cut
    labels, backs, fronts = labels.copy(), np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv.grabCut(np.ascontiguousarray(photo[..., ::-1]), labels, None, backs, fronts, ROUNDS, cv.GC_INIT_WITH_MASK)
    except cv.error as error:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "The photo leaves too little object or too little background to tell them apart.",
            "Give a --box with some background around it, or mark both with --scribble.",
        ) from error
    found: Array = (labels == cv.GC_FGD) | (labels == cv.GC_PR_FGD)
    return found


def _tidied(found: Array, marked: Array) -> Array:
    """(h, w) bool without islands and holes too small to be meant."""
    area = max(1, int(found.sum()))
    without = found & ~_small(found, ISLAND * area, marked)
    tidy: Array = without | _small(~without, HOLE * area, np.zeros_like(marked))
    return tidy


def _small(region: Array, least: float, spared: Array) -> Array:
    """(h, w) bool: parts of a region (h, w) that are smaller and hold nothing that is spared."""
    cv = cv2()
    _, labels, stats, _ = cv.connectedComponentsWithStats(region.astype(np.uint8), connectivity=4)
    small = stats[:, cv.CC_STAT_AREA] < least
    small[0] = False
    small[np.unique(labels[spared])] = False
    parts: Array = small[labels]
    return parts
