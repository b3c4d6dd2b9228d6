"""The surface laid anew with small pieces of the painting itself, at its real resolution.

The search is the published post-process's (``finishing.patches``). Its pieces are blended by their middles here, not
averaged evenly, which would blur what makes a stroke.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from painterly_engine.finishing.finish import to_bytes
from painterly_engine.finishing.patches import Effort, anchors_inside, anchors_touching, nearest_patches, vote
from painterly_engine.style import lent

SIDE = 5
MIDDLE = 1.2
"""Deviation, in pixels, of the weight around a piece's middle."""
EFFORT = Effort(candidates=2**19, probes=8)
"""A stroke that is nearly the best is as good; large paintings have more of them than can be looked at."""


def lay_strokes(
    picture: Tensor,
    context: Tensor,
    wanted: Tensor,
    seed: int,
    report: Callable[[float], None],
    lends: Tensor | None = None,
) -> Tensor:
    """
    Args:
        picture: (3, h, w) RGB in about [0, 1].
        context: (3, H, W), the painting to take pieces from.
        wanted: (h, w) bool.
        seed: of the search.
        lends: (H, W) in [0, 1], how much of the context may be imitated; None: all of it.

    Returns:
        (3, h, w): pieces of the context where wanted, else the picture.
    """
    height, width = (min(SIDE, picture.shape[axis], context.shape[axis]) for axis in (1, 2))
    size = height, width
    generator = torch.Generator(device=picture.device).manual_seed(seed)
    queries = anchors_touching(wanted, size).flatten().nonzero()[:, 0]
    anchors = None if lends is None else anchors_inside(lent(lends, (context.shape[1], context.shape[2])), size)
    field, _ = nearest_patches(to_bytes(picture), to_bytes(context), size, queries, generator, report, EFFORT, anchors)
    laid = vote(queries, field, context, wanted, _middles(size).to(picture))
    return torch.where(wanted, laid, picture)


def _middles(size: tuple[int, int]) -> Tensor:
    rows, columns = (torch.arange(side) - (side - 1) / 2 for side in size)
    return torch.exp(-(rows[:, None] ** 2 + columns**2) / (2 * MIDDLE**2))
