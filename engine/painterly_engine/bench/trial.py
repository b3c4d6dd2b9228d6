"""Timed jobs and other measurements, each in a process of its own, so that its memory is its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from painterly_protocol.errors import ErrorCode, PainterlyError

PUBLISHED = "published"
FULL_VGG = "random-vgg19"
"""A network as wide and deep as VGG-19 with random weights: as good as the real one for timing."""


@dataclass(frozen=True)
class Trial:
    """What is to be timed.

    Attributes:
        name: for people.
        preset, size, iterations: as a job's; None leaves them to the preset.
        height, width: of the painting.
        object_side: the object's diameter in the painting.
        rough: whether the painting has so much grain that histograms count.
        weights: a network's name, or ``FULL_VGG``.
        device: "auto", "cpu", "cuda", "mps".
        threads: of the CPU.
        card: bytes that it may take of a graphics card; None: all there are.
    """

    name: str
    preset: str
    height: int
    width: int
    object_side: int
    size: int | None = None
    iterations: int | None = None
    rough: bool = False
    weights: str = "slim"
    device: str = "auto"
    threads: int = 2
    card: int | None = None


@dataclass(frozen=True)
class Seen:
    """What a trial gave.

    Attributes:
        trial: what was run.
        seconds: by phase; "loading" only finds a warm network.
        total: seconds.
        iteration: mean seconds from one iteration to the next, by phase.
        work: floating point operations of one iteration, by phase.
        peaks: bytes above those held before the job, by phase; of the GPU's memory where there is one. Empty where
            nobody tells.
        device: it ran on.
        working_size: [width, height]; smaller than asked for where memory was short.
    """

    trial: Trial
    seconds: Mapping[str, float]
    total: float
    iteration: Mapping[str, float]
    work: Mapping[str, float]
    peaks: Mapping[str, int]
    device: str
    working_size: Sequence[int] = ()

    def peak(self, phases: Collection[str] = ()) -> int | None:
        """Of some phases, without any of the whole job."""
        return max((peak for phase, peak in self.peaks.items() if phase in phases or not phases), default=None)

    def projected(self, iterations: int, phases: Collection[str] = ()) -> float:
        """Seconds of some phases, without any of the whole job, with so many iterations in each that iterates; as they
        were seen where the trial left the iterations to its preset."""
        seen = sum(self.seconds.get(phase, 0.0) for phase in phases) if phases else self.total
        if self.trial.iterations is None:
            return seen
        steps = sum(step for phase, step in self.iteration.items() if phase in phases or not phases)
        return seen + (iterations - self.trial.iterations) * steps

    def share(self, matrix_flops: float) -> dict[str, float]:
        """Of the operations a second that the device reaches in matrix products, by phase."""
        return {
            phase: work / self.iteration[phase] / matrix_flops
            for phase, work in self.work.items()
            if self.iteration.get(phase)
        }


def run(trial: Trial) -> Seen:
    """Run it.

    Raises:
        PainterlyError: INTERNAL, with the process's last words, where it failed.
    """
    found = ask("trial", asdict(trial))
    return Seen(**{**found, "trial": trial})


def ask(what: str, arguments: Mapping[str, object]) -> dict[str, Any]:
    """What ``measuring.py`` answers.

    Raises:
        PainterlyError: INTERNAL.
    """
    command = [sys.executable, "-m", "painterly_engine.bench.measuring", what, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        raise PainterlyError(ErrorCode.INTERNAL, f"A measurement ({what}) failed: {last}", "Try smaller pictures.")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
