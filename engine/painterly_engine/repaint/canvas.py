"""The request's pictures as each scale wants them, never more of the canvas in floating point than is needed."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from painterly_engine.arrays import Array
from painterly_engine.repaint.islands import usual_size
from painterly_engine.repaint.objective import Pictures
from painterly_engine.repaint.scales import Level, Part, own_context, surroundings
from painterly_engine.repaint.support import support
from painterly_engine.resample import resize
from painterly_engine.shrinking import overview, shrunk, style_overview
from painterly_engine.style import Style
from painterly_engine.tensors import to_tensor
from painterly_engine.window import Box, Size, box_of
from painterly_protocol.errors import ErrorCode, PainterlyError


class Canvas:
    """
    Args:
        painting, composite: (H, W, 3) in the request's own sample type.
        mask: (H, W, 1).
        allowed: (H, W, 1), where pixels may change, or None for all that the support reaches.
        device: that tensors are made on.
        style: what is imitated, or None for the painting.

    Attributes:
        painting: as given.
        size: (H, W) of the painting.
        around: the object's surroundings.
        support: (h, w) of them, how much of the repainted picture shows.

    Raises:
        PainterlyError: EMPTY_MASK; BAD_REQUEST for floats that are no numbers.
    """

    def __init__(
        self,
        painting: Array,
        composite: Array,
        mask: Array,
        allowed: Array | None,
        device: torch.device,
        style: Style | None = None,
    ) -> None:
        self.painting, self._device, self._style = painting, device, style
        self.size: Size = (painting.shape[0], painting.shape[1])
        self.around = surroundings(_object_box(mask), self.size)
        longest = max(self.around.size)
        self.ground = self._tensor(painting, self.around, "painting")
        self.composite = self._tensor(composite, self.around, "composite")
        self.support = support(self._tensor(mask, self.around, "mask").clamp(0, 1), longest)
        if allowed is not None:
            self.support = self.support * (self._tensor(allowed, self.around, "loose mask") > 0)

    @property
    def object_size(self) -> float:
        """Pixels: the side of a square with the area of the object, or of its usual island."""
        return usual_size(self.support)

    @property
    def part(self) -> Part | None:
        """Which part of another style than the painting's is imitated."""
        return None if self._style is None else self._style.part

    @property
    def imitates_painting(self) -> bool:
        """Whether what is imitated are places of the painting."""
        return self._style is None or self._style.is_painting

    def pictures(self, level: Level) -> Pictures:
        """At a scale."""
        ground, composite, shows = (
            resize(planes, level.size) for planes in (self.ground, self.composite, self.support)
        )
        context = shrunk(self._imitated, level.context, level.context_size, self._device)
        return Pictures(context, ground, composite, shows, self._lends(level.context, level.context_size))

    def own_size(self) -> Pictures:
        """At the painting's own."""
        box = own_context(self.around, self.size, self.part)
        context = self._tensor(self._imitated, box, "style picture")
        return Pictures(context, self.ground, self.composite, self.support, self._lends(box, box.size))

    @cached_property
    def overview(self) -> Tensor:
        """(3, h, w), all of the painting, no larger than it needs to be shown."""
        return overview(self.painting, Box.whole(self.size), self._device)

    def style_overview(self) -> Tensor:
        """(3, h, w), all that may be imitated, so large."""
        return self.overview if self._style is None else style_overview(self.painting, self._style, self._device)

    @property
    def _imitated(self) -> Array:
        return self.painting if self._style is None else self._style.picture

    def _lends(self, box: Box, size: Size) -> Tensor | None:
        """(h, w) in [0, 1] of a box of what is imitated, at a size: how much of each place may be; None: all."""
        if self._style is None or self._style.lends is None:
            return None
        lends = box.of(torch.from_numpy(self._style.lends)).float().to(self._device)
        return resize(lends, size)

    def _tensor(self, array: Array, box: Box, name: str) -> Tensor:
        return to_tensor(array[box.top : box.bottom, box.left : box.right], name, self._device)


def _object_box(mask: Array) -> Box:
    found = box_of(torch.from_numpy(mask[..., 0] > 0))
    if found is None:
        raise PainterlyError(
            ErrorCode.EMPTY_MASK, "The mask is empty: there is no object to harmonize.", "Select the object."
        )
    return found
