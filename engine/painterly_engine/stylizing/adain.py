"""``adain``: one feed-forward pass (Huang & Belongie 2017) through the built-in network and its decoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from painterly_engine.instant.manner import features_of, shrunk_size
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.resample import scale_bilinear
from painterly_engine.stylizing.method import Adain, shares

TINY = 1e-8


@torch.no_grad()
def stylize_adain(
    content: Tensor,
    paintings: Sequence[Tensor],
    network: FeatureNetwork,
    decoders: Mapping[str, nn.Module],
    method: Adain,
    mask: Tensor | None = None,
    lends: Tensor | None = None,
) -> Tensor:
    """
    Args:
        content: (3, H, W) RGB in [0, 1].
        paintings: (3, H', W') each, of any size; at least one.
        network: that the decoders belong to.
        decoders: by layer.
        mask: (H, W) in [0, 1]: only what is under it is measured; everything is changed.
        lends: (H', W') in [0, 1], how much of each place of every painting is imitated; all of it if None.

    Returns:
        (3, H, W) in [0, 1]; with alpha 0 the content itself.

    Raises:
        PainterlyError: BAD_REQUEST for weights that do not fit.
    """
    layer, decoder = method.layer, decoders[method.layer]
    features = features_of(content, network, layer)
    cover = None if mask is None else _at(mask, features)
    goal = torch.zeros_like(features)
    for share, painting in zip(shares(method.weights, len(paintings)), paintings, strict=True):
        imitated = features_of(painting, network, layer)
        goal += share * restated(features, imitated, cover, None if lends is None else _at(lends, imitated))
    mixed = torch.lerp(features, goal, method.alpha)
    before, after = _decoded(torch.stack([features, mixed]), decoder, content, layer)
    # What the decoder cannot give back is the content's own, and goes as the content goes.
    found: Tensor = (content + (after - before) + method.alpha * (before - content)).clamp(0, 1)
    return found


def restated(features: Tensor, painting: Tensor, cover: Tensor | None = None, lends: Tensor | None = None) -> Tensor:
    """Features (C, h, w) with the painting's (C, h', w') mean and deviation in every channel.

    Args:
        cover: (h, w), where the features are measured; everywhere if None.
        lends: (h', w'), where the painting's are.
    """
    mean, deviation = _statistics(features, torch.ones_like(features[0]) if cover is None else cover)
    wanted_mean, wanted_deviation = _statistics(painting, torch.ones_like(painting[0]) if lends is None else lends)
    return (features - mean) / (deviation + TINY) * wanted_deviation + wanted_mean


def _statistics(features: Tensor, cover: Tensor) -> tuple[Tensor, Tensor]:
    """(C, 1, 1) each."""
    share = cover / (cover.sum() + TINY)
    mean = (features * share).sum((1, 2), keepdim=True)
    return mean, ((features - mean).square() * share).sum((1, 2), keepdim=True).sqrt()


def _at(plane: Tensor, features: Tensor) -> Tensor:
    """(H, W) averaged to the features' size."""
    return scale_bilinear(plane, (features.shape[1], features.shape[2]))


def _decoded(features: Tensor, decoder: nn.Module, content: Tensor, layer: str) -> Tensor:
    """(N, 3, H, W) of features (N, C, h, w) that came from pictures of the content's size."""
    height, width = shrunk_size(content, layer)
    found: Tensor = decoder(features.contiguous(memory_format=torch.channels_last))[..., :height, :width]
    if found.shape[2:] == content.shape[1:]:
        return found
    return F.interpolate(found, content.shape[1:], mode="bilinear", align_corners=False)
