"""What a large job holds in memory while it runs: a curve over time, of all that the process has."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from painterly_engine.bench import scenes
from painterly_engine.bench.trial import Trial
from painterly_engine.job import run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import Observer
from painterly_protocol.messages import Phase
from painterly_protocol.request import Parameters

EVERY_S = 0.2
STATUS = Path("/proc/self/status")


class _Looks(threading.Thread):
    """Notes (seconds, bytes resident) until ``enough``; nothing where the system does not tell."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.started = time.perf_counter()
        self.curve: list[tuple[float, int]] = []
        self._enough = threading.Event()

    def run(self) -> None:
        while STATUS.exists() and not self._enough.wait(EVERY_S):
            self.curve.append((round(time.perf_counter() - self.started, 2), resident()))

    def enough(self) -> None:
        self._enough.set()
        self.join()


class _Phases(Observer):
    """When each scale or phase began."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.began: list[tuple[float, str]] = []

    def report(
        self,
        phase: Phase,
        fraction: float,  # noqa: ARG002 - the observer's signature
        *,
        iteration: int = 0,  # noqa: ARG002
        iterations: int = 0,  # noqa: ARG002
        losses: Mapping[str, float] | None = None,  # noqa: ARG002
    ) -> None:
        if not self.began or self.began[-1][1] != phase.value:
            self.began.append((round(time.perf_counter() - self.since, 2), phase.value))


def resident() -> int:
    """Bytes of this process now."""
    return next(int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if line.startswith("VmRSS"))


def measure_held(trial: Trial, shelf: NetworkShelf) -> dict[str, Any]:
    """The trial's job once, its pictures and a warm network there before."""
    network = shelf.get(trial.weights)
    parameters = Parameters(preset=trial.preset, size=trial.size, iterations=trial.iterations, weights=trial.weights)
    asked = scenes.request(trial.height, trial.width, trial.object_side, parameters, rough=trial.rough)
    looks = _Looks()
    phases, before = _Phases(looks.started), resident() if STATUS.exists() else 0
    looks.start()
    try:
        metadata = run_request(asked, shelf, phases).metadata
    finally:
        looks.enough()
    return {
        "trial": asdict(trial),
        "network": network.name,
        "total": time.perf_counter() - looks.started,
        "seconds": metadata["seconds"],
        "working_size": metadata["working_size"],
        "notes": metadata["notes"],
        "before": before,
        "peak": max((held for _, held in looks.curve), default=None),
        "began": phases.began,
        "curve": looks.curve,
    }
