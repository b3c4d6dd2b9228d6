"""Between the protocol's ``Pixels`` and arrays: numpy (H, W, C) in the picture's own type, torch in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from painterly_protocol.errors import ErrorCode, PainterlyError
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


def to_tensor(array: Array, name: str, device: torch.device | str = "cpu") -> Tensor:
    """(C, H, W) float32 in [0, 1]; one channel gives (H, W).

    Raises:
        PainterlyError: BAD_REQUEST when a float picture holds NaN or infinities.
    """
    scaled = torch.from_numpy(array.astype(np.float32) / np.float32(white(array)))
    if array.dtype.kind == "f" and not bool(torch.isfinite(scaled).all()):
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"The {name} holds values that are not numbers (NaN or infinity).",
            "Repair or flatten the layer and try again.",
        )
    planes = scaled.permute(2, 0, 1).contiguous().to(device)
    return planes if len(planes) > 1 else planes[0]
