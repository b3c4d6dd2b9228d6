"""Pass 1: a coarse harmonization: each layer imitates the patches of the painting that fit best (algorithm.md 1.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from painterly_engine.injection import InjectedGradients, Module, Station
from painterly_engine.iterating import Iterations, for_iterating, optimise
from painterly_engine.lbfgs import Settings
from painterly_engine.losses.content import ContentLoss
from painterly_engine.losses.evaluation import Loss, silent, weighted
from painterly_engine.losses.gram import GramLoss, gram_matrix
from painterly_engine.losses.variation import variation_gradient
from painterly_engine.matching.coarse import match_at_any_size
from painterly_engine.matching.correlation import Query
from painterly_engine.matching.places import places
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.progress import Observer
from painterly_engine.recorded import Recorded
from painterly_engine.style import only_lent
from painterly_engine.window import features_in, sizes, whole_features
from painterly_engine.workspace import Workspace, tile_area, workspace
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
    lends: Tensor | None = None,
) -> Tensor:
    """Moves the composite's pixels under the loose mask.

    Args:
        composite: (3, H, W) RGB in [0, 1].
        painting: (3, H, W).
        loose: (H, W) in [0, 1].
        network: style layers it lacks are dropped; content is kept at relu4_1 or the deepest layer before it.
        iterations: at most; the pass ends early when it stops moving.
        observer: is told at every iteration.
        lends: (H, W) in [0, 1], how much of each place of the painting may be imitated; None: all of it.

    Returns:
        (3, H, W), about 0 to 1, neither clamped nor blended.
    """
    network, scale = for_iterating(network), network.layout.pixel_scale
    styled, content = network.available(STYLE_LAYERS), network.deepest(CONTENT_LAYER)
    space = workspace(loose, network, {*styled, content})
    if space is None:
        return composite.clone()
    stations = _stations(composite, painting, lends, space, network, observer)
    injected = Recorded(InjectedGradients(network, stations))
    counter = Iterations(observer, Phase.PASS_ONE, iterations, composite, space.box, scale, MATCHING_SHARE)

    def evaluate(pixels: Tensor) -> tuple[Tensor, Tensor]:
        values, gradient = injected(pixels)
        counter.tick(pixels, values)
        gradient = space.loose * (gradient + VARIATION_WEIGHT * variation_gradient(pixels))
        return torch.stack(list(values.values())).sum(), gradient

    settings = Settings(iterations, LEARNING_RATE, largest_step=scale)
    return optimise(evaluate, composite, space, network.layout, settings)


@torch.no_grad()
def _stations(
    composite: Tensor,
    painting: Tensor,
    lends: Tensor | None,
    space: Workspace,
    network: FeatureNetwork,
    observer: Observer,
) -> dict[str, Station]:
    """Losses by layer. Style is met before content on the way down."""
    styled, content = network.available(STYLE_LAYERS), network.deepest(CONTENT_LAYER)
    modules: dict[str, list[Module]] = {layer: [] for layer in space.masks}
    for layer, matched in _matched_features(composite, painting, lends, space, styled, network, observer).items():
        modules[layer].append(Module("style", _style_loss(matched, space, layer)))
    modules[content].append(Module("content", _content_loss(composite, space, content, network)))
    return {layer: Station(mask, modules[layer]) for layer, mask in space.masks.items()}


def _matched_features(
    composite: Tensor,
    painting: Tensor,
    lends: Tensor | None,
    space: Workspace,
    styled: tuple[str, ...],
    network: FeatureNetwork,
    observer: Observer,
) -> dict[str, Tensor]:
    """By layer, the painting's features (C, h, w) that fit best at the positions the mask reaches."""
    if not styled:
        return {}
    size = sizes(network, space.size)
    given = {layer: space.reached[layer].grown(1, size[layer]) for layer in styled}
    kept = features_in(network, composite, given)
    imitated = whole_features(network, painting, styled, tile_area(space.box))
    matched: dict[str, Tensor] = {}
    for index, layer in enumerate(styled):

        def report(fraction: float, index: int = index) -> None:
            observer.report(Phase.PASS_ONE, MATCHING_SHARE * (index + fraction) / len(styled))

        query = Query(space.reached[layer], given[layer], size[layer])
        features = only_lent(imitated.pop(layer), lends)
        field = match_at_any_size(kept.pop(layer), features, report, query=query)
        observer.intermediate(f"matches at {layer}, first pass", places(query.in_whole(field), size[layer]))
        matched[layer] = features.flatten(1)[:, field.flatten()].view(len(features), *field.shape)
    return matched


def _style_loss(matched: Tensor, space: Workspace, layer: str) -> Loss:
    mask = space.masks[layer]
    if not mask.any():
        return silent
    reached = space.reached[layer].within(space.places[layer])
    return weighted(GramLoss(gram_matrix(matched, reached.of(mask)), mask), STYLE_WEIGHT)


def _content_loss(composite: Tensor, space: Workspace, layer: str, network: FeatureNetwork) -> Loss:
    """Published unmasked, so that its value counts all of the picture; what it sends down is masked as all is.

    Outside the workspace no feature ever differs from the target's: only their number is missing there.
    """
    target = network(space.box.of(composite) * network.layout.pixel_scale, [layer])[layer]
    count = len(target) * space.positions[layer]
    weight = CONTENT_WEIGHT * network.layout.content_pull
    return weighted(ContentLoss(target, target.new_ones(()), count), weight)
