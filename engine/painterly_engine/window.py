"""Which part of a picture a part of its features depends on: exact crops (algorithm.md 1.5).

A crop gives the features of the whole picture wherever their receptive field lies inside it or is cut by the picture's
own border, provided that the crop starts on the grid of the poolings: then every pooling joins the same pixels. What
padding does at a crop's other borders spoils features that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from painterly_engine.network.features import POOL, FeatureNetwork

Size = tuple[int, int]
Span = tuple[int, int]
"""First and one past the last, on one axis."""


@dataclass(frozen=True)
class Box:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the ends excluded; never empty."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def whole(cls, size: Size) -> Box:
        return cls(0, 0, *size)

    @property
    def size(self) -> Size:
        return self.bottom - self.top, self.right - self.left

    @property
    def area(self) -> int:
        return self.size[0] * self.size[1]

    def of(self, planes: Tensor) -> Tensor:
        """The box of (…, H, W), a view."""
        return planes[..., self.top : self.bottom, self.left : self.right]

    def within(self, outer: Box) -> Box:
        """The same place, counted from the outer box's corner."""
        top, left = outer.top, outer.left
        return Box(self.top - top, self.left - left, self.bottom - top, self.right - left)

    def beyond(self, outer: Box) -> Box:
        """The opposite of ``within``."""
        return Box(self.top + outer.top, self.left + outer.left, self.bottom + outer.top, self.right + outer.left)

    def grown(self, by: int, size: Size) -> Box:
        """``by`` more on every side, as far as a picture of ``size`` goes."""
        return Box(
            max(0, self.top - by), max(0, self.left - by), min(size[0], self.bottom + by), min(size[1], self.right + by)
        )

    def joined(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )


def box_of(mask: Tensor) -> Box | None:
    """The smallest box around all of (H, W) that is not 0; None where all is."""
    rows = _span(mask.any(1))
    columns = rows and _span(mask[slice(*rows)].any(0))
    return Box(rows[0], columns[0], rows[1], columns[1]) if rows and columns else None


def _span(there: Tensor) -> Span | None:
    """From the first to the last of (n,) that is true."""
    found = there.nonzero()[:, 0]
    return (int(found[0]), int(found[-1]) + 1) if len(found) else None


def sizes(network: FeatureNetwork, size: Size) -> dict[str, Size]:
    """(h, w) of every layer's features of a picture (H, W)."""
    found: dict[str, Size] = {}
    for step in network.steps:
        if step == POOL:
            size = (_halved(size[0], network), _halved(size[1], network))
        else:
            found[step] = size
    return found


def reach(network: FeatureNetwork, box: Box, size: Size) -> dict[str, Box]:
    """Where each layer's features, and masks that took the same way (``masks.layer_masks``), depend on a box of pixels.

    Args:
        box: of pixels.
        size: (H, W) of the picture.
    """
    found: dict[str, Box] = {}
    for step in network.steps:
        if step == POOL:
            halved = (_halved(size[0], network), _halved(size[1], network))
            (top, bottom), (left, right) = (
                _pooled(span, old, new) for span, old, new in zip(_spans(box), size, halved, strict=True)
            )
            box, size = Box(top, left, bottom, right), halved
        else:
            box = box.grown(1, size)
            found[step] = box
    return found


def receptive_field(network: FeatureNetwork, wanted: Mapping[str, Box], size: Size) -> Box:
    """The pixels that give exactly the features wanted, starting and, unless the picture ends before, ending on the
    grid of the poolings.

    Args:
        wanted: a box of features by layer, at least one.
        size: (H, W) of the picture.
    """
    box: Box | None = None
    grid = 1
    for step, before in zip(reversed(network.steps), reversed(_sizes_before(network, size)), strict=True):
        if step in wanted:
            box = wanted[step] if box is None else box.joined(wanted[step])
        if box is None:
            continue
        if step == POOL:
            grid *= 2
            box = Box(2 * box.top, 2 * box.left, min(2 * box.bottom, before[0]), min(2 * box.right, before[1]))
        else:
            box = box.grown(1, before)
    assert box is not None, "no layer of this network is wanted"
    return _aligned(box, grid, size)


