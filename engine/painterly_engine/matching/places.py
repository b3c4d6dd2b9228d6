"""A nearest-neighbour field as places in the painting, whatever the size of the features it was found in."""

from __future__ import annotations

import torch
from torch import Tensor


def places(field: Tensor, size: tuple[int, ...]) -> Tensor:
    """The centres of the matches as fractions of the target's height and width.

    Args:
        field: (h, w) int64, raster index y·w2 + x into the target.
        size: (h2, w2) of the target.

    Returns:
        (2, h, w) float32 in (0, 1): y, x.
    """
    height, width = size
    return torch.stack([(field // width + 0.5) / height, (field % width + 0.5) / width]).float()
