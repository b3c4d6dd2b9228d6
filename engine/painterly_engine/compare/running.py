"""Runs one variant after the other, and takes its time, losses and figures."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from painterly_engine.arrays import to_array, to_pixels
from painterly_engine.compare.variants import PASSES, PASTED, Variant
from painterly_engine.device import careful, shelf
from painterly_engine.job import run_request
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.pictures.files import Bytes
from painterly_engine.progress import SILENT, Observer, Relay
from painterly_engine.report.figures import measure, measure_whole
from painterly_engine.report.record import Figure, LossPoint
from painterly_engine.stylizing.job import stylize_object
from painterly_engine.stylizing.method import Adain, make
from painterly_engine.stylizing.picture import OPTIMISED_SIZE, stylize_picture
from painterly_protocol.messages import Phase
from painterly_protocol.request import HarmonizeRequest, Parameters

FIGURES_IN = "slim"
"""The network that figures are taken in, whatever network painted: only then can they be compared."""


@dataclass(frozen=True)
class Subject:
    """
    Attributes:
        content: (H, W, 3), what is painted: the composite, where there is a mask.
        painting: (H', W', 3), whose manner; with a mask, of the content's size, and what lies around the object.
        mask: (H, W), the object; None where the whole picture is painted.
    """

    content: Bytes
    painting: Bytes
    mask: Bytes | None = None


@dataclass(frozen=True)
class Outcome:
    """
    Attributes:
        picture: (H, W, 3) of the content's size.
        seconds: of the whole run without loading the network.
        step: median seconds from iteration to iteration; None for methods that do not iterate.
        work: the same in seconds of a processor, which what else the machine does changes little.
        losses: at every iteration told.
        figures: our own.
    """

    variant: Variant
    picture: Bytes
    seconds: float
    step: float | None
    work: float | None
    losses: Sequence[LossPoint]
    figures: Sequence[Figure]


class Bench:
    """
    Args:
        subject: what all variants paint.
        size: pixels to work at, for all of them; None leaves it to the methods.
        seed: for all of them.
        observer: is told of every variant's progress.
    """

    def __init__(self, subject: Subject, size: int | None = None, seed: int = 0, observer: Observer = SILENT) -> None:
        self.subject, self.size, self.seed, self.observer = subject, size, seed, observer
        self._shelves: dict[str, NetworkShelf] = {}
        self._judge: FeatureNetwork = shelf("cpu").get(FIGURES_IN)

    def run_all(self, variants: Sequence[Variant], told: Callable[[Variant], None]) -> Iterator[Outcome]:
        """In order. Of variants of a whole picture that differ in their iterations only the longest is run, and the
        others are what it looked like on its way: they would have gone the same.

        Args:
            told: of each that begins.
        """
        looked: dict[Variant, Outcome] = {}
        for variant in variants:
            if variant not in looked:
                told(variant)
                looked.update({one.variant: one for one in self._run_group(_alike(variant, variants))})
            yield looked[variant]

    def _run_group(self, alike: Sequence[Variant]) -> list[Outcome]:
        longest = max(alike, key=_iterations)
        if len(alike) == 1 or self.subject.mask is not None:
            return [self.run(variant) for variant in alike]
        looks = _Looks(self.observer, {_iterations(variant) for variant in alike if variant is not longest})
        self.observer, before = looks, self.observer
        try:
            last = self.run(longest)
        finally:
            self.observer = before
        return [last if variant is longest else self._looked(variant, looks, last) for variant in alike]

    def _looked(self, variant: Variant, looks: _Looks, last: Outcome) -> Outcome:
        done = _iterations(variant)
        seconds, small = looks.seen[done]
        size = (last.picture.shape[1], last.picture.shape[0])
        picture = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BILINEAR))
        losses = [point for point in last.losses if point.iteration <= done]
        return Outcome(variant, picture, seconds, last.step, last.work, losses, self._figures(picture))

    def run(self, variant: Variant) -> Outcome:
        """
        Raises:
            PainterlyError: what the method raises; BAD_REQUEST for a device that is not here.
        """
        clock = _Clock(self.observer)
        with careful():
            picture = self._paint(variant, clock)
        seconds, (step, work) = clock.seconds(), clock.steps()
        return Outcome(variant, picture, seconds, step, work, clock.losses, self._figures(picture))

    def _paint(self, variant: Variant, observer: Observer) -> Bytes:
        if variant.method == PASTED:
            return self.subject.content
        options = dict(variant.options)
        device = str(options.pop("device", "auto"))
        if device not in self._shelves:
            self._shelves[device] = shelf(device)
        weights = str(options.pop("weights", "auto"))
        if variant.method in PASSES:
            return self._harmonize(variant, options, weights, self._shelves[device], observer)
        made = make(variant.method, options if variant.method == "adain" else {**options, "seed": self.seed})
        if self.subject.mask is None:
            return stylize_picture(
                self.subject.content,
                [self.subject.painting],
                made,
                self._shelves[device],
                weights=weights,
                size=self.size,
                observer=observer,
            )
        network = self._shelves[device].get(FIGURES_IN if isinstance(made, Adain) else weights)
        request = self._request(Parameters(method=variant.method))
        size = self.size or OPTIMISED_SIZE
        change = stylize_object(request, network, made, size, self._shelves[device].device, observer)
        return self._laid(change.x, change.y, change.picture())

    def _harmonize(
        self, variant: Variant, options: Mapping[str, Any], weights: str, networks: NetworkShelf, observer: Observer
    ) -> Bytes:
        parameters = Parameters(size=self.size, weights=weights, seed=self.seed, method=variant.method, **options)
        outcome = run_request(self._request(parameters), networks, observer)
        return self._laid(outcome.x, outcome.y, to_array(outcome.picture))

    def _request(self, parameters: Parameters) -> HarmonizeRequest:
        assert self.subject.mask is not None, "checked by the command"
        pictures = (self.subject.painting, self.subject.content, self.subject.mask)
        painting, composite, mask = (to_pixels(picture) for picture in pictures)
        return HarmonizeRequest(painting, composite, mask, parameters=parameters)

    def _laid(self, x: int, y: int, part: Bytes) -> Bytes:
        whole: Bytes = self.subject.painting.copy()
        whole[y : y + part.shape[0], x : x + part.shape[1]] = part
        return whole

    def _figures(self, picture: Bytes) -> list[Figure]:
        content, painting, mask = self.subject.content, self.subject.painting, self.subject.mask
        if mask is None:
            return measure_whole(painting, content, picture, self._judge)
        return measure(painting, content, picture, mask, [], self._judge)


def _iterations(variant: Variant) -> int:
    found = variant.options.get("iterations", 0)
    assert isinstance(found, int)
    return found


def _alike(variant: Variant, variants: Sequence[Variant]) -> list[Variant]:
    """Those that differ in their iterations only, itself among them; of methods whose shorter runs go the same way. The
    same variant once more is no look at this one: it is timed again."""

    def rest(one: Variant) -> tuple[object, ...]:
        return one.method, {name: value for name, value in one.options.items() if name != "iterations"}

    if variant.method not in ("global", "local"):
        return [variant]
    by_length = {_iterations(one): one for one in reversed(variants) if rest(one) == rest(variant)}
    return list({**by_length, _iterations(variant): variant}.values())


class _Looks(Relay):
    """Keeps the picture as it is after so many iterations: what the next one evaluates.

    Attributes:
        seen: (seconds, (h, w, 3)) by iterations.
    """

    def __init__(self, inner: Observer, wanted: set[int]) -> None:
        super().__init__(inner)
        self.wanted = wanted
        self.seen: dict[int, tuple[float, Bytes]] = {}
        self._started: float | None = None
        self._done = -1

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        if phase is not Phase.LOADING and self._started is None:
            self._started = time.perf_counter()
        self._done = iteration - 1
        super().report(phase, fraction, iteration=iteration, iterations=iterations, losses=losses)

    def picture(self, make: Callable[[], Tensor]) -> None:
        super().picture(make)
        if self._done in self.wanted and self._done not in self.seen and self._started is not None:
            planes = make().clamp(0, 1).mul(255).round().to(torch.uint8)
            self.seen[self._done] = (time.perf_counter() - self._started, planes.permute(1, 2, 0).cpu().numpy())


class _Clock(Relay):
    """Reads the clocks at every iteration; the network's loading does not count."""

    def __init__(self, inner: Observer) -> None:
        super().__init__(inner)
        self.losses: list[LossPoint] = []
        self._started: float | None = None
        self._ticks: dict[Phase, list[tuple[float, float]]] = {}

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        now = time.perf_counter()
        if phase is Phase.LOADING:
            self._started = None
        elif self._started is None:
            self._started = now
        if iterations and iteration:
            self._ticks.setdefault(phase, []).append((now, time.process_time()))
        if losses:
            self.losses.append(LossPoint(phase.value, iteration, dict(losses)))
        super().report(phase, fraction, iteration=iteration, iterations=iterations, losses=losses)

    def seconds(self) -> float:
        return 0.0 if self._started is None else time.perf_counter() - self._started

    def steps(self) -> tuple[float | None, float | None]:
        """Median seconds, by the clock on the wall and by the processor's."""
        pairs = [pair for ticks in self._ticks.values() for pair in pairwise(ticks)]
        if not pairs:
            return None, None
        wall, work = (statistics.median(after[k] - before[k] for before, after in pairs) for k in (0, 1))
        return wall, work