def on_grid(network: FeatureNetwork, box: Box, size: Size, layers: Iterable[str]) -> dict[str, Box]:
    """What a box of pixels is at the layers.

    Args:
        box: on the layers' grids, its ends too unless they are the picture's (``receptive_field``, ``tiles``).
        size: (H, W) of the picture.
    """
    whole = sizes(network, size)
    found: dict[str, Box] = {}
    scale = 1
    for step in network.steps:
        if step == POOL:
            scale *= 2
        elif step in layers:
            bottom, right = (
                length if end == full else end // scale
                for end, full, length in zip((box.bottom, box.right), size, whole[step], strict=True)
            )
            found[step] = Box(box.top // scale, box.left // scale, bottom, right)
    return found


@torch.no_grad()
def features_in(network: FeatureNetwork, picture: Tensor, wanted: Mapping[str, Box]) -> dict[str, Tensor]:
    """The features of the whole picture inside boxes, computed from no more of it than they depend on.

    Args:
        picture: (3, H, W) RGB in [0, 1].
        wanted: a box by layer.

    Returns:
        (C, h, w) of each box's size.
    """
    size = (picture.shape[1], picture.shape[2])
    crop = receptive_field(network, wanted, size)
    places = on_grid(network, crop, size, wanted)
    found = network(crop.of(picture) * network.layout.pixel_scale, wanted)
    return {layer: box.within(places[layer]).of(found[layer]) for layer, box in wanted.items()}


@torch.no_grad()
def whole_features(network: FeatureNetwork, picture: Tensor, layers: Iterable[str], area: int) -> dict[str, Tensor]:
    """The features of a whole picture, computed in tiles: the network's inner layers never exist all at once.

    Args:
        picture: (3, H, W) RGB in [0, 1].
        area: as in ``tiles``.

    Returns:
        (C, h, w) by layer.
    """
    size = (picture.shape[1], picture.shape[2])
    if size[0] * size[1] <= area:
        everything: dict[str, Tensor] = network(picture * network.layout.pixel_scale, layers)
        return everything
    whole = sizes(network, size)
    found: dict[str, Tensor] = {}
    for tile in tiles(network, size, layers, area):
        for layer, part in features_in(network, picture, tile).items():
            if layer not in found:
                found[layer] = part.new_empty(len(part), *whole[layer])
            tile[layer].of(found[layer]).copy_(part)
    return found


def tiles(network: FeatureNetwork, size: Size, layers: Iterable[str], area: int) -> Iterator[dict[str, Box]]:
    """Cuts a picture's features into boxes that cover every layer once, tile by tile in raster order.

    Args:
        size: (H, W) of the picture.
        layers: which of the features.
        area: about how many pixels a tile's receptive field may have; at least a few grid steps are taken anyway.
    """
    wanted = tuple(layers)
    grid, margin = _grid_and_margin(network, wanted)
    # No longer than an even share of the side: the last tile would else be a sliver with a margin as large as ever.
    side = max(2 * grid, int(area**0.5) - 2 * margin)
    steps = [_even_step(length, side, grid) for length in size]
    for top in range(0, size[0], steps[0]):
        for left in range(0, size[1], steps[1]):
            tile = Box(top, left, min(size[0], top + steps[0]), min(size[1], left + steps[1]))
            # Where pooling drops the last row, a tile of that row alone has nothing at the layer.
            found = {layer: box for layer, box in on_grid(network, tile, size, wanted).items() if min(box.size) > 0}
            if found:
                yield found


def _even_step(length: int, side: int, grid: int) -> int:
    share = -(-length // -(-length // side))
    return -(-share // grid) * grid


def _grid_and_margin(network: FeatureNetwork, layers: tuple[str, ...]) -> tuple[int, int]:
    """Pixels per position of the deepest layer, and how far its receptive field reaches past its own pixels."""
    grid, margin = 1, 0
    reached = 1, 0
    for step in network.steps:
        if step == POOL:
            grid *= 2
        else:
            margin += grid
            reached = (grid, margin) if step in layers else reached
    return reached


def _sizes_before(network: FeatureNetwork, size: Size) -> list[Size]:
    """(h, w) that each step is given."""
    found: list[Size] = []
    for step in network.steps:
        found.append(size)
        if step == POOL:
            size = (_halved(size[0], network), _halved(size[1], network))
    return found


def _halved(length: int, network: FeatureNetwork) -> int:
    return -(-length // 2) if network.layout.ceil_pool else length // 2


def _pooled(span: Span, old: int, new: int) -> Span:
    """Where a pooling carries a span of ``old`` positions; a mask's area average, whose sources are ``old / new`` long,
    may carry an odd length's one position further than the features' pooling."""
    first = min(span[0] // 2, span[0] * new // old)
    last = max(-(-span[1] // 2), -(-span[1] * new // old))
    return min(first, new - 1), min(last, new)


def _spans(box: Box) -> tuple[Span, Span]:
    return (box.top, box.bottom), (box.left, box.right)


def _aligned(box: Box, grid: int, size: Size) -> Box:
    top, left = box.top // grid * grid, box.left // grid * grid
    bottom, right = (min(-(-end // grid) * grid, full) for end, full in zip((box.bottom, box.right), size, strict=True))
    return Box(top, left, bottom, right)
