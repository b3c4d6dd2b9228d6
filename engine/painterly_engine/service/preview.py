"""The working picture as a small PREVIEW."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_protocol.pixels import Pixels, SampleType

LONGEST = 320  # px


@torch.no_grad()
def preview(image: Tensor) -> Pixels:
    """(3, H, W) RGB, about 0 to 1 → uint8, longest side at most ``LONGEST``; NaN becomes black."""
    longest = max(image.shape[1:])
    small = image.detach()
    if longest > LONGEST:
        height, width = (max(1, round(side * LONGEST / longest)) for side in image.shape[1:])
        small = F.interpolate(small[None], (height, width), mode="area")[0]
    samples = (small.nan_to_num(0.0).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
    height, width, channels = samples.shape
    return Pixels(height, width, channels, SampleType.UINT8, samples.tobytes())
