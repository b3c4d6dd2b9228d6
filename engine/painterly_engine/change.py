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
    """The repainted object inside a box at (x, y) of the painting; outside it nothing changed.

    ``about`` holds msgpack-plain values only; ``warnings`` are sentences that every client must show.

    Attributes:
        painting: (h, w, 3), uint8, uint16 or float32, what was there before.
        repainted: (h, w, 3) float32, 1 for white.
        shows: (h, w) in [0, 1], how much of it shows.
    """

    x: int
    y: int
    painting: Array
    repainted: Array
    shows: Array
    about: dict[str, object] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def picture(self) -> Array:
        """(h, w, 3), as it will be seen: pixels of which nothing shows are the painting's, bit for bit."""
        original = self.painting.astype(np.float32) / np.float32(white(self.painting))
        mixed = self._in_samples(original + self.shows[..., None] * (self.repainted - original))
        return np.where(self.shows[..., None] > 0, mixed, self.painting)

    def layer(self) -> Array:
        """(h, w, 4), the repainted object to be laid over the painting, straight alpha; where nothing of it shows it
        has the painting's colours."""
        colours = np.where(self.shows[..., None] > 0, self._in_samples(self.repainted), self.painting)
        return np.dstack([colours, self._in_samples(self.shows)])

    def _in_samples(self, values: Array) -> Array:
        """Of the painting's type; whole numbers know nothing below black and above white."""
        scaled = values * np.float32(white(self.painting))
        if self.painting.dtype.kind != "f":
            scaled = np.rint(np.nan_to_num(scaled).clip(0, white(self.painting)))
        found: Array = scaled.astype(self.painting.dtype)
        return found


def lay_over(painting: Array, repainted: Array, shows: Array) -> Change:
    """The repainted picture over the painting, as far as any of it shows.

    Args:
        painting: (H, W, 3), uint8, uint16 or float32.
        repainted: (H, W, 3) float32, 1 for white.
        shows: (H, W) in [0, 1], how much of it shows.

    Raises:
        PainterlyError: EMPTY_MASK when nothing shows, NOT_FINITE.
    """
    found = box_of(torch.from_numpy(shows > 0))
    if found is None:
        raise PainterlyError(
            ErrorCode.EMPTY_MASK, "Nothing of the object lies inside the loose mask.", "Give a larger loose mask."
        )
    box = (slice(found.top, found.bottom), slice(found.left, found.right))
    if not np.isfinite(repainted[box][shows[box] > 0]).all():
        raise not_finite()  # as whole numbers they would be black, and nobody would know why
    return Change(found.left, found.top, painting[box], repainted[box], shows[box])
