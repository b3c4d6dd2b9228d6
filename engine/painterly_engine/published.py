"""The exact method as a job: from a request to the working size, through both passes, and back to the own size."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
import torch
from torch import Tensor

from painterly_engine.arrays import Array, to_array, white
from painterly_engine.change import Change, lay_over
from painterly_engine.finishing.finish import Finished
from painterly_engine.headroom import free_memory
from painterly_engine.masks import loose_mask
from painterly_engine.memory import predict
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.presets import Published
from painterly_engine.progress import Observer
from painterly_engine.resample import fit_longest, resize, resize_part, scale_strips, shown_in
from painterly_engine.shortage import SHARE, too_much, with_less
from painterly_engine.shrinking import style_overview
from painterly_engine.style import laid_out, style_of
from painterly_engine.stylization import choose_stylization
from painterly_engine.tensors import to_tensor
from painterly_engine.two_passes import OBJECT_LEVEL, REFERENCE_LAYER, Scene, first_pass, harmonize
from painterly_engine.window import Box, box_of
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Phase
from painterly_protocol.pixels import Pixels
from painterly_protocol.request import HarmonizeRequest

MINIMUM_SIDE = 2  # the balance of pass 2 is measured between neighbours
LEAST = 64
"""Pixels: no lack of memory makes the working size smaller."""
LOOSER = 16
"""Pixels by which the loose mask is larger than the object, at most about, for telling how much memory it takes."""
STRIP = 2**18
"""Pixels brought into floating point at a time while pictures are scaled to the working size."""


def run_published(
    request: HarmonizeRequest, network: FeatureNetwork, settings: Published, device: torch.device, observer: Observer
) -> Change:
    """Harmonize at working size, bring the change up to the painting's size. Where there is too little memory for that
    size, a smaller one is used and a warning says so.

    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST, NOT_FINITE.
    """
    fitting = affordable(request, settings, network, free_memory(device))
    less = _smaller(request, fitting, network)
    change, used = with_less(lambda plan: _run(request, network, plan, device, observer), fitting, less)
    if used.size < settings.size:
        change.warnings.append(too_much(settings.size, used.size))
    return change


def affordable(request: HarmonizeRequest, settings: Published, network: FeatureNetwork, free: int | None) -> Published:
    """The settings, at the largest working size that there is memory for.

    Args:
        free: bytes that may be used; None where nobody knows.
    """
    found = box_of(torch.from_numpy(to_array(request.mask)[..., 0] > 0))
    while free is not None and found is not None:
        height, width = working_size(request.painting, settings.size, network)
        scale = height / request.painting.height
        around = Box(*(round(scale * edge) for edge in (found.top, found.left, found.bottom, found.right)))
        changing = around.grown(LOOSER, (height, width))
        taken = predict(network, (height, width), changing, changing.area, settings.iterations).peak
        less = _smaller(request, settings, network)
        if taken <= SHARE * free or less is None:
            break
        settings = less
    return settings


def _smaller(request: HarmonizeRequest, settings: Published, network: FeatureNetwork) -> Published | None:
    """At four fifths of the working size; None where the network sees nothing any more."""
    less = replace(settings, size=round(0.8 * settings.size))
    try:
        working_size(request.painting, less.size, network)
    except PainterlyError:
        return None
    return less if less.size >= LEAST else None


def _run(
    request: HarmonizeRequest, network: FeatureNetwork, settings: Published, device: torch.device, observer: Observer
) -> Change:
    """At the settings' working size."""
    scene = _scene_at_working_size(request, working_size(request.painting, settings.size, network), device)
    seen = style_overview(to_array(request.painting), style_of(request), device)
    stylization = choose_stylization(request.parameters.stylization, seen)
    outcome = harmonize(
        scene,
        network,
        stylization=stylization.value,
        iterations=settings.iterations,
        seed=request.parameters.seed,
        observer=observer,
    )
    change = _at_own_size(request, scene, outcome.finished)
    change.about.update(
        working_size=[scene.painting.shape[2], scene.painting.shape[1]],
        iterations=settings.iterations,
        stylization={"value": stylization.value, "reason": stylization.reason},
        loss_weights=asdict(outcome.balance),
        notes=_notes(network),
    )
    if not outcome.ring.any():
        change.warnings.append(UNMATCHED)
    return change


def run_first_pass(
    request: HarmonizeRequest, network: FeatureNetwork, settings: Published, device: torch.device, observer: Observer
) -> Change:
    """The first pass alone. Raises as ``run_published``."""
    scene = _scene_at_working_size(request, working_size(request.painting, settings.size, network), device)
    change = _at_own_size(request, scene, first_pass(scene, network, iterations=settings.iterations, observer=observer))
    observer.report(Phase.FINISHING, 1.0)
    change.about.update(
        working_size=[scene.painting.shape[2], scene.painting.shape[1]],
        iterations=settings.iterations,
        stylization={"value": 0.0, "reason": "the first pass knows none"},
        notes=_notes(network),
    )
    return change


UNMATCHED = (
    "The object is so small or thin at this working size that nothing of the painting was matched to it. "
    "Raise the working size."
)


