"""How long a job will take and how much memory, before it is begun: from what earlier jobs on this machine took, and
before the first one from what others took on another machine."""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from painterly_protocol.request import DEFAULT_METHOD, Parameters

REMEMBERED = 40  # runs
CONSIDERED = 5  # of them, the latest that are alike
# The worker with its libraries; what each pixel of the sent pictures, and of the working size, adds to it: round
# figures on the large side, seen on Linux with the built-in network.
BASE_MB = 600
BYTES_PER_PIXEL = 60
BYTES_PER_WORKING_PIXEL = 3000
USUAL_SIZE = 512


# A machine with this many processors, each of which counts so far in so long, was quiet while the figures were taken.
KNOWN_PROCESSORS, COUNTED, COUNTING_S = 2, 300_000, 0.0038
MOST_PROCESSORS = 8  # more help little
SURROUNDINGS = 0.16  # of the object's longest side that are worked on with it, on each of its sides


@dataclass(frozen=True)
class Known:
    """What a preset took there.

    Attributes:
        seconds: with an object that just fills the working size.
        size: longest side of the pictures; smaller objects take less. None: the object's size does not matter.
        iterations: of each pass.
        beyond: seconds more for each million pixels of a larger object with its surroundings, which are painted at
            full resolution in the end.
    """

    seconds: float
    size: int | None
    iterations: int
    beyond: float = 0.0


KNOWN = {
    "instant": Known(0.6, 512, 1, beyond=0.25),
    "draft": Known(6, 384, 20, beyond=11),
    "standard": Known(65, 768, 66, beyond=11),
    "high": Known(400, 1536, 112, beyond=11),
    "published": Known(1800, None, 1000),
}


class Basis(Enum):
    """What an estimate of seconds rests on."""

    LEARNT = "learnt"  # runs on this machine
    SCALED = "scaled"  # runs on this machine with other sizes or iterations
    GUESSED = "guessed"  # another machine
    NOTHING = "nothing"


@dataclass(frozen=True)
class Estimate:
    """
    Attributes:
        seconds: None where nothing is known.
        megabytes: of main memory.
        basis: of the seconds.
    """

    seconds: float | None
    megabytes: float
    basis: Basis


@dataclass(frozen=True)
class Run:
    """What one job took.

    Attributes:
        preset, weights: as asked; of another method than the usual, "PRESET METHOD".
        size, iterations: as used: longest side of the working pictures, iterations of each pass.
        is_plain: whether size and iterations were the preset's own.
        seconds: from submission to result, without waiting for other jobs.
        side: the object's longest, in pixels; 0: not known.
    """

    preset: str
    weights: str
    size: int
    iterations: int
    is_plain: bool
    seconds: float
    side: int = 0


def estimate(
    parameters: Parameters, pixels: int, runs: Sequence[Run], *, side: int = 0, pace: float | None = None
) -> Estimate:
    """What a job will take.

    Args:
        parameters: of the job.
        pixels: of the pictures that are sent.
        runs: earlier ones.
        side: the object's longest, in pixels; 0: large.
        pace: of this machine, see ``pace``; None: nothing is guessed.
    """
    alike = [run for run in runs if (run.preset, run.weights) == (_way(parameters), parameters.weights)]
    plain = [run for run in alike if run.is_plain]
    own = parameters.size is not None or parameters.iterations is not None
    scaled = [
        _scaled(run, parameters, side) for run in (plain or (alike if _says_all(parameters) else []))[-CONSIDERED:]
    ]
    size = working_size(parameters, runs)
    megabytes = BASE_MB + (BYTES_PER_PIXEL * pixels + BYTES_PER_WORKING_PIXEL * size * size) / 1e6
    if scaled:
        return Estimate(statistics.median(scaled), megabytes, Basis.SCALED if own else Basis.LEARNT)
    known = KNOWN.get(_way(parameters))
    if known is None or pace is None:
        return Estimate(None, megabytes, Basis.NOTHING)
    return Estimate(_elsewhere(known, parameters, side) * pace, megabytes, Basis.GUESSED)


def _elsewhere(known: Known, parameters: Parameters, side: int) -> float:
    """Seconds on the machine where the figures were taken."""
    iterations = (parameters.iterations or known.iterations) / known.iterations
    if known.size is None:
        return known.seconds * iterations
    size = parameters.size or known.size
    around = round(side * (1 + 2 * SURROUNDINGS)) or size
    painted = known.seconds * iterations * (min(size, around) / known.size) ** 2
    return painted + known.beyond * max(0, around**2 - size**2) / 1e6


def pace() -> float:
    """Of this machine, against the one where the figures were taken: 2 takes twice as long. Takes some milliseconds."""
    began = time.thread_time()  # other programs' work does not count
    sum(range(COUNTED))
    slower = (time.thread_time() - began) / COUNTING_S
    processors = min(os.cpu_count() or 1, MOST_PROCESSORS)
    return max(0.1, slower) * KNOWN_PROCESSORS / processors


def working_size(parameters: Parameters, runs: Sequence[Run]) -> int:
    """The size asked for, else that of the last run with the same preset, else a usual one."""
    sizes = [run.size for run in runs if run.is_plain and run.preset == _way(parameters)]
    return parameters.size or (sizes[-1] if sizes else USUAL_SIZE)


def _way(parameters: Parameters) -> str:
    if parameters.method == DEFAULT_METHOD:
        return parameters.preset
    return f"{parameters.preset} {parameters.method}"


def _says_all(parameters: Parameters) -> bool:
    return parameters.size is not None and parameters.iterations is not None


def _scaled(run: Run, parameters: Parameters, side: int) -> float:
    known = KNOWN.get(run.preset)
    if known is not None and run.is_plain and run.side and side:
        plain = replace(parameters, size=None, iterations=None)
        return run.seconds * _elsewhere(known, parameters, side) / _elsewhere(known, plain, run.side)
    size = parameters.size or run.size
    iterations = parameters.iterations or run.iterations
    return run.seconds * (size / max(1, run.size)) ** 2 * (iterations / max(1, run.iterations))


def run_of(parameters: Parameters, metadata: Mapping[str, object], side: int = 0) -> Run | None:
    """The run that a result's ``metadata`` tells of, of an object so long; None where it does not say enough."""
    try:
        told: Mapping[str, Any] = metadata
        size, iterations = max(int(side) for side in told["working_size"]), int(told["iterations"])
        seconds = math.fsum(float(part) for part in told["seconds"].values())
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    plain = parameters.size is None and parameters.iterations is None
    return Run(_way(parameters), parameters.weights, size, iterations, plain, seconds, side)


def load_runs(file: Path) -> list[Run]:
    """What ``save_run`` wrote; [] where there is nothing of use."""
    try:
        return [Run(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))["runs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def save_run(file: Path, run: Run) -> None:
    """Remember ``run``; where that is impossible nothing is lost but an estimate."""
    entries = [asdict(known) for known in [*load_runs(file), run][-REMEMBERED:]]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(file.name + ".new")
        temporary.write_text(json.dumps({"runs": entries}), encoding="utf-8")
        temporary.replace(file)
    except OSError:
        return
