"""From a request at the painting's own size to the harmonized picture at that size."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine import __version__
from painterly_engine.arrays import Array, to_array, to_pixels, white
from painterly_engine.finishing.finish import Finished
from painterly_engine.harmonize import OBJECT_LEVEL, REFERENCE_LAYER, Harmonization, Scene, harmonize
from painterly_engine.masks import loose_mask
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.network.shelf import RANDOM, NetworkShelf
from painterly_engine.presets import effective
from painterly_engine.progress import Observer
from painterly_engine.resample import fit_longest, scale_bilinear
from painterly_engine.soundness import not_finite
from painterly_engine.stylization import choose_stylization
from painterly_engine.tensors import to_tensor
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Phase
from painterly_protocol.pixels import Pixels
from painterly_protocol.request import HarmonizeRequest

MINIMUM_SIDE = 2  # the balance of pass 2 is measured between neighbours


@dataclass(frozen=True)
class Harmonized:
    """The harmonized picture inside a box at (x, y) of the painting; outside it nothing changed.

    ``metadata`` holds msgpack-plain values only.
    """

    x: int
    y: int
    picture: Pixels
    metadata: dict[str, object] = field(default_factory=dict)


def run_request(request: HarmonizeRequest, shelf: NetworkShelf, observer: Observer) -> Harmonized:
    """Load the network, harmonize at working size, bring the change up to the painting's size.

    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST, NOT_FINITE, or what loading the weights raises.
    """
    clock = _PhaseClock(observer)
    clock.report(Phase.LOADING, 0.0)
    network = shelf.get(request.parameters.weights)
    clock.report(Phase.PREPARING, 0.0)
    settings = effective(request.parameters)
    scene = _scene_at_working_size(request, working_size(request.painting, settings.size, network), shelf.device)
    stylization = choose_stylization(request.parameters.stylization, scene.painting)
    outcome = harmonize(
        scene,
        network,
        stylization=stylization.value,
        iterations=settings.iterations,
        seed=request.parameters.seed,
        observer=clock,
    )
    x, y, picture = _at_own_size(request, scene, outcome.finished)
    metadata: dict[str, object] = {
        "engine_version": __version__,
        "network": {"name": network.name, "sha256": network.sha256, "layers": list(network.layers)},
        "preset": request.parameters.preset,
        "working_size": [scene.painting.shape[2], scene.painting.shape[1]],
        "iterations": settings.iterations,
        "stylization": {"value": stylization.value, "reason": stylization.reason},
        "loss_weights": asdict(outcome.balance),
        "seed": request.parameters.seed,
        "device": str(shelf.device),
        "seconds": clock.finish(),
        "notes": _notes(network),
        "warnings": _warnings(network, outcome),
    }
    return Harmonized(x, y, to_pixels(picture), metadata)


def _notes(network: FeatureNetwork) -> list[str]:
    """What the user should know of the network's limits."""
    if REFERENCE_LAYER in network.layers:
        return []
    deepest = network.deepest(REFERENCE_LAYER)
    return [
        f"This network ends at {network.layers[-1]}: matching, content and the deep histogram use {deepest}, "
        "style the layers there are."
    ]


def _warnings(network: FeatureNetwork, outcome: Harmonization) -> list[str]:
    """What every client must show, since the picture is not what was hoped for."""
    warnings: list[str] = []
    if network.name.startswith(RANDOM):
        warnings.append(
            "No trained network was at hand: random weights were used, which give noise and blur. "
            "Run “painterly weights fetch vgg19”."
        )
    if not outcome.ring.any():
        warnings.append(
            "The object is so small or thin at this working size that nothing of the painting was matched to it. "
            "Raise the working size."
        )
    return warnings


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


class _PhaseClock(Observer):
    """Passes everything on and remembers the seconds spent in each phase."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._seconds: dict[str, float] = {}
        self._phase: Phase | None = None
        self._since = time.monotonic()

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        if phase is not self._phase:
            self.finish()
            self._phase = phase
        self._observer.report(phase, fraction, iteration=iteration, iterations=iterations, losses=losses)

    def picture(self, image: Tensor) -> None:
        self._observer.picture(image)

    def intermediate(self, name: str, data: Tensor) -> None:
        self._observer.intermediate(name, data)

    def finish(self) -> dict[str, float]:
        """Close the running phase; seconds by phase so far."""
        now = time.monotonic()
        if self._phase is not None:
            self._seconds[self._phase.value] = round(self._seconds.get(self._phase.value, 0.0) + now - self._since, 3)
        self._since = now
        return dict(self._seconds)


def _scene_at_working_size(request: HarmonizeRequest, size: tuple[int, int], device: torch.device) -> Scene:
    """Everything scaled to (height, width)."""

    def scaled(pixels: Pixels, name: str) -> Tensor:
        return scale_bilinear(to_tensor(to_array(pixels), name, device), size)

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
    return Scene(scaled(request.painting, "painting"), scaled(request.composite, "composite"), tight, loose)


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


def _at_own_size(request: HarmonizeRequest, scene: Scene, finished: Finished) -> tuple[int, int, Array]:
    """The box of changed pixels at the painting's own size and sample type, as (x, y, picture).

    The passes' change is brought up and added to the composite's own pixels, so that the painting keeps its detail;
    pixels outside the loose mask stay the painting's, bit for bit.
    """
    painting, composite = to_array(request.painting), to_array(request.composite)
    size = (painting.shape[0], painting.shape[1])
    weight = _bring_up(finished.weight[None], size)[0]
    allowed = _bring_up(scene.loose[None], size)[0] if request.loose_mask is None else to_array(request.loose_mask)
    inside = (weight > 0) & (allowed.reshape(size) > 0)
    if not inside.any():
        raise PainterlyError(
            ErrorCode.EMPTY_MASK, "Nothing of the object lies inside the loose mask.", "Give a larger loose mask."
        )
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    y, x = int(rows[0]), int(columns[0])
    box = (slice(y, int(rows[-1]) + 1), slice(x, int(columns[-1]) + 1))
    # Where nothing was finished the picture is meaningless, and must not bleed into the edge when it is brought up.
    small = (finished.picture - scene.composite) * (finished.weight > 0)
    change = _bring_up(small, size)[:, box[0], box[1]].transpose(1, 2, 0)
    scale = white(painting)
    original = painting[box].astype(np.float32) / scale
    harmonized = composite[box].astype(np.float32) / scale + change
    mixed = (original + weight[box][..., None] * (harmonized - original)) * scale
    if not np.isfinite(mixed[inside[box]]).all():
        raise not_finite()  # as whole numbers they would be black, and nobody would know why
    if painting.dtype.kind != "f":
        mixed = np.rint(mixed.clip(0, scale))
    return x, y, np.where(inside[box][..., None], mixed.astype(painting.dtype), painting[box])


def _bring_up(planes: Tensor, size: tuple[int, int]) -> Array:
    """(C, h, w) → numpy (C, H, W), linear with pixel centres kept in place; the same size is left exactly alone."""
    if tuple(planes.shape[1:]) != size:
        planes = F.interpolate(planes[None], size, mode="bilinear", align_corners=False, antialias=True)[0]
    array: Array = planes.cpu().numpy()
    return array
