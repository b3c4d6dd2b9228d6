"""The other methods as a job: the object's surroundings are stylized, and of that the object shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from painterly_engine import presets
from painterly_engine.arrays import to_array
from painterly_engine.change import Change
from painterly_engine.first_look import decoders_of
from painterly_engine.iterating import for_iterating
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.progress import Observer, Relay
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.objective import Pictures
from painterly_engine.repaint.scales import Level, levels, surroundings, working_size
from painterly_engine.repaint.telling import Telling
from painterly_engine.resample import resize
from painterly_engine.stylizing.adain import stylize_adain
from painterly_engine.stylizing.local import stylize_local
from painterly_engine.stylizing.method import STYLE_LAYERS, Adain, Local, Method, Several, Walk, Wanted, Whole
from painterly_engine.stylizing.several import stylize_by_several
from painterly_engine.stylizing.whole import stylize_whole
from painterly_engine.surroundings import canvas_of, change_of
from painterly_engine.window import Box, box_of
from painterly_protocol.request import MIN_SIZE, MIXING, HarmonizeRequest, Parameters

LEAST_ITERATIONS = 30
"""Of the optimising methods at a preset that knows none."""
CONTENT_LAYERS = ("relu4_2", "relu4_1")
LEAST_RATIO, MOST_RATIO = 1.0, -3.0
"""Powers of ten: of content against style at strength 0 and at strength 1."""


def run_stylized(
    request: HarmonizeRequest,
    network: FeatureNetwork,
    settings: presets.Method,
    device: torch.device,
    observer: Observer,
) -> Change:
    """By the method that the parameters name, other than the two passes and the first of them.

    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST, NOT_FINITE.
    """
    method = _method(request.parameters, settings, network)
    return stylize_object(request, network, method, settings.size, device, observer)


def stylize_object(
    request: HarmonizeRequest,
    network: FeatureNetwork,
    method: Method,
    size: int,
    device: torch.device,
    observer: Observer,
) -> Change:
    """
    Args:
        method: any; ``Several`` imitates the painting and the request's style.
        size: longest side, in pixels, that the object's surroundings are worked on at.

    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST, NOT_FINITE.
    """
    canvas = canvas_of(request, device)
    level = _level(canvas, size, network)
    telling = Telling(observer, canvas)
    telling.plan([level], 1)
    pictures = canvas.pictures(level)
    shown = _InPlace(observer, telling, pictures.support)
    if isinstance(method, Several):
        alone = canvas_of(replace(request, style=None, style_mask=None, parameters=Parameters()), device)
        own = alone.pictures(_level(alone, size, network))
        small = _mixed([own, pictures], network, method, shown)
    else:
        small = _painted(canvas, pictures, network, method, shown)
    kept = request.parameters.detail  # of what the working size could not show
    lost = canvas.composite - resize(pictures.composite, canvas.around.size)
    found = resize(small, canvas.around.size) + kept * lost
    found = found.clamp(0, 1)
    telling.finished(found, canvas.support)
    about: dict[str, object] = {
        "working_size": working_size(canvas.around, size),
        "iterations": 0 if isinstance(method, Adain) else method.walk.iterations,
        "stylization": {"value": 0.0, "reason": "this method knows none"},
        "strength": request.parameters.strength,
        "detail": kept,
        "notes": [],
    }
    return change_of(canvas, found, about)


def as_published(request: HarmonizeRequest, settings: presets.Method) -> presets.Published:
    """The first pass's settings: of the whole picture, so that the object's surroundings are as large as the preset has
    them at its finest."""
    if isinstance(settings, presets.Published):
        return settings
    mask = torch.from_numpy(to_array(request.mask)[..., 0] > 0)
    box = box_of(mask) or Box.whole((len(mask), mask.shape[1]))
    around = surroundings(box, (len(mask), mask.shape[1]))
    shrink = min(1.0, settings.size / max(around.size))
    size = max(MIN_SIZE, round(shrink * max(mask.shape)))
    return presets.Published(size, _iterations(request.parameters, settings))


def _method(parameters: Parameters, settings: presets.Method, network: FeatureNetwork) -> Method:
    """What strength, preset and seed mean to the method."""
    if parameters.method == "adain":
        return Adain(alpha=1 - (1 - parameters.strength) ** 2)
    content = next((layer for layer in CONTENT_LAYERS if layer in network.layers), network.deepest(CONTENT_LAYERS[-1]))
    wanted = Wanted(
        content_layer=content,
        style_layers=network.available(STYLE_LAYERS),
        ratio=10 ** (LEAST_RATIO - (LEAST_RATIO - MOST_RATIO) * parameters.strength),
    )
    walk = Walk(iterations=_iterations(parameters, settings), seed=parameters.seed)
    kinds: dict[str, type[Whole | Local | Several]] = {"local": Local, MIXING: Several}
    return kinds.get(parameters.method, Whole)(wanted, walk)


def _iterations(parameters: Parameters, settings: presets.Method) -> int:
    """At one scale as many as the preset has at all of its own."""
    if parameters.iterations is not None:
        return parameters.iterations
    scales = len(settings.sides) if isinstance(settings, presets.Repaint) else 1
    return max(LEAST_ITERATIONS, settings.iterations * scales)


def _level(canvas: Canvas, size: int, network: FeatureNetwork) -> Level:
    (level,) = levels(canvas.around, canvas.size, (size,), network.smallest_side(), canvas.part)
    return level


def _mixed(sources: Sequence[Pictures], network: FeatureNetwork, method: Several, observer: Observer) -> Tensor:
    """(3, h, w), the surroundings at the working size, in the manner of all the sources' contexts together."""
    network = for_iterating(network).pooled_by(method.walk.pooling)
    contexts, lends = [one.context for one in sources], [one.lends for one in sources]
    return stylize_by_several(sources[0].composite, contexts, network, method, observer, lends)


def _painted(canvas: Canvas, pictures: Pictures, network: FeatureNetwork, method: Method, observer: Observer) -> Tensor:
    """(3, h, w), the surroundings at the working size."""
    content, context, lends = pictures.composite, pictures.context, pictures.lends
    if isinstance(method, Adain):
        decoders = decoders_of(network, content.device)
        return stylize_adain(content, [context], network, decoders, method, pictures.support, lends)
    network = for_iterating(network).pooled_by(method.walk.pooling)
    if isinstance(method, Local):
        here = pictures.ground if canvas.part is None else None
        return stylize_local(content, context, pictures.support, network, method, observer, here=here, lends=lends)[0]
    assert isinstance(method, Whole), "all others are above"
    return stylize_whole(content, context, network, method, observer, lends)


class _InPlace(Relay):
    """Shows the surroundings in their place in the painting."""

    def __init__(self, observer: Observer, telling: Telling, support: Tensor) -> None:
        super().__init__(observer)
        self.telling, self.support = telling, support

    def picture(self, make: Callable[[], Tensor]) -> None:
        self.inner.picture(lambda: self.telling.seen(make(), self.support))
