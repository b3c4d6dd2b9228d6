"""From a hard outline to a soft one, and colours at the edge without the old background in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from painterly_engine.arrays import Array
from painterly_engine.cutout.opencv import cv2
from painterly_engine.finishing.guided import by_rows, guided_filter
from painterly_engine.pictures.files import Bytes

REACH_SHARE, LEAST_REACH = 1 / 160, 3
"""How far from the hard outline the true edge may be, as a share of the object's longer side, and in pixels."""
EPSILON = 2e-4
"""Of the guided filter, in squares of [0, 1]: steps of colour above 1 % are edges."""
STRIP = 2**21
"""Pixels at a time through the guided filter, which wants some fifty numbers for each."""
FAR, NEAR = 90, 6
"""Windows, in pixels at 1000 px of photo, of the two rounds of colour estimation."""
TINY = 1e-5


def refined(photo: Bytes, alpha: Array) -> Array:
    """The outline laid along the photograph's own edges (He, Sun and Tang, "Guided image filtering", 2010, section 5).

    Args:
        photo: (H, W, 3) uint8.
        alpha: (H, W) float32 in [0, 1], hard.

    Returns:
        (H, W) float32 in [0, 1]; as it was further from the outline than the reach.
    """
    reach = _reach(alpha)
    band = _near_outline(alpha, reach)
    found: Array = alpha.copy()
    rows, columns = (np.flatnonzero(band.any(axis)) for axis in (1, 0))
    if not len(rows):
        return found
    left, right = max(0, int(columns[0]) - 2 * reach), int(columns[-1]) + 2 * reach + 1
    step = max(4 * reach, STRIP // (right - left))
    for top in range(int(rows[0]), int(rows[-1]) + 1, step):
        bottom = min(top + step, int(rows[-1]) + 1)
        high, low = max(0, top - 2 * reach), bottom + 2 * reach
        soft = _guided(photo[high:low, left:right], alpha[high:low, left:right], reach)
        place = np.s_[top:bottom, left:right]
        found[place] = np.where(band[place], soft[top - high : bottom - high], alpha[place])
    return found


def decontaminated(photo: Bytes, alpha: Array) -> Bytes:
    """(H, W, 3): the object's own colours where the photograph shows a mixture with what was behind it.

    Blurred fusion in two rounds (Forte, "Approximate fast foreground colour estimation", ICIP 2021): around each pixel,
    the mean colour of the object and the mean colour of the background; then what of the pixel these two leave
    unexplained is put back.
    """
    windows = [2 * max(1, round(window * max(alpha.shape) / 2000)) + 1 for window in (FAR, NEAR)]
    cleaned: Bytes = photo.copy()
    mixed = (alpha > 0) & (alpha < 1)
    rows, columns = (np.flatnonzero(mixed.any(axis)) for axis in (1, 0))
    if len(rows):
        top, left = max(0, int(rows[0]) - windows[0]), max(0, int(columns[0]) - windows[0])
        place = np.s_[top : int(rows[-1]) + windows[0], left : int(columns[-1]) + windows[0]]
        colours = _colours(photo[place], alpha[place], windows)
        cleaned[place] = np.where(mixed[place][..., None], colours, photo[place])
    return cleaned


def _colours(photo: Bytes, alpha: Array, windows: Sequence[int]) -> Bytes:
    """(H, W, 3): the object's, at every pixel."""
    image = photo.astype(np.float32) / 255
    colours, behind = image, image
    for side in windows:
        colours, behind = _fused(image, colours, behind, alpha, side)
    found: Bytes = np.rint(255 * colours).clip(0, 255).astype(np.uint8)
    return found


def _fused(image: Array, colours: Array, behind: Array, alpha: Array, side: int) -> tuple[Array, Array]:
    cover = alpha[..., None]
    front, back = (
        _blurred(layer * share, side) / (_blurred(share, side) + TINY)
        for layer, share in ((colours, cover), (behind, 1 - cover))
    )
    own = front + cover * (image - cover * front - (1 - cover) * back)
    return own.clip(0, 1), back.clip(0, 1)


def _blurred(planes: Array, side: int) -> Array:
    found: Array = cv2().blur(planes, (side, side))
    return found if found.ndim == 3 else found[..., None]


def _reach(alpha: Array) -> int:
    inside = alpha > 0.5
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    longest = max(int(np.ptp(rows)), int(np.ptp(columns))) if len(rows) else 0
    return max(LEAST_REACH, round(REACH_SHARE * longest))


def _near_outline(alpha: Array, reach: int) -> Array:
    """(H, W) bool."""
    cv = cv2()
    hard = (alpha > 0.5).astype(np.uint8)
    disc = cv.getStructuringElement(cv.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    # Beyond the photograph the object goes on: its border is no outline.
    edge = cv.BORDER_REPLICATE
    band: Array = cv.dilate(hard, disc, borderType=edge) != cv.erode(hard, disc, borderType=edge)
    return band


@torch.no_grad()
def _guided(photo: Bytes, alpha: Array, reach: int) -> Array:
    guide = torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1).float() / 255
    soft = guided_filter(torch.from_numpy(np.ascontiguousarray(alpha))[None], guide, reach, EPSILON, by_rows)[0]
    return soft.clamp(0, 1).numpy()
