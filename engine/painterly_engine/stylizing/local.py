"""``local``: what lies in a mask in a painting's manner: the losses see nothing else, and nothing else moves."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from painterly_engine.network.features import FeatureNetwork
from painterly_engine.progress import Observer
from painterly_engine.repaint.support import gaussian, largest_around
from painterly_engine.resample import resize
from painterly_engine.stylizing.descent import descend, start
from painterly_engine.stylizing.method import Local
from painterly_engine.stylizing.sight import Seen, see
from painterly_engine.stylizing.terms import Objective, Term, besides_style, layers_read, style
from painterly_engine.window import Box, box_of
from painterly_protocol.errors import ErrorCode, PainterlyError

MARGIN = 48
"""Pixels around the mask that are computed too: the features under it depend on them."""


def stylize_local(
    content: Tensor,
    painting: Tensor,
    mask: Tensor,
    network: FeatureNetwork,
    method: Local,
    observer: Observer,
    *,
    here: Tensor | None = None,
    lends: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """
    Args:
        content: (3, H, W) RGB in [0, 1].
        painting: (3, H', W').
        mask: (H, W) in [0, 1].
        network: with the layers that the method names, its poolings as the method wants them (``prepared``).
        observer: is told of every iteration.
        here: (3, H'', W''), the painting where the content is, so that the mask has a place in it; without it there is
            no local Gram matrix.
        lends: (H', W') in [0, 1], how much of each place of the painting is imitated; all of it if None.

    Returns:
        (3, H, W) in [0, 1], the content outside the grown mask, and (H, W), how much of it shows: the grown mask with
        its edge softened.

    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST for a layer the network lacks, NOT_FINITE.
    """
    grown = largest_around(mask, method.dilation)
    box = _surroundings(grown, network)
    inside, part = box.of(grown), box.of(content)
    layers = layers_read(method.wanted, network)
    kept = see(part, network, layers, inside)
    imitated = see(painting, network, layers, lends)
    targets = imitated.grams(method.wanted.style_layers)
    if here is not None and method.local_share > 0:
        targets = _mixed(targets, see(here, network, layers, resize(grown, (here.shape[1], here.shape[2]))), method)
    terms = [
        Term("style", 1.0, style(targets, kept.covers)),
        *besides_style(kept, [imitated], method.wanted),
    ]
    seen = Objective(network, layers, terms)

    def blended(picture: Tensor) -> Tensor:
        return torch.lerp(part, picture, inside)

    def shown(picture: Tensor) -> Tensor:
        whole = content.clone()
        box.of(whole).copy_(blended(picture))
        return whole

    found = descend(lambda picture: seen(blended(picture)), start(part, method.walk), method.walk, observer, shown)
    return shown(found), softened(grown, method.edge)


def softened(mask: Tensor, sigma: float) -> Tensor:
    """(H, W) blurred; exactly 0 further than three times the deviation from the mask."""
    return mask if sigma == 0 else gaussian(mask, sigma).clamp(0, 1)


def _mixed(everywhere: Mapping[str, Tensor], here: Seen, method: Local) -> dict[str, Tensor]:
    """The painting's Gram matrices at the mask's place and all over."""
    local = here.grams(method.wanted.style_layers)
    return {layer: torch.lerp(gram, local[layer], method.local_share) for layer, gram in everywhere.items()}


def _surroundings(mask: Tensor, network: FeatureNetwork) -> Box:
    found = box_of(mask)
    if found is None:
        raise PainterlyError(ErrorCode.EMPTY_MASK, "The mask is empty: nothing is to be stylized.", "Paint it white.")
    return found.grown(max(MARGIN, network.smallest_side()), (mask.shape[0], mask.shape[1]))
