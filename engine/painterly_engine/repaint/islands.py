"""How large an object is that may consist of several islands."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

SIDE = 256
"""Pixels of the longest side at which islands are told apart."""
SHORE = 0.25
"""Of the support's largest value: less does not join two islands."""

Numbers = npt.NDArray[np.int64]


def usual_size(support: Tensor) -> float:
    """Pixels: the side of a square with the object's area or, of several islands, the mean of those sides by area. Ten
    birds are as small as one of them.

    Args:
        support: (h, w) in [0, 1], how much of the object shows.

    Returns:
        1 or more.
    """
    areas = island_areas(support)
    share = areas / max(1e-9, float(areas.sum()))
    return max(1.0, math.sqrt(float(support.sum())) * float((share**1.5).sum()))


def island_areas(support: Tensor) -> npt.NDArray[np.float64]:
    """(n,), of islands that touch in no pixel, not even at a corner; in pixels of a picture shrunk to ``SIDE``."""
    shown = support.detach().float().cpu()[None, None]
    factor = max(1, math.ceil(max(support.shape) / SIDE))
    peaks = F.max_pool2d(shown, factor, ceil_mode=True)[0, 0].numpy()
    areas = F.avg_pool2d(shown, factor, ceil_mode=True)[0, 0].numpy()
    runs = _runs(peaks > SHORE * peaks.max())
    found = np.zeros(int(runs.max()) + 1)
    of_runs = np.bincount(runs.ravel(), areas.ravel().astype(np.float64))
    np.add.at(found, _islands(runs), of_runs)
    return found[1:][found[1:] > 0]


def _runs(land: npt.NDArray[np.bool_]) -> Numbers:
    """(h, w): 0 off land, on it the number, from 1, of the stretch within a row."""
    starts = land.copy()
    starts[:, 1:] &= ~land[:, :-1]
    numbers: Numbers = np.cumsum(starts).reshape(land.shape) * land
    return numbers


def _islands(runs: Numbers) -> list[int]:
    """Of every run, from 0, one of the runs of its island: the same for all of them."""
    width = runs.shape[1]
    root = list(range(int(runs.max()) + 1))

    def lead(run: int) -> int:
        while root[run] != run:
            root[run] = root[root[run]]
            run = root[run]
        return run

    for shift in (-1, 0, 1):
        upper = runs[:-1, max(0, shift) : width + min(0, shift)]
        lower = runs[1:, max(0, -shift) : width + min(0, -shift)]
        both = (upper > 0) & (lower > 0)
        for one, other in np.unique(np.stack([upper[both], lower[both]]), axis=1).T.tolist():
            root[lead(one)] = lead(other)
    return [lead(run) for run in range(len(root))]
