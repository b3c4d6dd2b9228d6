"""Features of many pictures at once, which training needs and harmonizing does not."""

from __future__ import annotations

from collections.abc import Collection

import torch.nn.functional as F
from torch import Tensor

from painterly_engine.network.features import POOL, FeatureNetwork


def batch_features(network: FeatureNetwork, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
    """As ``FeatureNetwork.forward``, for (N, 3, H, W) RGB in [0, 1]; gives (N, C, h, w) by name."""
    layout = network.layout
    x = images[:, list(layout.order)] * layout.pixel_scale
    x = (x - network.get_buffer("mean")) / network.get_buffer("scale")
    found: dict[str, Tensor] = {}
    for step in network.steps:
        if len(found) == len(layers):
            break
        if step == POOL:
            x = F.max_pool2d(x, 2, ceil_mode=layout.ceil_pool)
            continue
        reflect = layout.padding == "reflect"
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect") if reflect else x
        weight, bias = network.get_buffer(f"{step}_weight"), network.get_buffer(f"{step}_bias")
        x = F.relu(F.conv2d(padded, weight, bias, padding=0 if reflect else 1))
        if step in layers:
            found[step] = x
    return found
