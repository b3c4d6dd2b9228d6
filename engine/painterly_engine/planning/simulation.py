"""A day's queue in seconds: jobs arrive at random and pass the stations; simpy keeps the clock and the queues."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from painterly_engine.planning.stations import Station
from painterly_protocol.errors import ErrorCode, PainterlyError

MOST_JOBS = 5_000
SPREAD = 0.25  # of a job's seconds around their mean: objects differ in size


@dataclass(frozen=True)
class Seen:
    """
    Attributes:
        rate: jobs a second that came.
        waited: seconds of all that a job takes beside its computing, (median, 99th percentile).
        mean: of the same.
        busy: share of the time that each station works, by name.
        growing: the queue grew until the end: more came than could go.
    """

    rate: float
    waited: tuple[float, float]
    mean: float
    busy: dict[str, float]
    growing: bool


def simulate(stations: Sequence[Station], rate: float, seed: int = 0, count: int = MOST_JOBS) -> Seen:
    """``count`` jobs at random moments, ``rate`` a second on average, through all stations in order.

    Raises:
        PainterlyError: BAD_REQUEST where simpy is not installed.
    """
    simpy = _simpy()
    dice, clock = random.Random(seed), simpy.Environment()
    rooms = [simpy.Resource(clock, station.places) for station in stations]
    waited: list[float] = []
    worked = dict.fromkeys((station.name for station in stations), 0.0)

    def job() -> Generator[Any, Any, None]:
        came, computed = clock.now, 0.0
        for station, room in zip(stations, rooms, strict=True):
            with room.request() as place:
                yield place
                seconds = station.seconds * dice.uniform(1 - SPREAD, 1 + SPREAD)
                yield clock.timeout(seconds)
                worked[station.name] += seconds / station.places
                computed += seconds if station.name == "workers" else 0.0
        waited.append(clock.now - came - computed)

    def arrivals() -> Generator[Any, Any, None]:
        for _ in range(count):
            yield clock.timeout(dice.expovariate(rate))
            clock.process(job())

    clock.process(arrivals())
    clock.run()
    ordered, span = sorted(waited), clock.now
    half = len(waited) // 2
    # The order in which they ended is almost that in which they came.
    early, late = sum(waited[:half]) / half, sum(waited[half:]) / (len(waited) - half)
    return Seen(
        rate,
        (ordered[half], ordered[int(0.99 * (len(ordered) - 1))]),
        sum(ordered) / len(ordered),
        {name: seconds / span for name, seconds in worked.items()},
        growing=late > 2 * early and late > max(station.seconds for station in stations) / 10,
    )


def _simpy() -> Any:
    try:
        import simpy
    except ImportError as error:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "simpy is not installed.",
            "Install it where painterly is: pip install 'painterly-harmonize[cluster]'.",
        ) from error
    return simpy
