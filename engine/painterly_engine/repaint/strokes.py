"""The surface laid anew with small pieces of the painting itself, at its real resolution.

The search is the published post-process's (``finishing.patches``). Its pieces are blended by their middles here, not
averaged evenly, which would blur what makes a stroke.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from painterly_engine.finishing.finish import to_bytes
from painterly_engine.finishing.patches import Effort, PatchIndex, anchors_inside, anchors_touching, vote
from painterly_engine.style import lent
from painterly_engine.window import Size

SIDE = 5
MIDDLE = 1.2
"""Deviation, in pixels, of the weight around a piece's middle."""
EFFORT = Effort(candidates=2**19, probes=8)
"""A stroke that is nearly the best is as good; large paintings have more of them than can be looked at."""


class Strokes:
    """A painting's pieces, ready to be laid.

    Args:
        context: (3, H, W) RGB in about [0, 1], the painting to take pieces from.
        size: (h, w) of the whole picture that is to be laid anew: thin ones take smaller pieces.
        seed: of the search.
        lends: (H, W) in [0, 1], how much of the context may be imitated; None: all of it.
    """

    def __init__(self, context: Tensor, size: Size, seed: int, lends: Tensor | None = None) -> None:
        _, *extent = context.shape
        height, width = (min(SIDE, ours, theirs) for ours, theirs in zip(size, extent, strict=True))
        self.size = height, width
        anchors = None if lends is None else anchors_inside(lent(lends, (extent[0], extent[1])), self.size)
        generator = torch.Generator(device=context.device).manual_seed(seed)
        self._index = PatchIndex(to_bytes(context), self.size, generator, EFFORT, anchors)
        self._context = context.permute(1, 2, 0).contiguous()

    def lay(self, picture: Tensor, wanted: Tensor, report: Callable[[float], None]) -> Tensor:
        """
        Args:
            picture: (3, h, w) RGB in about [0, 1], or a band of it.
            wanted: (h, w) bool.

        Returns:
            (3, h, w): pieces of the context where wanted, else the picture.
        """
        queries = anchors_touching(wanted, self.size).flatten().nonzero()[:, 0]
        field, _ = self._index.nearest(to_bytes(picture), queries, report)
        laid = vote(queries, field, self._context, wanted, _middles(self.size).to(picture))
        return torch.where(wanted, laid, picture)


def _middles(size: tuple[int, int]) -> Tensor:
    rows, columns = (torch.arange(side) - (side - 1) / 2 for side in size)
    return torch.exp(-(rows[:, None] ** 2 + columns**2) / (2 * MIDDLE**2))
