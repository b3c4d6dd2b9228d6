"""What is lost: style, content, histograms, roughness; each a function of the picture's features with a real gradient,
each relative to its own target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from painterly_engine.losses.gram import gram_matrix
from painterly_engine.losses.histogram import HistogramLoss
from painterly_engine.losses.variation import corner_variation
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.stylizing.method import Wanted, check_layers
from painterly_engine.stylizing.sight import Seen, features_of

HISTOGRAM_LAYERS = ("relu1_1", "relu4_1")
TINY = 1e-8
INSIDE = 0.5
"""Cover from which a position's features take part in histograms."""

Features = Mapping[str, Tensor]
Loss = Callable[[Features, Tensor], Tensor]
"""(features (C, h, w) by layer, picture (3, H, W)) -> 0-dimensional; differentiable."""


@dataclass(frozen=True)
class Term:
    """A part of the sum; ``name`` is what it is reported under."""

    name: str
    weight: float
    loss: Loss


class Objective:
    """The weighted terms, by name, of a picture (3, H, W) RGB in about [0, 1]; differentiable. Their sum is what a
    method makes less.

    Args:
        network: any that has the layers.
        layers: that the terms read.
        terms: those of weight 0 are left out.
    """

    def __init__(self, network: FeatureNetwork, layers: set[str], terms: Sequence[Term]) -> None:
        self.network, self.layers, self.terms = network, layers, [term for term in terms if term.weight > 0]

    def __call__(self, picture: Tensor) -> dict[str, Tensor]:
        features = features_of(picture, self.network, self.layers)
        found: dict[str, Tensor] = {}
        for term in self.terms:
            found[term.name] = found.get(term.name, 0) + term.weight * term.loss(features, picture)
        return found


def layers_read(wanted: Wanted, network: FeatureNetwork) -> set[str]:
    """By all that is wanted.

    Raises:
        PainterlyError: BAD_REQUEST for a layer that the network lacks.
    """
    named = {*wanted.style_layers, wanted.content_layer}
    check_layers(sorted(named), network.layers, network.name)
    return named | (set(network.available(HISTOGRAM_LAYERS)) if wanted.histogram > 0 else set())


def besides_style(content: Seen, paintings: Sequence[Seen], wanted: Wanted) -> list[Term]:
    """All other terms."""
    found = [
        Term("content", wanted.ratio, keeping(content, wanted.content_layer, wanted.content_loss)),
        Term("variation", wanted.variation, variation([painting.picture for painting in paintings])),
    ]
    if wanted.histogram > 0:
        layers = [layer for layer in HISTOGRAM_LAYERS if layer in content.features]
        weight = wanted.histogram / len(layers)
        found += [Term("histogram", weight, histogram(content, paintings, layer)) for layer in layers]
    return found


def style(targets: Mapping[str, Tensor], covers: Mapping[str, Tensor]) -> Loss:
    """Mean over the layers of ‖G − G'‖² / ‖G'‖² (Gatys et al. 2016, made relative).

    Args:
        targets: (C, C) by layer.
        covers: (h, w) by layer, of the picture.
    """

    def loss(features: Features, picture: Tensor) -> Tensor:  # noqa: ARG001 - every term's signature
        found = [
            (gram_matrix(features[layer], covers[layer]) - target).square().sum() / (target.square().sum() + TINY)
            for layer, target in targets.items()
        ]
        return torch.stack(found).mean()

    return loss


def keeping(content: Seen, layer: str, kind: str) -> Loss:
    """How much of the content's features is lost, by ``squared`` ("mse") or ``uncorrelated`` ("ncc")."""
    measure = {"mse": squared, "ncc": uncorrelated}[kind]
    target, cover = content.features[layer], content.covers[layer]

    def loss(features: Features, picture: Tensor) -> Tensor:  # noqa: ARG001
        return measure(features[layer], target, cover)

    return loss


def squared(features: Tensor, target: Tensor, cover: Tensor) -> Tensor:
    """‖F − F'‖² / ‖F'‖² under a cover (h, w): 0 for the same."""
    return ((features - target).square() * cover).sum() / ((target.square() * cover).sum() + TINY)


def uncorrelated(features: Tensor, target: Tensor, cover: Tensor) -> Tensor:
    """1 − normalised cross-correlation, 0 to 2. Blind to one gain, and to an offset in every channel."""
    share = cover / (cover.sum() + TINY)
    one, other = (planes - (planes * share).sum((1, 2), keepdim=True) for planes in (features, target))
    together = (one * other * share).sum()
    alone = ((one.square() * share).sum() * (other.square() * share).sum()).clamp(min=TINY**2).sqrt()
    return 1 - together / alone


def histogram(content: Seen, paintings: Sequence[Seen], layer: str) -> Loss:
    """How far each channel's values are from the paintings' of equal rank, relative to those."""
    imitated = torch.cat([painting.features[layer].flatten(1) for painting in paintings], 1)[:, None]
    cover = content.covers[layer]
    inside = cover >= min(INSIDE, float(cover.max()))
    remapped = HistogramLoss(imitated, torch.ones_like(imitated[0], dtype=torch.bool), inside)
    energy = remapped.by_rank.square().sum() + TINY

    def loss(features: Features, picture: Tensor) -> Tensor:  # noqa: ARG001
        found = features[layer]
        wanted = found.detach() - remapped(found.detach()).gradient
        return (found - wanted).square().sum() / energy

    return loss


def variation(paintings: Sequence[Tensor]) -> Loss:
    """Total variation of the picture, the mean of the paintings' (3, H, W) being 1."""
    usual = torch.stack([corner_variation(painting).mean() for painting in paintings]).mean() + TINY

    def loss(features: Features, picture: Tensor) -> Tensor:  # noqa: ARG001
        return corner_variation(picture).mean() / usual

    return loss
