"""The part of a picture that a pass has to compute: the pixels that may change, and what their features depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from painterly_engine.masks import layer_masks
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.resample import scale_nearest
from painterly_engine.window import Box, Size, box_of, features_in, on_grid, reach, receptive_field, sizes, tiles

LEAST_TILE = 512 * 512


def tile_area(box: Box) -> int:
    """Pixels to send through the network at once: with the features of the whole painting beside them they take no more
    memory than iterating a box does, which keeps every step for its way back."""
    return max(LEAST_TILE, box.area)


@dataclass(frozen=True)
class Workspace:
    """
    Attributes:
        size: (H, W) of the whole picture.
        box: the pixels that are computed; outside it nothing that the pass reads can change.
        loose: (h, w), the loose mask in the box.
        reached: by layer, where its mask is not 0 and its features can change, in the whole picture's.
        places: by layer, the features of the box, in the whole picture's; they are right inside ``reached``.
        masks: (h, w) by layer, of ``places``.
        positions: how many h·w a layer has in the whole picture, which the published constants count.
    """

    size: Size
    box: Box
    loose: Tensor
    reached: Mapping[str, Box]
    places: Mapping[str, Box]
    masks: Mapping[str, Tensor]
    positions: Mapping[str, int]


@torch.no_grad()
def workspace(loose: Tensor, network: FeatureNetwork, layers: Iterable[str]) -> Workspace | None:
    """The least part that gives the gradients of losses at these layers exactly (algorithm.md 1.5); None where the
    loose mask (H, W) is 0 everywhere."""
    changing = box_of(loose)
    if changing is None:
        return None
    wanted = set(layers)
    size = (loose.shape[0], loose.shape[1])
    reached = {layer: box for layer, box in reach(network, changing, size).items() if layer in wanted}
    box = receptive_field(network, reached, size)
    places = on_grid(network, box, size, wanted)
    masks = {layer: places[layer].of(mask).contiguous() for layer, mask in layer_masks(loose, network, wanted).items()}
    positions = {layer: h * w for layer, (h, w) in sizes(network, size).items() if layer in wanted}
    return Workspace(size, box, box.of(loose).contiguous(), reached, places, masks, positions)


@torch.no_grad()
def features_under(ring: Tensor, network: FeatureNetwork, painting: Tensor, space: Workspace) -> dict[str, Tensor]:
    """The painting's features where a mask on it is set, at every layer of the workspace.

    Args:
        ring: (h, w) bool at any layer's size; scaled to the others as published.
        painting: (3, H, W) RGB in [0, 1].

    Returns:
        (C, 1, n) by layer, in no order that means anything; layers where nothing is set are missing.
    """
    whole = sizes(network, space.size)
    rings = {layer: scale_nearest(ring, whole[layer]) for layer in space.places}
    found: dict[str, list[Tensor]] = {}
    for tile in tiles(network, space.size, rings, tile_area(space.box)):
        boxes = {layer: box_of(box.of(rings[layer])) for layer, box in tile.items()}
        wanted = {layer: box.beyond(tile[layer]) for layer, box in boxes.items() if box is not None}
        for layer, features in (features_in(network, painting, wanted) if wanted else {}).items():
            found.setdefault(layer, []).append(features[:, wanted[layer].of(rings[layer])])
    return {layer: torch.cat(parts, 1)[:, None] for layer, parts in found.items()}
