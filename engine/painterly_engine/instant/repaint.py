"""The instant preset: one feed-forward pass, coarse features first, no optimisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from painterly_engine.finishing.colour import lab_to_rgb, rgb_to_lab
from painterly_engine.instant.manner import LAYERS, Manner, features_of, prepared, shrunk_size
from painterly_engine.instant.moments import Moments, moments, regular, transport
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.resample import scale_bilinear
from painterly_engine.window import box_of

MARGIN = 16
"""Pixels around the weight that are looked at too, so that what is repainted knows its surroundings."""
FEATURE_STRETCH = 1.5
"""No direction of the object's features is stretched by more: beyond, the decoder makes blotches of it."""
COLOUR_STRETCH = 1.0
"""Colours are moved, and drawn together where the painting's are; a quiet object does not grow gaudy."""

COLOURS = "colours"

Measure = Callable[[str, Tensor, Tensor], Moments]
"""Moments of what a layer, or ``COLOURS``, says of the object: of (C, h, w) under a weight (h, w)."""


def measured(_what: str, features: Tensor, weight: Tensor) -> Moments:
    """As they are in this picture."""
    return moments(features, weight)


@torch.no_grad()
def instant_harmonize(
    composite: Tensor,
    weight: Tensor,
    manner: Manner,
    network: FeatureNetwork,
    decoders: Mapping[str, nn.Module],
    *,
    strength: float = 0.5,
    detail: float = 0.5,
    measure: Measure = measured,
) -> Tensor:
    """Repaint what lies under the weight in the painting's manner.

    At each layer the object's feature statistics become the painting's, and what that changes in the decoded picture
    is added to the picture: what the decoder cannot give back is never lost. Then the colours' statistics are carried
    over.

    Args:
        composite: (3, h, w) RGB in [0, 1], the window around the object, the object pasted in.
        weight: (h, w) in [0, 1], where the object is.
        manner: of the painting, with the layers of ``decoders``.
        network: that the decoders belong to.
        decoders: by layer; those of ``LAYERS`` that are there are used.
        strength: 0 leaves the composite as it is, 1 gives the painting's statistics in full, and half of it already
            three quarters of the way.
        detail: how much of the object's own fine detail is kept, of what the decoder cannot give back; 0 to 1.
        measure: tells the object's own moments; a video's change less from frame to frame than frames do.

    Returns:
        (3, h, w) RGB in [0, 1], not yet blended with the painting: the composite around the weight's box, and
        about that where the weight is 0.
    """
    place = box_of(weight)
    found = composite.clone()
    if place is None:
        return found
    box = place.grown(MARGIN, (weight.shape[0], weight.shape[1]))
    inside, amount = box.of(weight), 1 - (1 - strength) ** 2
    picture = box.of(composite)
    for layer in LAYERS:
        if layer in decoders:
            before, after = _given_back(picture, inside, layer, manner, network, decoders[layer], amount, measure)
            if layer == LAYERS[-1]:
                picture = picture + after - before - (picture - before) * amount * inside * (1 - detail)
            else:
                # the deep layer says where light and dark belong; of colours it knows too little
                picture = picture + (after - before).mean(0, keepdim=True)
    box.of(found).copy_(_recolour(picture, inside, manner, amount, measure))
    return found


def restated(features: Tensor, weight: Tensor, manner: Manner, layer: str, measure: Measure = measured) -> Tensor:
    """(C, h, w) features with the painting's moments under the weight (h, w), as far as ``FEATURE_STRETCH`` allows."""
    return transport(features, regular(measure(layer, features, weight)), manner.features[layer], FEATURE_STRETCH)


def _given_back(
    picture: Tensor,
    weight: Tensor,
    layer: str,
    manner: Manner,
    network: FeatureNetwork,
    decoder: nn.Module,
    amount: float,
    measure: Measure,
) -> Tensor:
    """What the decoder makes of the picture's features as they are and with the painting's statistics, (2, 3, h, w)."""
    features = features_of(picture, network, layer)
    share = scale_bilinear(prepared(weight[None], layer)[0], (features.shape[1], features.shape[2]))
    goal = features + amount * share * (restated(features, share, manner, layer, measure) - features)
    both = torch.stack([features, goal.clamp(min=0)]).contiguous(memory_format=torch.channels_last)
    height, width = shrunk_size(picture, layer)
    decoded: Tensor = decoder(both)[..., :height, :width]
    if decoded.shape[2:] == picture.shape[1:]:
        return decoded
    return F.interpolate(decoded, picture.shape[1:], mode="bilinear", align_corners=False)


def _recolour(picture: Tensor, weight: Tensor, manner: Manner, amount: float, measure: Measure) -> Tensor:
    lab = rgb_to_lab(picture.clamp(0, 1))
    goal = transport(lab, regular(measure(COLOURS, lab, weight)), manner.colours, COLOUR_STRETCH)
    return lab_to_rgb(lab + amount * weight * (goal - lab))