def _notes(network: FeatureNetwork) -> list[str]:
    """What the user should know of the network's limits."""
    if REFERENCE_LAYER in network.layers:
        return []
    deepest = network.deepest(REFERENCE_LAYER)
    return [
        f"This network ends at {network.layers[-1]}: matching, content and the deep histogram use {deepest}, "
        "style the layers there are."
    ]


def working_size(painting: Pixels, longest: int, network: FeatureNetwork) -> tuple[int, int]:
    """(height, width) with the longest side ``longest`` pixels, up or down (algorithm.md 1.0).

    Raises:
        PainterlyError: BAD_REQUEST where the network cannot see so narrow a picture.
    """
    size = fit_longest(painting.height, painting.width, longest)
    smallest = max(MINIMUM_SIDE, network.smallest_side())
    if min(size) >= smallest:
        return size
    ratio = max(painting.height, painting.width) / min(painting.height, painting.width)
    raise PainterlyError(
        ErrorCode.BAD_REQUEST,
        f"At a working size of {longest} px the picture is {size[1]}×{size[0]} px; the network {network.name} needs "
        f"{smallest} px on the shorter side.",
        f"Raise the working size to {math.ceil(ratio * (smallest + 1))} px or more, or work on a part of the picture.",
    )


def _scene_at_working_size(request: HarmonizeRequest, size: tuple[int, int], device: torch.device) -> Scene:
    """Everything scaled to (height, width)."""

    def scaled(pixels: Pixels, name: str) -> Tensor:
        rows, array = max(1, STRIP // pixels.width), to_array(pixels)
        tops = range(0, pixels.height, rows)
        return scale_strips((to_tensor(array[top : top + rows], name, device) for top in tops), size)

    tight = scaled(request.mask, "mask")
    if not bool((tight > OBJECT_LEVEL).any()):
        raise PainterlyError(
            ErrorCode.EMPTY_MASK,
            "The mask is empty: there is no object to harmonize.",
            f"Select the object, or raise the working size above {max(size)} px if the object is tiny.",
        )
    loose = loose_mask(tight) if request.loose_mask is None else scaled(request.loose_mask, "loose mask")
    if not bool((loose > 0).any()):
        raise _nothing_may_change(request, max(size))
    painting = scaled(request.painting, "painting")
    style, lends = _style_at_working_size(request, size, device)
    return Scene(painting, scaled(request.composite, "composite"), tight, loose, style, lends)


def _style_at_working_size(
    request: HarmonizeRequest, size: tuple[int, int], device: torch.device
) -> tuple[Tensor | None, Tensor | None]:
    """(3, H, W), what is imitated, and (H, W), how much of it may be; None: the painting, and all of it."""
    style = style_of(request)
    if style is None:
        return None, None
    if not style.is_painting:
        return laid_out(style, size, max(size) / max(request.painting.width, request.painting.height), device)
    assert style.lends is not None, "all of the painting is no style of its own"
    return None, resize(torch.from_numpy(style.lends).float().to(device), size)


def _nothing_may_change(request: HarmonizeRequest, longest: int) -> PainterlyError:
    if request.loose_mask is not None:
        return PainterlyError(
            ErrorCode.EMPTY_MASK,
            "The loose mask is empty.",
            "Make it white wherever pixels may change, or leave it out.",
        )
    return PainterlyError(
        ErrorCode.EMPTY_MASK,
        f"At a working size of {longest} px the object is too small or too thin to be harmonized.",
        "Raise the working size, grow the selection, or give a loose mask.",
    )


def _at_own_size(request: HarmonizeRequest, scene: Scene, finished: Finished) -> Change:
    """The changed pixels at the painting's own size and sample type.

    The passes' change is brought up and added to the composite's own pixels, so that the painting keeps its detail;
    pixels outside the loose mask stay the painting's, bit for bit.
    """
    painting, composite = to_array(request.painting), to_array(request.composite)
    own, working = (painting.shape[0], painting.shape[1]), (scene.tight.shape[0], scene.tight.shape[1])
    place = shown_in(box_of(finished.weight) or Box.whole(working), working, own)

    def brought_up(planes: Tensor) -> Array:
        """(C, h, w) → numpy (C, H, W) of the place; the same size is left exactly alone."""
        array: Array = resize_part(planes, own, place).cpu().numpy()
        return array

    def given(array: Array) -> Array:
        return array[place.top : place.bottom, place.left : place.right]

    loose = request.loose_mask
    allowed = brought_up(scene.loose) if loose is None else given(to_array(loose))[..., 0]
    shows = brought_up(finished.weight) * (allowed > 0)
    # Where nothing was finished the picture is meaningless, and must not bleed into the edge when it is brought up.
    moved = brought_up((finished.picture - scene.composite) * (finished.weight > 0)).transpose(1, 2, 0)
    repainted = given(composite).astype(np.float32) / np.float32(white(composite)) + moved
    change = lay_over(given(painting), repainted, shows)
    return replace(change, x=change.x + place.left, y=change.y + place.top)
