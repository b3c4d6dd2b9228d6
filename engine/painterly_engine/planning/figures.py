"""What a job takes, as measured: seconds and memory by preset and size, and what the engine adds to it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from painterly_protocol.errors import ErrorCode, PainterlyError

WARM_BYTES = 700 * 2**20  # a worker with torch and a network, before its first job
BUILT_IN = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class Point:
    """A whole job: the painting's longest side in pixels, seconds, bytes above those held before."""

    side: int
    seconds: float
    peak: int


@dataclass(frozen=True)
class Figures:
    """
    Attributes:
        points: by preset, by ascending side.
        device: "cpu" or a graphics card's name.
        threads: of the processor that each job had.
        source: where they come from, for people.
    """

    points: Mapping[str, Sequence[Point]]
    device: str
    threads: int
    source: str

    def seconds(self, preset: str, side: int) -> float:
        """Of one job, between two measured sizes along a power law, beyond them along the nearest one.

        Raises:
            PainterlyError: BAD_REQUEST for a preset that was not measured.
        """
        return _along([(p.side, p.seconds) for p in self._of(preset)], side)

    def memory(self, preset: str, side: int) -> float:
        """Bytes of a worker in the middle of such a job."""
        return WARM_BYTES + _along([(p.side, float(max(p.peak, 1))) for p in self._of(preset)], side)

    def measured_sides(self, preset: str) -> list[int]:
        return [point.side for point in self._of(preset)]

    def _of(self, preset: str) -> Sequence[Point]:
        found = self.points.get(preset)
        if not found:
            raise PainterlyError(
                ErrorCode.BAD_REQUEST,
                f"{self.source} holds no figures of {preset}.",
                f"Measure it: painterly bench --presets {preset}, and give its bench.json with --figures.",
            )
        return found


def read_figures(file: Path | None = None) -> Figures:
    """Those of ``painterly bench``'s JSON, or the built-in ones.

    Raises:
        PainterlyError: UNREADABLE_FILE.
    """
    path = file or BUILT_IN
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return _figures(found, "the built-in figures" if file is None else str(file))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE,
            f"{path} cannot be read as figures of painterly bench ({type(error).__name__}).",
            "Give the bench.json that it wrote.",
        ) from error


def _figures(found: Mapping[str, Any], source: str) -> Figures:
    points: dict[str, list[Point]] = {}
    for row in found["presets"]:
        trial = row["trial"]
        side, seconds = max(trial["height"], trial["width"]), float(row["seconds_in_full"])
        points.setdefault(trial["preset"], []).append(Point(side, seconds, int(row["peak"] or 0)))
    machine = found["machine"]
    ordered = {preset: sorted(of, key=lambda point: point.side) for preset, of in points.items()}
    return Figures(ordered, str(machine["device"]), int(machine["threads"]), source)


def _along(points: Sequence[tuple[int, float]], side: int) -> float:
    if len(points) == 1:
        return points[0][1]
    (x0, y0), (x1, y1) = next((pair for pair in pairwise(points) if side <= pair[1][0]), (points[-2], points[-1]))
    power = math.log(y1 / y0) / math.log(x1 / x0)
    if side < points[0][0]:
        power = max(0.0, power)
    return float(y0 * (side / x0) ** power)


@dataclass(frozen=True)
class Overheads:
    """Seconds of one processor that a job costs beside its computing; docs/cluster.md says how they were measured.

    Attributes:
        loop: of the engine's I/O loop; also for each byte of pictures, and for each second that a worker computes and
            tells how far it is.
        driver: of the process that speaks with Ray, likewise.
    """

    loop: float = 0.0011
    loop_byte: float = 0.5e-9
    loop_second: float = 0.001
    driver: float = 0.0012
    driver_byte: float = 0.8e-9
    driver_second: float = 0.004


def picture_bytes(side: int) -> int:
    """Painting, composite and mask of a square job in 8 bits, and a result that fills it."""
    return side * side * (3 + 3 + 1 + 3)
