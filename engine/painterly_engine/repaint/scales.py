"""How large a part of the painting is worked on, and at which sizes, from coarse to fine.

All that follows depends on the object's box, and on no more of the canvas than ``CONTEXT``: twice the canvas around the
same object costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from painterly_engine.window import Box, Size

MARGIN, MARGIN_SHARE = 64, 0.16
"""Surroundings of the object's box: so many pixels, or that share of its longest side, whichever is more."""
CONTEXT = 2**19
"""Pixels of the painting, at every scale, that the object's surroundings are compared with at least."""
ROOMY = 2
"""… and no less than so many times the surroundings themselves."""
STEP = 0.8
"""A scale is left out when the finest is not clearly larger."""


Part = Callable[[float], Box]
"""Which part of a picture is imitated, of about so many of its pixels."""


@dataclass(frozen=True)
class Level:
    """One scale.

    Attributes:
        size: (h, w) of the object's surroundings.
        context: the part of the painting, or of another picture, that is imitated, in that picture's own pixels.
        context_size: (h, w) of it at this scale.
    """

    size: Size
    context: Box
    context_size: Size


def surroundings(box: Box, size: Size) -> Box:
    """The object's box with a margin, as far as the painting goes."""
    return box.grown(max(MARGIN, round(MARGIN_SHARE * max(box.size))), size)


def levels(
    around: Box, painting: Size, longest: tuple[int, ...], smallest: int, part: Part | None = None
) -> list[Level]:
    """The scales to work at, from coarse to fine.

    Args:
        around: the object's surroundings, in the painting's pixels.
        painting: (H, W).
        longest: sides of the surroundings to work at, ascending; no picture is enlarged, and the last is the finest.
        smallest: side that a picture must have for the network; thin pictures are stretched to it.
        part: what is imitated; by default what of the painting is nearest to the object.
    """
    own = max(around.size)
    finest = min(longest[-1], own)
    sides = [side for side in longest[:-1] if side < STEP * finest] + [finest]
    imitated = part or near(around, painting)
    return [_level(around, imitated, side / own, smallest) for side in sides]


def _level(around: Box, part: Part, scale: float, smallest: int) -> Level:
    size = (max(smallest, round(around.size[0] * scale)), max(smallest, round(around.size[1] * scale)))
    context = part(max(CONTEXT, ROOMY * size[0] * size[1]) / scale**2)
    height, width = (
        max(smallest, round(length * side / own))
        for length, side, own in zip(context.size, size, around.size, strict=True)
    )
    return Level(size, context, (height, width))


def near(around: Box, painting: Size) -> Part:
    """The surroundings grown on all sides, as far as the painting (H, W) goes."""

    def part(area: float) -> Box:
        low, high = 0, max(painting)
        while low < high:  # the largest margin that is not too much
            middle = (low + high + 1) // 2
            low, high = (middle, high) if around.grown(middle, painting).area <= area else (low, middle - 1)
        return around.grown(low, painting)

    return part


def own_context(around: Box, painting: Size, part: Part | None = None) -> Box:
    """The part of what is imitated that lends its strokes, at its own size."""
    return (part or near(around, painting))(max(CONTEXT, around.area))


def working_size(around: Box, finest: int) -> list[int]:
    """[width, height] of the surroundings at a finest scale of so many pixels, for the user."""
    scale = min(1.0, finest / max(around.size))
    return [max(1, round(side * scale)) for side in reversed(around.size)]
