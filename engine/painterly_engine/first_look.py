"""The instant preset as a job: one feed-forward pass through the built-in network and its decoders."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from painterly_engine.change import Change
from painterly_engine.instant.decoder import load_decoders
from painterly_engine.instant.manner import Manner, study
from painterly_engine.instant.repaint import instant_harmonize
from painterly_engine.network import store
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.presets import Instant
from painterly_engine.progress import Observer
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.objective import Pictures
from painterly_engine.repaint.scales import Level, levels, working_size
from painterly_engine.repaint.telling import Telling
from painterly_engine.resample import resize
from painterly_engine.surroundings import canvas_of, change_of
from painterly_engine.window import Box
from painterly_protocol.request import HarmonizeRequest

NETWORK, DECODERS = "slim", "slim_decoders"


@torch.no_grad()
def run_instant(
    request: HarmonizeRequest, slim: FeatureNetwork, settings: Instant, device: torch.device, observer: Observer
) -> Change:
    """
    Args:
        slim: the built-in network, which the decoders belong to.

    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST, NOT_FINITE.
    """
    canvas, parameters = canvas_of(request, device), request.parameters
    telling = Telling(observer, canvas)
    (level,) = levels(canvas.around, canvas.size, (settings.size,), slim.smallest_side(), canvas.part)
    telling.plan([level], 1)
    decoders = decoders_of(slim, device)
    pictures = canvas.pictures(level)
    manner = _manner(canvas, level, pictures, slim)
    small = instant_harmonize(
        pictures.composite,
        pictures.support,
        manner,
        slim,
        decoders,
        strength=parameters.strength,
        detail=parameters.detail,
    )
    own = canvas.composite
    # What the working size could not show of the object is its own still.
    found = resize(small, canvas.around.size) + own - resize(resize(own, level.size), canvas.around.size)
    found = found.clamp(0, 1)
    telling.finished(found, canvas.support)
    about: dict[str, object] = {
        "working_size": working_size(canvas.around, settings.size),
        "iterations": 0,
        "stylization": {"value": 0.0, "reason": "the instant preset knows none"},
        "strength": parameters.strength,
        "detail": parameters.detail,
        "notes": [],
    }
    return change_of(canvas, found, about)


@lru_cache(maxsize=2)
def decoders_of(slim: FeatureNetwork, device: torch.device) -> dict[str, nn.Module]:
    """The built-in ones, by layer."""
    store.verify(DECODERS)
    found = load_decoders(store.home_of(DECODERS) / f"{DECODERS}.safetensors", slim)
    return {layer: decoder.to(device) for layer, decoder in found.items()}


def _manner(canvas: Canvas, level: Level, pictures: Pictures, slim: FeatureNetwork) -> Manner:
    """Of what is near the object; of another style all that lends itself."""
    if canvas.part is not None:
        lends = pictures.lends
        weight = pictures.context.new_ones(level.context_size) if lends is None else lends
        return study(pictures.context, pictures.composite, pictures.support, slim, weight=weight)
    composite, mask = _in_context(canvas, level, pictures.context, pictures.composite, pictures.support)
    return study(pictures.context, composite, mask, slim)


def _in_context(
    canvas: Canvas, level: Level, context: Tensor, composite: Tensor, support: Tensor
) -> tuple[Tensor, Tensor]:
    """Composite (3, H, W) and mask (H, W) of the context's size, the object in its place."""
    top, left = (
        round((inner - outer) * side / whole)
        for inner, outer, side, whole in zip(
            (canvas.around.top, canvas.around.left),
            (level.context.top, level.context.left),
            level.context_size,
            level.context.size,
            strict=True,
        )
    )
    whole, mask = context.clone(), context.new_zeros(level.context_size)
    place = Box(top, left, min(top + level.size[0], whole.shape[1]), min(left + level.size[1], whole.shape[2]))
    height, width = place.size
    place.of(whole).copy_(composite[:, :height, :width])
    place.of(mask).copy_(support[:height, :width])
    return whole, mask
