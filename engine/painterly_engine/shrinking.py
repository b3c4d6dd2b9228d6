"""Parts of large pictures, shrunk without ever holding all of them in floating point."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.arrays import Array
from painterly_engine.resample import fit_longest, resize
from painterly_engine.style import Style
from painterly_engine.tensors import interleaved, to_tensor
from painterly_engine.window import Box, Size

STRIP = 2**18
"""Pixels brought into floating point at a time."""
SHOWN = 640
"""Longest side, in pixels, of a whole picture as it is shown and judged."""


def shrunk(array: Array, box: Box, size: Size, device: torch.device) -> Tensor:
    """(3, h, w) in [0, 1] of a box of a picture (H, W, 3), at a size."""
    factor = max(1, min(whole // side for whole, side in zip(box.size, size, strict=True)))
    if factor == 1:
        part = array[box.top : box.bottom, box.left : box.right]
        return resize(to_tensor(part, "painting", device), size)
    rows = max(1, STRIP // (box.size[1] * factor)) * factor
    strips = [
        _averaged(array, Box(top, box.left, min(top + rows, box.bottom), box.right), factor, device)
        for top in range(box.top, box.bottom, rows)
    ]
    return resize(torch.cat(strips, 1), size)


def overview(array: Array, box: Box, device: torch.device) -> Tensor:
    """(3, h, w) in [0, 1] of a box of a picture (H, W, 3), no larger than it needs to be shown."""
    size = fit_longest(*box.size, SHOWN) if max(box.size) > SHOWN else box.size
    return shrunk(array, box, size, device)


def style_overview(painting: Array, style: Style | None, device: torch.device) -> Tensor:
    """(3, h, w) in [0, 1] of all that may be imitated, whatever it is painted at; no style: the painting (H, W, 3)."""
    if style is None:
        return overview(painting, Box.whole((painting.shape[0], painting.shape[1])), device)
    return overview(style.picture, style.part(math.inf), device)


def _averaged(array: Array, box: Box, factor: int, device: torch.device) -> Tensor:
    part = interleaved(array[box.top : box.bottom, box.left : box.right], "painting", device)
    return F.avg_pool2d(part[None], factor, ceil_mode=True)[0].contiguous()
