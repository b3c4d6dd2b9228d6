"""Pass 1: a coarse harmonization: each layer imitates the patches of the painting that fit best (algorithm.md 1.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from painterly_engine.injection import InjectedGradients, Module, Station
from painterly_engine.iterating import Iterations, optimise
from painterly_engine.lbfgs import Settings
from painterly_engine.losses.content import ContentLoss
from painterly_engine.losses.evaluation import Loss, silent, weighted
from painterly_engine.losses.gram import GramLoss, gram_matrix
from painterly_engine.losses.variation import variation_gradient
from painterly_engine.masks import layer_masks
from painterly_engine.matching.cosine import match_patches
from painterly_engine.matching.places import places
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.progress import Observer
from painterly_protocol.messages import Phase

STYLE_LAYERS = ("relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_1"
CONTENT_WEIGHT, STYLE_WEIGHT, VARIATION_WEIGHT = 5.0, 100.0, 1e-3
LEARNING_RATE = 1.0
MATCHING_SHARE = 0.05  # of the pass's progress


def run_pass_one(
    composite: Tensor,
    painting: Tensor,
    loose: Tensor,
    network: FeatureNetwork,
    *,
    iterations: int,
    observer: Observer,
) -> Tensor:
    """Moves the composite's pixels under the loose mask.

    Args:
        composite: (3, H, W) RGB in [0, 1].
        painting: (3, H, W).
        loose: (H, W) in [0, 1].
        network: style layers it lacks are dropped; content is kept at relu4_1 or the deepest layer before it.
        iterations: at most; the pass ends early when it stops moving.
        observer: is told at every iteration.

    Returns:
        (3, H, W), about 0 to 1, neither clamped nor blended.
    """
    network, scale = network.amplified(), network.layout.pixel_scale
    stations = _stations(composite * scale, painting * scale, loose, network, observer)
    injected = InjectedGradients(network, stations)
    counter = Iterations(observer, Phase.PASS_ONE, iterations, scale, MATCHING_SHARE)

    def evaluate(pixels: Tensor) -> tuple[Tensor, Tensor]:
        values, gradient = injected(pixels)
        counter.tick(pixels, values)
        gradient = loose * (gradient + VARIATION_WEIGHT * variation_gradient(pixels))
        return torch.stack(list(values.values())).sum(), gradient

    return optimise(evaluate, composite, network.layout, Settings(iterations, LEARNING_RATE, largest_step=scale))


@torch.no_grad()
def _stations(
    composite: Tensor, painting: Tensor, loose: Tensor, network: FeatureNetwork, observer: Observer
) -> dict[str, Station]:
    """Losses by layer; pictures in pixel values. Style is met before content on the way down."""
    styled = network.available(STYLE_LAYERS)
    content = network.deepest(CONTENT_LAYER)
    layers = {*styled, content}
    kept, imitated = network(composite, layers), network(painting, layers)
    masks = layer_masks(loose, network, layers)

    modules: dict[str, list[Module]] = {layer: [] for layer in layers}
    for index, layer in enumerate(styled):

        def report(fraction: float, index: int = index) -> None:
            observer.report(Phase.PASS_ONE, MATCHING_SHARE * (index + fraction) / len(styled))

        field = match_patches(kept[layer], imitated[layer], report)
        observer.intermediate(f"matches at {layer}, first pass", places(field, imitated[layer].shape[1:]))
        matched = imitated[layer].flatten(1)[:, field.flatten()].view_as(kept[layer])
        modules[layer].append(Module("style", _style_loss(matched, masks[layer])))
    modules[content].append(Module("content", _content_loss(kept[content])))
    return {layer: Station(masks[layer], modules[layer]) for layer in layers}


def _style_loss(matched: Tensor, mask: Tensor) -> Loss:
    if not mask.any():
        return silent
    return weighted(GramLoss(gram_matrix(matched, mask), mask), STYLE_WEIGHT)


def _content_loss(target: Tensor) -> Loss:
    """Published unmasked, so that its value counts all of the picture; what it sends down is masked as all is."""
    return weighted(ContentLoss(target, target.new_ones(())), CONTENT_WEIGHT)
