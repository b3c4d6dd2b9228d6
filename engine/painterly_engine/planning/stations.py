"""The way of a job as stations with room for so many at a time, and how many jobs a second each can take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from painterly_engine.planning.figures import Figures, Overheads, picture_bytes

BUSY = 0.85  # of the time: with more, queues grow long before anything is really full
DAY_S = 86400.0


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: processor cores, bytes of memory, graphics cards, bytes of its object store."""

    cores: int = 16
    memory: float = 64e9
    gpus: int = 0
    store: float = 16e9


@dataclass(frozen=True)
class Work:
    """What all jobs are like.

    Attributes:
        side: of the paintings, square.
        network: bits a second of an engine's machine, each way.
        engines: in front of the cluster, each on a machine of its own and with its part of the jobs.
    """

    preset: str
    side: int
    figures: Figures
    node: Node = field(default_factory=Node)
    network: float = 10e9
    overheads: Overheads = field(default_factory=Overheads)
    engines: int = 1

    @property
    def seconds(self) -> float:
        """Of computing one."""
        return self.figures.seconds(self.preset, self.side)

    @property
    def memory(self) -> float:
        """Bytes of a worker."""
        return self.figures.memory(self.preset, self.side)

    @property
    def on_gpu(self) -> bool:
        return self.figures.device != "cpu"

    @property
    def workers_per_node(self) -> int:
        """As many as its cores, or its graphics cards, and its memory hold; 0: not even one fits."""
        places = self.node.gpus if self.on_gpu else self.node.cores // self.figures.threads
        return min(places, int(self.node.memory // self.memory))

    def workers_for(self, rate: float) -> int:
        """For so many jobs a second, ``BUSY`` of the time."""
        return max(1, math.ceil(rate * self.seconds / BUSY))


@dataclass(frozen=True)
class Station:
    """
    Attributes:
        places: jobs at a time.
        seconds: that each stays.
    """

    name: str
    places: int
    seconds: float

    @property
    def capacity(self) -> float:
        """Jobs a second."""
        return self.places / self.seconds


def stations(work: Work, workers: int) -> list[Station]:
    """In the order in which a job passes them."""
    size, costs = picture_bytes(work.side), work.overheads
    loop = costs.loop + size * costs.loop_byte + work.seconds * costs.loop_second
    driver = costs.driver + size * costs.driver_byte + work.seconds * costs.driver_second
    return [
        Station("network", work.engines, size * 8 / work.network),
        Station("engine's loop", work.engines, loop),
        Station("cluster's driver", work.engines, driver),
        Station("workers", workers, work.seconds),
    ]


def store_capacity(work: Work) -> float:
    """Jobs a second that the object stores beside the engines hold: each one's pictures stay until it has ended."""
    return work.engines * work.node.store / picture_bytes(work.side) / work.seconds


def limits(work: Work, workers: int) -> list[tuple[str, float]]:
    """What gives out at how many jobs a second, the first one first."""
    found = [(station.name, station.capacity) for station in stations(work, workers)]
    return sorted([*found, ("object store", store_capacity(work))], key=lambda limit: limit[1])


def first_beside_workers(found: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """The first that more machines do not help."""
    return next(limit for limit in found if limit[0] != "workers")
