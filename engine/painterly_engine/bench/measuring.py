"""What runs in a measurement's own process: ``python -m painterly_engine.bench.measuring WHAT '{…}'`` prints JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from painterly_engine.arrays import to_array
from painterly_engine.bench import scenes
from painterly_engine.bench.agreement import measure_agreement
from painterly_engine.bench.held import measure_held
from painterly_engine.bench.trial import PUBLISHED, Seen, Trial
from painterly_engine.device import be_careful, choose
from painterly_engine.job import run_request
from painterly_engine.matching.coarse import PatchCosines, match_at_any_size
from painterly_engine.matching.correlation import Query
from painterly_engine.matching.cosine import match_patches
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import Observer
from painterly_engine.tensors import to_tensor
from painterly_protocol.messages import Phase
from painterly_protocol.request import Parameters

COUNTED_ITERATIONS = 3
"""Of ``published``, all of whose iterations are alike; fewer than are made before they are recorded on a GPU."""
MATRIX_SIDES = {"cpu": 2048}
GPU_MATRIX_SIDE = 8192
REPEATS = 7
CLEAR = Path("/proc/self/clear_refs")


class Stopwatch(Observer):
    """Reads a clock at every iteration, and the memory's peak at every phase's end."""

    def __init__(self, clock: Callable[[], float], peak: Peak | None = None) -> None:
        self.clock, self.peak = clock, peak
        self.phase: Phase | None = None
        self.iteration = 0
        self.read: dict[str, list[float]] = {}
        self.peaks: dict[str, int] = {}

    def report(
        self,
        phase: Phase,
        fraction: float,  # noqa: ARG002 - the observer's signature
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,  # noqa: ARG002
    ) -> None:
        if phase is not self.phase:
            self.end_phase()
            self.phase = phase
        # What is told between two iterations, of matching for example, names the last one again.
        if iterations and iteration and iteration != self.iteration:
            self.iteration = iteration
            self.read.setdefault(phase.value, []).append(self.clock())

    def end_phase(self) -> None:
        """The last phase's peak since it began."""
        held = self.peak.since_last() if self.peak else None
        if self.phase is not None and held is not None:
            self.peaks[self.phase.value] = max(held, self.peaks.get(self.phase.value, 0))

    def steps(self) -> dict[str, list[float]]:
        """From one iteration to the next, by phase."""
        found = {phase: [after - before for before, after in pairwise(read)] for phase, read in self.read.items()}
        return {phase: steps for phase, steps in found.items() if steps}


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the floating point operations of matrix products and convolutions, forwards and back.

    Not torch's ``FlopCounterMode``: its hooks on modules do not go with gradients taken from layer to layer.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=found)
        return found


class Peak:
    """Of memory above what is held now: a GPU's, or this process's where Linux tells it."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.before = device, 0
        self.told = device.type == "cuda" or CLEAR.exists()
        self.since_last()
        if self.told:
            self.before = torch.cuda.memory_allocated(device) if device.type == "cuda" else _status("VmRSS")

    def since_last(self) -> int | None:
        """Since the last time it was asked."""
        if not self.told:
            return None
        if self.device.type == "cuda":
            peak = int(torch.cuda.max_memory_allocated(self.device))
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            peak = _status("VmHWM")
            CLEAR.write_text("5")
        return peak - self.before


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def prepare(name: str, threads: int) -> torch.device:
    """As the engine's worker does, with so many threads."""
    torch.set_num_threads(threads)
    be_careful()
    return choose(name)


def measure_trial(trial: Trial) -> Seen:
    """Timed first, with a warm network; then again with its operations counted, which slows it."""
    device = prepare(trial.device, trial.threads)
    if trial.card is not None and device.type == "cuda":
        there = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, trial.card / there), device)
    shelf = NetworkShelf(device)
    network = shelf.get(trial.weights)
    network(torch.rand(3, 64, 64, device=device), network.layers)

    parameters = Parameters(
        preset=trial.preset, size=trial.size, iterations=trial.iterations, stylization=5.0, weights=trial.weights
    )
    asked = scenes.request(trial.height, trial.width, trial.object_side, parameters, rough=trial.rough)
    iterations = COUNTED_ITERATIONS if trial.preset == PUBLISHED else trial.iterations
    counted = replace(asked, parameters=replace(parameters, iterations=iterations))
    if device.type == "cuda":
        run_request(counted, shelf, Observer())  # loads the kernels
    watch, started = Stopwatch(time.perf_counter, Peak(device)), time.perf_counter()
    metadata: dict[str, Any] = run_request(asked, shelf, watch).metadata
    total = time.perf_counter() - started
    watch.end_phase()
    with Operations() as operations:
        counter = Stopwatch(lambda: float(operations.total))
        run_request(counted, shelf, counter)
    return Seen(
        trial,
        seconds=metadata["seconds"],
        total=total,
        iteration={phase: statistics.mean(steps) for phase, steps in watch.steps().items()},
        work={phase: statistics.mean(steps) for phase, steps in counter.steps().items()},
        peaks=watch.peaks,
        device=str(device),
        working_size=metadata["working_size"],
    )


