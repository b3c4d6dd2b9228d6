"""Between the protocol's ``Pixels`` and numpy arrays (H, W, C) in the picture's own type. Never imports torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from painterly_protocol.pixels import Pixels, SampleType

Array = NDArray[Any]


def to_array(pixels: Pixels) -> Array:
    """A view of the samples, (H, W, C), never a copy."""
    flat = np.frombuffer(pixels.data, dtype=np.dtype(pixels.sample_type.value).newbyteorder("<"))
    return flat.reshape(pixels.height, pixels.width, pixels.channels)


def to_pixels(array: Array) -> Pixels:
    """The array (H, W) or (H, W, C) as it is, uint8, uint16 or float32."""
    array = np.ascontiguousarray(array if array.ndim == 3 else array[..., None])
    height, width, channels = array.shape
    return Pixels(height, width, channels, SampleType(array.dtype.name), array.data.cast("B"))


def white(array: Array) -> float:
    """The sample value that stands for 1.0."""
    return 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max)
