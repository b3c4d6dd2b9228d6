"""What the published system's pictures lose when they are written to a file and read again (algorithm.md 1.0)."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

JPEG_QUALITY = 75


def quantise(image: Tensor) -> Tensor:
    """(3, H, W) as torch/image writes and reads it: clamped to [0, 1], times 255, truncated to a byte, over 255."""
    return _bytes(image).to(image) / 255


def jpeg_round_trip(image: Tensor, quality: int = JPEG_QUALITY) -> Tensor:
    """(3, H, W) RGB in [0, 1] after a JPEG file; pass 1 hands its picture to pass 2 as one."""
    file = io.BytesIO()
    Image.fromarray(_bytes(image).permute(1, 2, 0).cpu().numpy()).save(file, "JPEG", quality=quality)
    array = np.array(Image.open(file).convert("RGB"))
    return torch.from_numpy(array).permute(2, 0, 1).to(image) / 255


def _bytes(image: Tensor) -> Tensor:
    return (image.clamp(0, 1) * 255).to(torch.uint8)
