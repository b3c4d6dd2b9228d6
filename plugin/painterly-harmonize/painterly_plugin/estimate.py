"""How long a job will take and how much memory, before it is begun: from what earlier jobs on this machine took."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class Estimate:
    """
    Attributes:
        seconds: None where nothing is known.
        megabytes: of main memory.
        is_learnt: whether ``seconds`` comes from runs on this machine.
    """

    seconds: float | None
    megabytes: float
    is_learnt: bool = False


@dataclass(frozen=True)
class Run:
    """What one job took.

    Attributes:
        preset, weights: as asked; of another method than the usual, "PRESET METHOD".
        size, iterations: as used: longest side of the working pictures, iterations of each pass.
        is_plain: whether size and iterations were the preset's own.
        seconds: from submission to result, without waiting for other jobs.
    """

    preset: str
    weights: str
    size: int
    iterations: int
    is_plain: bool
    seconds: float


def estimate(parameters: Parameters, pixels: int, runs: Sequence[Run]) -> Estimate:
    """What a job with ``parameters`` on pictures of ``pixels`` pixels will take, going by earlier ``runs``."""
    alike = [run for run in runs if (run.preset, run.weights) == (_way(parameters), parameters.weights)]
    plain = [run for run in alike if run.is_plain]
    own = parameters.size is not None or parameters.iterations is not None
    scaled = [_scaled(run, parameters) for run in (plain or (alike if _says_all(parameters) else []))[-CONSIDERED:]]
    size = working_size(parameters, runs)
    megabytes = BASE_MB + (BYTES_PER_PIXEL * pixels + BYTES_PER_WORKING_PIXEL * size * size) / 1e6
    if not scaled:
        return Estimate(None, megabytes)
    return Estimate(statistics.median(scaled), megabytes, is_learnt=not own)


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


def _scaled(run: Run, parameters: Parameters) -> float:
    size = parameters.size or run.size
    iterations = parameters.iterations or run.iterations
    return run.seconds * (size / max(1, run.size)) ** 2 * (iterations / max(1, run.iterations))


def run_of(parameters: Parameters, metadata: Mapping[str, object]) -> Run | None:
    """The run that a result's ``metadata`` tells of; None where it does not say enough."""
    try:
        told: Mapping[str, Any] = metadata
        size, iterations = max(int(side) for side in told["working_size"]), int(told["iterations"])
        seconds = math.fsum(float(part) for part in told["seconds"].values())
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    plain = parameters.size is None and parameters.iterations is None
    return Run(_way(parameters), parameters.weights, size, iterations, plain, seconds)


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
