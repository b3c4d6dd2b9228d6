"""A picture as the network sees it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from painterly_engine.losses.gram import gram_matrix
from painterly_engine.masks import layer_masks
from painterly_engine.network.features import FeatureNetwork


@dataclass(frozen=True)
class Seen:
    """
    Attributes:
        picture: (3, H, W) RGB in [0, 1].
        features: (C, h, w) by layer.
        covers: (h, w) in [0, 1] by layer, how much each position counts.
    """

    picture: Tensor
    features: Mapping[str, Tensor]
    covers: Mapping[str, Tensor]

    def grams(self, layers: Collection[str]) -> dict[str, Tensor]:
        """(C, C) by layer."""
        return {layer: gram_matrix(self.features[layer], self.covers[layer]) for layer in layers}


@torch.no_grad()
def see(picture: Tensor, network: FeatureNetwork, layers: Collection[str], mask: Tensor | None = None) -> Seen:
    """
    Args:
        picture: (3, H, W) RGB in [0, 1].
        mask: (H, W) in [0, 1], not 0 everywhere; None counts all positions alike.
    """
    features = features_of(picture, network, layers)
    if mask is None:
        return Seen(picture, features, {layer: torch.ones_like(found[0]) for layer, found in features.items()})
    return Seen(picture, features, layer_masks(mask, network, layers))


def features_of(picture: Tensor, network: FeatureNetwork, layers: Collection[str]) -> dict[str, Tensor]:
    """(C, h, w) by layer; differentiable."""
    found: dict[str, Tensor] = network(picture * network.layout.pixel_scale, layers)
    return found
