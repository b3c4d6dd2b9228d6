"""Which part of a picture is worked on, at which size, and where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from painterly_engine.arrays import Array, white
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.progress import Observer, Relay
from painterly_engine.repaint.scales import CONTEXT, near, surroundings
from painterly_engine.resample import Size, fit_longest, resize
from painterly_engine.tensors import to_tensor
from painterly_engine.window import Box, box_of


def looked_at(content: Array, mask: Array | None, *, closely: bool) -> Box:
    """The part of the content (H, W, 3) that is worked on: ``closely`` only the mask's surroundings."""
    size = (content.shape[0], content.shape[1])
    inside = None if mask is None else box_of(torch.from_numpy(mask.reshape(size) > 0))
    return surroundings(inside, size) if closely and inside is not None else Box.whole(size)


@dataclass(frozen=True)
class Paintings:
    """Brings paintings to their working size.

    Attributes:
        scale: of strokes.
        longest: side of the content, pixels.
    """

    scale: float
    longest: int
    network: FeatureNetwork
    device: torch.device

    def whole(self, painting: Array) -> Tensor:
        """(3, H, W), as long as the content."""
        return self._resized(painting, self.longest * self.scale)

    def around(
        self, painting: Array, content: Array, box: Box, small: Tensor, mask: Tensor | None
    ) -> tuple[list[Tensor], Tensor | None, Tensor | None]:
        """The rest of a subject. Of a painting of the content's size what is near the box, as much smaller as the
        content; any other painting as a whole."""
        if painting.shape[:2] != content.shape[:2]:
            return [self.whole(painting)], mask, None
        shrink = max(small.shape[1:]) / max(box.size)
        lent = near(box, (content.shape[0], content.shape[1]))(CONTEXT / shrink**2)
        cut = painting[lent.top : lent.bottom, lent.left : lent.right]
        here = to_tensor(painting[box.top : box.bottom, box.left : box.right], "painting", self.device)
        size = (small.shape[1], small.shape[2])
        return [self._resized(cut, max(lent.size) * shrink * self.scale)], mask, resize(here, size)

    def _resized(self, array: Array, longest: float) -> Tensor:
        painting = to_tensor(array, "painting", self.device)
        return resize(painting, fitted_size(painting, max(1, round(longest)), self.network))


class InPlace(Relay):
    """Shows a part in its place in the content.

    Args:
        content: (3, H, W).
        box: the part.
        small: (3, h, w), the part at working size.
    """

    def __init__(self, observer: Observer, content: Tensor, box: Box, small: Tensor) -> None:
        super().__init__(observer)
        down, across = (worked / own for worked, own in zip(small.shape[1:], box.size, strict=True))
        height, width = (
            max(1, round(side * shrink)) for side, shrink in zip(content.shape[1:], (down, across), strict=True)
        )
        self.whole = resize(content, (height, width)).clone()
        top, left = min(height - 1, round(box.top * down)), min(width - 1, round(box.left * across))
        self.place = Box(top, left, min(height, top + small.shape[1]), min(width, left + small.shape[2]))

    def picture(self, make: Callable[[], Tensor]) -> None:
        self.inner.picture(lambda: self._placed(make()))

    def _placed(self, part: Tensor) -> Tensor:
        self.place.of(self.whole).copy_(resize(part, self.place.size))
        return self.whole


def small_mask(mask: Array | None, box: Box, small: Tensor) -> Tensor | None:
    """(h, w) in [0, 1] of the part (3, h, w); None where there is no mask."""
    if mask is None:
        return None
    plane = mask.reshape(mask.shape[:2])[box.top : box.bottom, box.left : box.right]
    found = torch.from_numpy(plane.astype(np.float32) / np.float32(white(mask))).to(small)
    return resize(found, (small.shape[1], small.shape[2]))


def fitted_size(picture: Tensor, longest: int, network: FeatureNetwork) -> Size:
    """Never larger, and no side shorter than the network needs: a thin picture is stretched."""
    height, width = picture.shape[1:]
    smallest = network.smallest_side()
    fitted = fit_longest(height, width, min(longest, max(height, width)))
    return max(smallest, fitted[0]), max(smallest, fitted[1])