def measure_machine(device_name: str, threads: int) -> dict[str, object]:
    """What this is, and the operations a second that it reaches in products of large float32 matrices."""
    device = prepare(device_name, threads)
    side = MATRIX_SIDES.get(device.type, GPU_MATRIX_SIDE)
    a, b = torch.rand(2, side, side, device=device)

    def product() -> float:
        started = time.perf_counter()
        float((a @ b)[0, 0])  # waits for the device
        return time.perf_counter() - started

    fastest = min(product() for _ in range(REPEATS))
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "torch": torch.__version__,
        "matrix_flops": 2 * side**3 / fastest,
    }


def measure_matching(size: int, weights: str, device_name: str, threads: int) -> dict[str, object]:
    """Coarse-to-fine matching beside the exact one at relu3_1, of all positions of a picture of size × size."""
    device = prepare(device_name, threads)
    network = NetworkShelf(device).get(weights)
    asked = scenes.request(size, size, size // 2, Parameters())

    def features(pixels: Any) -> torch.Tensor:
        picture = to_tensor(to_array(pixels), "picture", device) * network.layout.pixel_scale
        found: torch.Tensor = network(picture, ["relu3_1"])["relu3_1"]
        return found

    source, target = features(asked.composite), features(asked.painting)
    query = Query.everything(source)
    clock = [time.perf_counter()]
    exact = match_patches(source, target)
    clock.append(time.perf_counter())
    found = match_at_any_size(source, target, exact_pairs=query.positions.area**2 // 2)
    clock.append(time.perf_counter())
    own = torch.arange(exact.numel(), device=device).view_as(exact)
    elsewhere, score = exact != own, PatchCosines(source, target, query)
    return {
        "size": size,
        "weights": weights,
        "exact_seconds": clock[1] - clock[0],
        "coarse_seconds": clock[2] - clock[1],
        "same_match": float((exact == found).float().mean()),
        "same_match_inside_object": float((exact == found)[elsewhere].float().mean()),
        "score_share_inside_object": float((score(found) / score(exact))[elsewhere].mean()),
    }


def measure_beginning(size: int, object_side: int, weights: str, jobs: int) -> dict[str, object]:
    """Seconds from a draft's start to its first features and to its first iteration, with a warm network: medians."""

    class FirstIterationError(Exception):
        pass

    class Impatient(Stopwatch):
        planned = 0.0

        def intermediate(self, name: str, data: torch.Tensor) -> None:  # noqa: ARG002 - the observer's signature
            self.planned = self.planned or self.clock()  # the first is told when the scales are planned

        def report(self, phase: Phase, fraction: float, **about: Any) -> None:
            super().report(phase, fraction, **about)
            if self.read:
                raise FirstIterationError

    shelf = NetworkShelf(choose())
    asked = scenes.request(size, size, object_side, Parameters(preset="draft", weights=weights))
    read: list[tuple[float, float]] = []
    for _ in range(jobs + 1):
        watch, started = Impatient(time.perf_counter), time.perf_counter()
        with suppress(FirstIterationError):
            run_request(asked, shelf, watch)
        read.append((watch.planned - started, next(iter(watch.read.values()))[0] - started))
    first_features, first_iteration = (statistics.median(times) for times in zip(*read[1:], strict=True))
    return {"first_features": first_features, "first_iteration": first_iteration}


def measure_large(**trial: Any) -> dict[str, Any]:
    """As ``held.measure_held``."""
    device = prepare(trial["device"], trial["threads"])
    return measure_held(Trial(**trial), NetworkShelf(device))


def measure_manners(trial: dict[str, Any], on_cpu: bool) -> dict[str, Any]:
    """As ``agreement.measure_agreement``."""
    device = prepare(trial["device"], trial["threads"])
    return measure_agreement(Trial(**trial), NetworkShelf(device), on_cpu)


def answer(what: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """For ``trial.ask``."""
    answers: dict[str, Callable[..., dict[str, Any]]] = {
        "trial": lambda **trial: asdict(measure_trial(Trial(**trial))),
        "machine": measure_machine,
        "matching": measure_matching,
        "beginning": measure_beginning,
        "large": measure_large,
        "agreement": measure_manners,
    }
    return answers[what](**arguments)


if __name__ == "__main__":
    print(json.dumps(answer(sys.argv[1], json.loads(sys.argv[2]))))
