"""Where the painting lends its statistics in pass two."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ring_mask(field: Tensor, tight: Tensor, target_size: tuple[int, int]) -> Tensor:
    """The 3×3 blocks, clipped, around the matches of all positions in the tight mask (algorithm.md 1.2 step 5).

    Args:
        field: (h, w) int64 raster indices into the target.
        tight: (h, w) bool.
        target_size: (h2, w2).

    Returns:
        (h2, w2) bool; a place counts once however many positions chose it.
    """
    chosen = torch.zeros(target_size, device=field.device)
    chosen.view(-1)[field[tight]] = 1
    return F.max_pool2d(chosen[None], kernel_size=3, stride=1, padding=1)[0] > 0
