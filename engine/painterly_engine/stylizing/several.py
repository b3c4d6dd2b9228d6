"""``multi-style``: several paintings at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from painterly_engine.network.features import FeatureNetwork
from painterly_engine.progress import Observer
from painterly_engine.stylizing.descent import descend, start
from painterly_engine.stylizing.method import Several, as_given, shares
from painterly_engine.stylizing.sight import Seen, see
from painterly_engine.stylizing.terms import Objective, Term, besides_style, layers_read, style


def stylize_by_several(
    content: Tensor,
    paintings: Sequence[Tensor],
    network: FeatureNetwork,
    method: Several,
    observer: Observer,
    lends: Sequence[Tensor | None] = (),
) -> Tensor:
    """
    Args:
        content: (3, H, W) RGB in [0, 1].
        paintings: (3, H', W') each, of any size; at least one.
        network: with the layers that the method names, its poolings as the method wants them (``prepared``).
        observer: is told of every iteration.
        lends: (H', W') in [0, 1], how much of each place of each painting is imitated; all of it if None or not given.

    Returns:
        (3, H, W) in [0, 1].

    Raises:
        PainterlyError: BAD_REQUEST for a layer the network lacks or weights that do not fit, NOT_FINITE.
    """
    layers = layers_read(method.wanted, network)
    kept = see(content, network, layers)
    imitated = [see(painting, network, layers, places) for painting, places in zip_longest(paintings, lends)]
    terms = [*_styles(kept, imitated, method), *besides_style(kept, imitated, method.wanted)]
    objective = Objective(network, layers, terms)
    return descend(objective, start(content, method.walk), method.walk, observer, lambda picture: picture)


def _styles(kept: Seen, imitated: Sequence[Seen], method: Several) -> list[Term]:
    each = [one.grams(method.wanted.style_layers) for one in imitated]
    if method.combine == "losses":
        weights = shares(method.weights, len(each))
        return [Term("style", weight, style(one, kept.covers)) for weight, one in zip(weights, each, strict=True)]
    count = shares if method.combine == "mean" else as_given
    return [Term("style", 1.0, style(summed(each, count(method.weights, len(each))), kept.covers))]


def summed(grams: Sequence[Mapping[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """(C, C) by layer, weighted and added.

    With equal weights that add up to 1, and paintings of equal size, it is exactly the Gram matrix of all their
    positions together.
    """
    return {
        layer: torch.stack([weight * one[layer] for weight, one in zip(weights, grams, strict=True)]).sum(0)
        for layer in grams[0]
    }
