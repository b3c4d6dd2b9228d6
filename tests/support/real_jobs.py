"""Jobs for the real algorithm, where what is in the pictures does not matter but their size does."""

from __future__ import annotations

import numpy as np

from painterly_engine.arrays import to_pixels
from painterly_protocol.request import HarmonizeRequest, Parameters


def picture(size: int, iterations: int) -> HarmonizeRequest:
    """A square object in the middle of smooth noise."""
    noise = np.random.default_rng(1).random((2, size // 8, size // 8, 3))
    painting, thing = (np.kron(each, np.ones((8, 8, 1)))[:size, :size] for each in noise)
    mask = np.zeros((size, size, 1))
    quarter = size // 4
    mask[quarter:-quarter, quarter:-quarter] = 1
    composite = painting + mask * (thing - painting)
    pictures = (to_pixels((255 * each).astype(np.uint8)) for each in (painting, composite, mask))
    parameters = Parameters(preset="published", size=size, iterations=iterations, weights="slim")
    return HarmonizeRequest(*pictures, parameters=parameters)
