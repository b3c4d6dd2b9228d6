"""Pictures to time with: a painting of strokes and a photograph's smooth object, both made by procedure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from painterly_engine.arrays import to_pixels
from painterly_protocol.request import HarmonizeRequest, Parameters

Floats = NDArray[np.float32]


def request(
    height: int, width: int, object_side: int, parameters: Parameters, *, rough: bool = False
) -> HarmonizeRequest:
    """A job whose object is a disc in the picture's middle; the same object at the same place on every canvas.

    Args:
        height, width: of the painting.
        object_side: the disc's diameter in pixels.
        parameters: of the job.
        rough: a painting of so much grain that ``published`` takes its histogram loss for smoothing; smooth else.
    """
    rng = np.random.default_rng(5)
    painting = _painting(rng, height, width, 0.12 if rough else 0.01)
    mask = _disc(height, width, object_side)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    photograph = np.stack([0.9 - 0.3 * y / height, 0.4 + 0.3 * x / width, 0.3 + 0 * x], axis=2)
    photograph += 0.03 * rng.standard_normal((height, width, 1), dtype=np.float32)
    composite: Floats = (painting + mask[..., None] * (photograph - painting)).astype(np.float32)
    return HarmonizeRequest(
        painting=to_pixels(_bytes(painting)),
        composite=to_pixels(_bytes(composite)),
        mask=to_pixels(_bytes(mask)),
        parameters=parameters,
    )


def _painting(rng: np.random.Generator, height: int, width: int, grain: float) -> Floats:
    """Dabs of paint of one colour each, with grain on them."""
    painting = np.full((height, width, 3), 0.5, np.float32)
    for _ in range(height * width // 150):
        y, x, length, thickness = (int(v) for v in rng.integers((0, 0, 12, 3), (height, width, 40, 8)))
        painting[y : y + thickness, x : x + length] = rng.random(3, dtype=np.float32) * 0.8 + 0.1
    painting += grain * rng.standard_normal((height, width, 3), dtype=np.float32)
    return painting.clip(0, 1)


def _disc(height: int, width: int, side: int) -> Floats:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(y - height / 2, x - width / 2)
    disc: Floats = (side / 2 + 0.5 - distance).clip(0, 1)
    return disc


def _bytes(picture: Floats) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    return rounded
