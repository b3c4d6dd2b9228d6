"""``global``: the whole picture in a painting's manner (Gatys, Ecker & Bethge 2016)."""

from __future__ import annotations

from torch import Tensor

from painterly_engine.network.features import FeatureNetwork
from painterly_engine.progress import Observer
from painterly_engine.stylizing.descent import descend, start
from painterly_engine.stylizing.method import Whole
from painterly_engine.stylizing.sight import see
from painterly_engine.stylizing.terms import Objective, Term, besides_style, layers_read, style


def stylize_whole(
    content: Tensor,
    painting: Tensor,
    network: FeatureNetwork,
    method: Whole,
    observer: Observer,
    lends: Tensor | None = None,
) -> Tensor:
    """
    Args:
        content: (3, H, W) RGB in [0, 1].
        painting: (3, H', W').
        network: with the layers that the method names, its poolings as the method wants them (``prepared``).
        observer: is told of every iteration.
        lends: (H', W') in [0, 1], how much of each place of the painting is imitated; all of it if None.

    Returns:
        (3, H, W) in [0, 1].

    Raises:
        PainterlyError: BAD_REQUEST for a layer the network lacks, NOT_FINITE.
    """
    layers = layers_read(method.wanted, network)
    kept, imitated = see(content, network, layers), see(painting, network, layers, lends)
    terms = [
        Term("style", 1.0, style(imitated.grams(method.wanted.style_layers), kept.covers)),
        *besides_style(kept, [imitated], method.wanted),
    ]
    objective = Objective(network, layers, terms)
    return descend(objective, start(content, method.walk), method.walk, observer, lambda picture: picture)
