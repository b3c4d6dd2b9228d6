"""What of the painting is imitated: statistics of its features and colours, near the object above all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.finishing.colour import rgb_to_lab
from painterly_engine.instant.moments import Moments, moments, regular
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.resample import scale_bilinear

EVERYWHERE = 0.3
"""What the painting far from the object weighs, against 1 right beside it."""
SHRUNK = {"relu4_1": 2, "relu3_1": 1}
"""Whose statistics are imitated, in the order in which they are repainted, and by how much pictures are shrunk before:
the deep layer is there for large forms, which half the size shows for a quarter of the time."""
LAYERS = tuple(SHRUNK)
MATCHED = "relu4_1"
MOST_POSITIONS = 1024
"""Of the object, evenly drawn, that look for what resembles them."""
HALF = 0.5
GRID = 8
"""Pixels per position of the deepest layer."""
LEAST = 16
"""Pixels a side: two positions of the deepest layer, so that reflection has something to reflect."""
COARSE = 64
"""The distance from the object is felt on a grid of at most this many cells a side."""


@dataclass(frozen=True)
class Manner:
    """
    Attributes:
        features: moments by layer.
        colours: moments of L*a*b*.
    """

    features: dict[str, Moments]
    colours: Moments


@torch.no_grad()
def study(
    painting: Tensor,
    composite: Tensor,
    mask: Tensor,
    network: FeatureNetwork,
    layers: Collection[str] = LAYERS,
    weight: Tensor | None = None,
) -> Manner:
    """Learn a painting's manner for an object: from what is near it, and from what looks like it.

    Args:
        painting: (3, H, W) RGB in [0, 1], the whole of it or a wide part, with strokes as large as in the window that
            is to be repainted.
        composite: (3, H, W), the object pasted in; of any size where there is a weight.
        mask: (H, W) in [0, 1], the object's place in it: what of the painting is under it is not imitated.
        network: whose features.
        layers: of it.
        weight: (H, W) at least 0 and somewhere more, how much each pixel of the painting counts; by default the more,
            the nearer it is to the object.
    """
    found = {layer: features_of(painting, network, layer) for layer in layers}
    weight = attention(mask) if weight is None else weight
    matched = found[MATCHED] if MATCHED in found else features_of(painting, network, MATCHED)
    resembling = resemblance(matched, features_of(composite, network, MATCHED), mask, weight)
    weight = weight * (EVERYWHERE + F.interpolate(resembling[None, None], weight.shape, mode="bilinear")[0, 0])
    statistics = {
        layer: regular(moments(features, scale_bilinear(weight, (features.shape[1], features.shape[2]))))
        for layer, features in found.items()
    }
    return Manner(statistics, regular(moments(rgb_to_lab(painting), weight)))


def features_of(picture: Tensor, network: FeatureNetwork, layer: str) -> Tensor:
    """(C, h, w) features of a picture (3, H, W) in [0, 1], as ``prepared`` for the layer."""
    found: Tensor = network(prepared(picture, layer) * network.layout.pixel_scale, [layer])[layer]
    return found


def prepared(planes: Tensor, layer: str) -> Tensor:
    """(C, H, W) shrunk as the layer wants it, then to whole multiples of ``GRID`` and at least ``LEAST`` a side, its
    last row and column repeated."""
    size = shrunk_size(planes, layer)
    height, width = (max(LEAST, -(-side // GRID) * GRID) for side in size)
    small = scale_bilinear(planes, size)
    return F.pad(small[None], (0, width - size[1], 0, height - size[0]), mode="replicate")[0]


def shrunk_size(planes: Tensor, layer: str) -> tuple[int, int]:
    """(h, w) of (C, H, W) once shrunk for the layer, without what is repeated beyond its edges."""
    height, width = planes.shape[1:]
    return -(-height // SHRUNK[layer]), -(-width // SHRUNK[layer])


def resemblance(painting: Tensor, composite: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """How often each position of the painting is what the object's positions resemble most.

    Features are compared by the cosine once object and painting have the same mean and deviation in every channel: a
    photograph's are brighter all over.

    Args:
        painting: (C, h, w) features.
        composite: (C, h', w') features.
        mask: (H', W'), the object's place in the composite.
        weight: (H, W) at least 0, where the painting may be looked at.

    Returns:
        (h, w), spread over neighbours, its mean 1 where all of the object's positions found something.
    """
    size = (painting.shape[1], painting.shape[2])
    free = scale_bilinear(weight, size).flatten() > 0
    inside = scale_bilinear(mask, (composite.shape[1], composite.shape[2])).flatten() > HALF
    if not (free.any() and inside.any()):
        return torch.ones(size).to(painting)
    goal, own = (_alike(features.flatten(1)[:, some]) for features, some in ((painting, free), (composite, inside)))
    own = own[:, :: -(-own.shape[1] // MOST_POSITIONS)]
    nearest = (own.T @ goal).argmax(1)
    counts = torch.zeros(free.shape).to(painting)
    counts[free] = torch.bincount(nearest, minlength=goal.shape[1]).to(painting) * (free.sum() / len(nearest))
    return F.avg_pool2d(counts.view(1, 1, *size), 3, stride=1, padding=1)[0, 0]


def _alike(features: Tensor) -> Tensor:
    """(C, n), every channel standardised, then every position of length 1."""
    deviation = features.std(1, keepdim=True, correction=0)
    return F.normalize((features - features.mean(1, keepdim=True)) / (deviation + 1e-3), dim=0)


def attention(mask: Tensor) -> Tensor:
    """How much each pixel of the painting is looked at, (H, W): less with the distance, not at all under the mask.

    Where the mask leaves nothing of the painting free, all of it is looked at.
    """
    height, width = mask.shape
    coarse = scale_bilinear(mask, (min(COARSE, height), min(COARSE, width)))
    reach = 2 * round(float(coarse.mean()) ** 0.5 * COARSE / 2) + 9  # about as far as the object is wide
    near = coarse[None, None]
    for _ in range(2):
        near = F.avg_pool2d(near, reach, stride=1, padding=reach // 2, count_include_pad=False)
    near = scale_bilinear(near[0, 0] / near.max().clamp(min=1e-6), (height, width))
    free = 1 - (F.max_pool2d(mask[None], 9, stride=1, padding=4)[0])
    weight = free * (EVERYWHERE + (1 - EVERYWHERE) * near)
    return weight if bool(weight.sum() > 1) else torch.ones_like(mask)
