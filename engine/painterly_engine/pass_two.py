"""Pass 2: the fine harmonization, towards the statistics of the painting's chosen positions (algorithm.md 1.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from painterly_engine.balance import Balance
from painterly_engine.injection import InjectedGradients, Module, Station
from painterly_engine.iterating import Iterations, for_iterating, optimise
from painterly_engine.lbfgs import Settings
from painterly_engine.losses.content import ContentLoss
from painterly_engine.losses.evaluation import Loss, normalised, silent, unit_gradient
from painterly_engine.losses.gram import GramLoss, gram_matrix
from painterly_engine.losses.histogram import HistogramLoss
from painterly_engine.losses.variation import variation_gradient
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.progress import Observer
from painterly_engine.recorded import Recorded
from painterly_engine.workspace import Workspace, features_under, workspace
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
    network, scale = for_iterating(network), network.layout.pixel_scale
    space = workspace(loose, network, _layers(network))
    if space is None:
        return composite.clone()
    stations = _stations(composite, painting, space, ring, network, weights)
    injected = Recorded(InjectedGradients(network, stations))
    counter = Iterations(observer, Phase.PASS_TWO, iterations, composite, space.box, scale)
    smooths = weights.matters(weights.variation)

    def evaluate(pixels: Tensor) -> tuple[Tensor, Tensor]:
        values, gradient = injected(pixels)
        counter.tick(pixels, values)
        if smooths:
            gradient = gradient + weights.variation * normalised(space.loose * variation_gradient(pixels))
        gradient = space.loose * (space.loose * gradient)
        return gradient.new_zeros(()), gradient

    settings = Settings(iterations, LEARNING_RATE, gradient_tolerance=NEVER, change_tolerance=NEVER, largest_step=scale)
    return optimise(evaluate, composite, space, network.layout, settings)


def _layers(network: FeatureNetwork) -> set[str]:
    return {*network.available(STYLE_LAYERS), *_histogram_layers(network), _content_layer(network)}


def _content_layer(network: FeatureNetwork) -> str:
    return network.deepest(CONTENT_LAYER)


def _histogram_layers(network: FeatureNetwork) -> set[str]:
    return {*network.available([SHALLOW_HISTOGRAM_LAYER]), network.deepest(DEEP_HISTOGRAM_LAYER)}


@torch.no_grad()
def _stations(
    composite: Tensor, painting: Tensor, space: Workspace, ring: Tensor, network: FeatureNetwork, weights: Balance
) -> dict[str, Station]:
    """Losses by layer. The way down meets histogram, then style, then content."""
    styled, histograms, content = network.available(STYLE_LAYERS), _histogram_layers(network), _content_layer(network)
    lent = features_under(ring, network, painting, space)

    def modules(layer: str) -> list[Module]:
        found: list[Module] = []
        if layer in histograms:
            found.append(Module("histogram", _histogram_loss(lent.get(layer), space, layer, weights)))
        if layer in styled:
            found.append(Module("style", _style_loss(lent.get(layer), space.masks[layer], weights)))
        if layer == content:
            found.append(Module("content", _content_loss(composite, space, layer, network, weights)))
        return found

    return {layer: Station(mask, modules(layer)) for layer, mask in space.masks.items()}


def _style_loss(lent: Tensor | None, mask: Tensor, weights: Balance) -> Loss:
    if lent is None or not (mask.any() and weights.matters(weights.style)):
        return silent
    return unit_gradient(GramLoss(gram_matrix(lent, lent.new_ones(lent.shape[1:])), mask), weights.style, mask)


def _histogram_loss(lent: Tensor | None, space: Workspace, layer: str, weights: Balance) -> Loss:
    inside = space.masks[layer] > INSIDE
    if lent is None or not (inside.any() and weights.matters(weights.histogram)):
        return silent
    everywhere = torch.ones(lent.shape[1:], dtype=torch.bool, device=lent.device)
    loss = HistogramLoss(lent, everywhere, inside, space.positions[layer])
    return unit_gradient(loss, weights.histogram, lent.new_ones(()))


def _content_loss(composite: Tensor, space: Workspace, layer: str, network: FeatureNetwork, weights: Balance) -> Loss:
    target = network(space.box.of(composite) * network.layout.pixel_scale, [layer])[layer]
    loss = ContentLoss(target, space.masks[layer], len(target) * space.positions[layer])
    return unit_gradient(loss, weights.content, space.masks[layer])
