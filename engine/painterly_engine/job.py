"""From a request to the harmonized picture at the painting's own size, by the method of its preset."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from painterly_engine import __version__
from painterly_engine.arrays import to_pixels
from painterly_engine.change import Change
from painterly_engine.first_look import NETWORK, run_instant
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.network.naming import AUTO, RANDOM
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.presets import Instant, Published, effective
from painterly_engine.progress import Observer, Relay
from painterly_engine.published import run_first_pass, run_published
from painterly_engine.repainting import run_repaint
from painterly_engine.soundness import not_finite
from painterly_engine.stylizing.job import as_published, run_stylized
from painterly_protocol.messages import Phase
from painterly_protocol.pixels import Pixels
from painterly_protocol.request import DEFAULT_METHOD, HarmonizeRequest, Parameters

BUILT_IN_ONLY = "A feed-forward pass has decoders of the built-in network only: {wanted} was not used."
UNTRAINED = "Random weights were used, which give noise and blur: they are for tests."


@dataclass(frozen=True)
class Harmonized:
    """The harmonized picture, or layer, inside a box at (x, y) of the painting; outside it nothing changed.

    ``metadata`` holds msgpack-plain values only.
    """

    x: int
    y: int
    picture: Pixels
    metadata: dict[str, object] = field(default_factory=dict)


def run_request(request: HarmonizeRequest, shelf: NetworkShelf, observer: Observer) -> Harmonized:
    """Load the network and harmonize.

    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST, NOT_FINITE, or what loading the weights raises.
    """
    clock = _PhaseClock(observer)
    clock.report(Phase.LOADING, 0.0)
    forward, wanted = is_forward(request.parameters), request.parameters.weights
    network = shelf.get(NETWORK if forward else wanted)
    clock.report(Phase.PREPARING, 0.0)
    try:
        change = _change(request, network, shelf.device, clock)
    except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
        # Its matrices are of measured colours: one that cannot be taken apart holds what colours never are.
        raise not_finite() from error
    metadata: dict[str, object] = {
        "engine_version": __version__,
        "network": {"name": network.name, "sha256": network.sha256, "layers": list(network.layers)},
        "preset": request.parameters.preset,
        "method": request.parameters.method,
        "seed": request.parameters.seed,
        "device": str(shelf.device),
        "seconds": clock.finish(),
        "warnings": [UNTRAINED] * network.name.startswith(RANDOM) + change.warnings,
        **change.about,
    }
    if forward and wanted not in (AUTO, NETWORK):
        metadata["notes"] = [BUILT_IN_ONLY.format(wanted=wanted)]
    picture = change.layer() if request.as_layer else change.picture()
    return Harmonized(change.x, change.y, to_pixels(picture), metadata)


def is_forward(parameters: Parameters) -> bool:
    """Whether decoders do the work, which know one network only, whatever weights are asked for."""
    if parameters.method == DEFAULT_METHOD:
        return isinstance(effective(parameters), Instant)
    return parameters.method == "adain"


def _change(request: HarmonizeRequest, network: FeatureNetwork, device: torch.device, observer: Observer) -> Change:
    settings, method = effective(request.parameters), request.parameters.method
    if method == "pass-one":
        return run_first_pass(request, network, as_published(request, settings), device, observer)
    if method != DEFAULT_METHOD:
        return run_stylized(request, network, settings, device, observer)
    if isinstance(settings, Published):
        return run_published(request, network, settings, device, observer)
    if isinstance(settings, Instant):
        return run_instant(request, network, settings, device, observer)
    return run_repaint(request, network, settings, device, observer)


class _PhaseClock(Relay):
    """Passes everything on and remembers the seconds spent in each phase."""

    def __init__(self, observer: Observer) -> None:
        super().__init__(observer)
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
        super().report(phase, fraction, iteration=iteration, iterations=iterations, losses=losses)

    def finish(self) -> dict[str, float]:
        """Close the running phase; seconds by phase so far."""
        now = time.monotonic()
        if self._phase is not None:
            self._seconds[self._phase.value] = round(self._seconds.get(self._phase.value, 0.0) + now - self._since, 3)
        self._since = now
        return dict(self._seconds)
