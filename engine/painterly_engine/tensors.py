"""From numpy arrays in a picture's own type to tensors in [0, 1]."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from painterly_engine.arrays import Array, white
from painterly_protocol.errors import ErrorCode, PainterlyError


def to_tensor(array: Array, name: str, device: torch.device | str = "cpu") -> Tensor:
    """(C, H, W) float32 in [0, 1]; one channel gives (H, W).

    Raises:
        PainterlyError: BAD_REQUEST when a float picture holds NaN or infinities.
    """
    planes = interleaved(array, name, device).contiguous()
    return planes if len(planes) > 1 else planes[0]


def interleaved(array: Array, name: str, device: torch.device | str = "cpu") -> Tensor:
    """As ``to_tensor``, but always (C, H, W), and in memory pixel by pixel as the array is, which saves a copy."""
    samples = array.astype(np.float32)
    samples /= np.float32(white(array))
    scaled = torch.from_numpy(samples)
    if array.dtype.kind == "f" and not bool(torch.isfinite(scaled).all()):
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"The {name} holds values that are not numbers (NaN or infinity).",
            "Repair or flatten the layer and try again.",
        )
    return scaled.permute(2, 0, 1).to(device)
