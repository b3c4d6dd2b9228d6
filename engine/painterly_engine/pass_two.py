"""Pass 2: the fine harmonization, towards the statistics of the painting's chosen positions (algorithm.md 1.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from painterly_engine.balance import Balance
from painterly_engine.injection import InjectedGradients, Module, Station
from painterly_engine.iterating import Iterations, optimise
from painterly_engine.lbfgs import Settings
from painterly_engine.losses.content import ContentLoss
from painterly_engine.losses.evaluation import Loss, normalised, silent, unit_gradient
from painterly_engine.losses.gram import GramLoss, gram_matrix
from painterly_engine.losses.histogram import HistogramLoss
from painterly_engine.losses.variation import variation_gradient
from painterly_engine.masks import layer_masks
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.progress import Observer
from painterly_engine.resample import scale_nearest
from painterly_protocol.messages import Phase

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SHALLOW_HISTOGRAM_LAYER, DEEP_HISTOGRAM_LAYER = "relu1_1", "relu4_1"
CONTENT_LAYER = "relu4_1"
INSIDE = 0.1  # mask values above this belong to the histogram
LEARNING_RATE = 0.1
NEVER = -1.0  # tolerances that stop nothing; the published run also accepts ascent directions of slope below 1


def run_pass_two(
    composite: Tensor,
    painting: Tensor,
    loose: Tensor,
    ring: Tensor,
    network: FeatureNetwork,
    *,
    weights: Balance,
    iterations: int,
    observer: Observer,
) -> Tensor:
    """Moves the composite's pixels (not pass 1's) under the loose mask.

    Args:
        composite: (3, H, W) RGB in [0, 1].
        painting: (3, H, W).
        loose: (H, W) in [0, 1].
        ring: (h, w) bool at the reference layer, the painting's positions to imitate; where it is empty there is
            nothing to imitate and style and histogram are silent.
        network: style layers it lacks are dropped; content and the deep histogram use relu4_1 or the deepest before.
        weights: a weight below a thousandth of the largest is taken for 0.
        iterations: exactly so many.
        observer: is told at every iteration.

    Returns:
        (3, H, W), about 0 to 1, neither clamped nor blended.
    """
    network, scale = network.amplified(), network.layout.pixel_scale
    stations = _stations(composite * scale, painting * scale, loose, ring, network, weights)
    injected = InjectedGradients(network, stations)
    counter = Iterations(observer, Phase.PASS_TWO, iterations, scale)
    smooths = weights.matters(weights.variation)

    def evaluate(pixels: Tensor) -> tuple[Tensor, Tensor]:
        values, gradient = injected(pixels)
        counter.tick(pixels, values)
        if smooths:
            gradient = gradient + weights.variation * normalised(loose * variation_gradient(pixels))
        gradient = loose * (loose * gradient)
        return gradient.new_zeros(()), gradient

    settings = Settings(iterations, LEARNING_RATE, gradient_tolerance=NEVER, change_tolerance=NEVER, largest_step=scale)
    return optimise(evaluate, composite, network.layout, settings)


@torch.no_grad()
def _stations(
    composite: Tensor, painting: Tensor, loose: Tensor, ring: Tensor, network: FeatureNetwork, weights: Balance
) -> dict[str, Station]:
    """Losses by layer; pictures in pixel values. The way down meets histogram, then style, then content."""
    styled = network.available(STYLE_LAYERS)
    histograms = {*network.available([SHALLOW_HISTOGRAM_LAYER]), network.deepest(DEEP_HISTOGRAM_LAYER)}
    content = network.deepest(CONTENT_LAYER)
    layers = {*styled, *histograms, content}
    kept, imitated = network(composite, [content]), network(painting, layers)
    masks = layer_masks(loose, network, layers)
    rings = {layer: scale_nearest(ring, (imitated[layer].shape[1], imitated[layer].shape[2])) for layer in layers}

    def modules(layer: str) -> list[Module]:
        mask, chosen, features = masks[layer], rings[layer], imitated[layer]
        found: list[Module] = []
        if layer in histograms:
            found.append(Module("histogram", _histogram_loss(features, chosen, mask, weights)))
        if layer in styled:
            found.append(Module("style", _style_loss(features, chosen, mask, weights)))
        if layer == content:
            loss = unit_gradient(ContentLoss(kept[layer], mask), weights.content, mask)
            found.append(Module("content", loss))
        return found

    return {layer: Station(masks[layer], modules(layer)) for layer in layers}


def _style_loss(features: Tensor, ring: Tensor, mask: Tensor, weights: Balance) -> Loss:
    if not (ring.any() and mask.any() and weights.matters(weights.style)):
        return silent
    return unit_gradient(GramLoss(gram_matrix(features, ring.to(features)), mask), weights.style, mask)


def _histogram_loss(features: Tensor, ring: Tensor, mask: Tensor, weights: Balance) -> Loss:
    inside = mask > INSIDE
    if not (ring.any() and inside.any() and weights.matters(weights.histogram)):
        return silent
    return unit_gradient(HistogramLoss(features, ring, inside), weights.histogram, features.new_ones(()))
