"""What a method gives back: the changed pixels of the painting, at its own size and in its own samples."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from painterly_engine.arrays import Array, white
from painterly_engine.soundness import not_finite
from painterly_engine.window import box_of
from painterly_protocol.errors import ErrorCode, PainterlyError


@dataclass(frozen=True)
class Change:
    """The harmonized picture (h, w, 3) inside a box at (x, y) of the painting; outside it nothing changed.

    ``about`` holds msgpack-plain values only; ``warnings`` are sentences that every client must show.
    """

    x: int
    y: int
    picture: Array
    about: dict[str, object] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def lay_over(painting: Array, repainted: Array, shows: Array) -> Change:
    """The repainted picture over the painting; pixels of which nothing shows stay the painting's, bit for bit.

    Args:
        painting: (H, W, 3), uint8, uint16 or float32.
        repainted: (H, W, 3) float32, 1 for white.
        shows: (H, W) in [0, 1], how much of it shows.

    Raises:
        PainterlyError: EMPTY_MASK when nothing shows, NOT_FINITE.
    """
    inside = shows > 0
    found = box_of(torch.from_numpy(inside))
    if found is None:
        raise PainterlyError(
            ErrorCode.EMPTY_MASK, "Nothing of the object lies inside the loose mask.", "Give a larger loose mask."
        )
    box = (slice(found.top, found.bottom), slice(found.left, found.right))
    scale = white(painting)
    original = painting[box].astype(np.float32) / np.float32(scale)
    mixed = (original + shows[box][..., None] * (repainted[box] - original)) * np.float32(scale)
    if not np.isfinite(mixed[inside[box]]).all():
        raise not_finite()  # as whole numbers they would be black, and nobody would know why
    if painting.dtype.kind != "f":
        mixed = np.rint(mixed.clip(0, scale))
    return Change(found.left, found.top, np.where(inside[box][..., None], mixed.astype(painting.dtype), painting[box]))
