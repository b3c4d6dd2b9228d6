"""What a cluster costs beside this machine's own workers, as the table of docs/cluster.md; takes some minutes:

    python tests/support/cluster_timings.py

Jobs go in turn to an engine with workers of its own and to one on a Ray cluster of two nodes, so that whatever else the
machine does meets both alike. The scripted runner computes nothing, or sleeps: what is timed is the way there and back.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from painterly_engine.planning.figures import picture_bytes
from painterly_protocol.client import EngineClient
from painterly_protocol.messages import EngineState, Progress
from painterly_protocol.request import HarmonizeRequest, Parameters
from support import jobs
from support.fake_engine import wait_until
from support.ray_cluster import RayCluster
from support.real_engine import RealEngine, outcome, outcomes

SIDES = {12: 300, 1024: 40, 2048: 20}  # pixels, and how many jobs of that size
LONG_JOB_S, LONG_JOBS, MANY = 0.5, 20, 24
HELD_S = 20.0
ROOM = ("--capacity-each", str(MANY))
CANCELS = 20
MOST_S = 600.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class House:
    engine: RealEngine
    client: EngineClient

    def worked(self) -> list[float]:
        """Processor seconds so far: of the I/O loop, and of the driver where there is one."""
        drivers = self.engine.events("driver-starts")
        return [_processor_s(pid) for pid in (self.engine.process.pid, *(int(one["driver"]) for one in drivers[-1:]))]


def main() -> None:
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as name, RayCluster(nodes=2) as cluster:
        os.environ.update(cluster.environment)
        with _houses(Path(name, "one"), cluster, 1) as houses:
            rows += _sizes(houses)
            rows += _sleeping(houses)
            rows += _held(houses)
            one = [_jobs_a_second(house) for house in houses]
        with _houses(Path(name, "two"), cluster, 2) as houses:
            two = [_jobs_a_second(house) for house in houses]
    rows.append(
        (
            f"jobs of {LONG_JOB_S:g} s a second: one worker, two workers",
            *(f"{a:.2f}, {b:.2f}" for a, b in zip(one, two, strict=True)),
        )
    )
    with RayCluster(nodes=0) as head:
        memory = sum(map(_own_bytes, head.pids))
    rows.append(("memory of a head node's own processes", "", f"{memory / 1e9:.2f} GB"))
    print(f"load average {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores")
    print("| | here | through Ray |\n|---|---|---|")
    for row in rows:
        print("| {} | {} | {} |".format(*row))


@contextmanager
def _houses(folder: Path, cluster: RayCluster, workers: int) -> Iterator[list[House]]:
    """One whose workers are here, one whose workers are actors; all of them warm."""
    with ExitStack() as opened:
        found = []
        for name, options in (("here", ()), ("ray", cluster.options)):
            engine = opened.enter_context(RealEngine(folder / name, *options, "--workers", str(workers), *ROOM))
            client = opened.enter_context(engine.connect())
            house = House(engine, client)
            wait_until(lambda client=client: client.status(30).state is EngineState.READY, MOST_S)
            _run(house, [_square(12, f"for:{LONG_JOB_S}")] * 2 * workers)
            found.append(house)
        yield found


def _sizes(houses: Sequence[House]) -> Iterator[tuple[str, str, str]]:
    costs: dict[int, list[list[float]]] = {}
    for side, count in SIDES.items():
        request, took = _square(side), [[] for _ in houses]
        before = [house.worked() for house in houses]
        for _ in range(count):
            for house, seconds in zip(houses, took, strict=True):
                seconds.append(_timed(house, request))
        costs[side] = [_each(house.worked(), then, count) for house, then in zip(houses, before, strict=True)]
        yield f"{side} px job that computes nothing, from submit to result", *(_ms(statistics.median(s)) for s in took)
    small, large = min(SIDES), max(SIDES)
    megabytes = (picture_bytes(large) - picture_bytes(small)) / 1e6
    for part, name in enumerate(("the I/O loop", "the driver")):
        found = [
            f"{_ms(small_costs[part])}, {_ms((large_costs[part] - small_costs[part]) / megabytes)}"
            if part < len(small_costs)
            else ""
            for small_costs, large_costs in zip(costs[small], costs[large], strict=True)
        ]
        yield f"processor of {name}: a job, and a megabyte of it", *found


def _sleeping(houses: Sequence[House]) -> Iterator[tuple[str, str, str]]:
    request = _square(12, f"for:{LONG_JOB_S}")
    took: list[list[float]] = [[] for _ in houses]
    for _ in range(LONG_JOBS):
        for house, seconds in zip(houses, took, strict=True):
            seconds.append(_timed(house, request))
    yield f"job of {LONG_JOB_S:g} s, one worker", *(_ms(statistics.median(seconds)) for seconds in took)


def _held(houses: Sequence[House]) -> Iterator[tuple[str, str, str]]:
    """What a job costs while it computes and tells how far it is, and how soon a cancel ends it."""
    costs, cancels = [], []
    for house in houses:
        idle = house.worked()
        time.sleep(HELD_S)
        held = house.worked()
        job_id = _begin(house)
        _listen(house, HELD_S)
        worked = house.worked()
        house.client.cancel(job_id)
        outcome(house.client, job_id)
        costs.append([(c - b) - (b - a) for a, b, c in zip(idle, held, worked, strict=True)])
        cancels.append(statistics.median(_cancel(house) for _ in range(CANCELS)))
    for part, name in enumerate(("the I/O loop", "the driver")):
        found = (_ms(max(0.0, cost[part]) / HELD_S) if part < len(cost) else "" for cost in costs)
        yield f"processor of {name}: a second in which one worker computes", *found
    yield "a cancel, from asking to “cancelled”", *map(_ms, cancels)


def _jobs_a_second(house: House) -> float:
    began = time.monotonic()
    _run(house, [_square(12, f"for:{LONG_JOB_S}")] * MANY)
    return MANY / (time.monotonic() - began)


def _run(house: House, requests: Sequence[HarmonizeRequest]) -> None:
    """No more at a time than one client may have waiting."""
    left = list(requests)
    while left:
        now, left = left[:MANY], left[MANY:]
        outcomes(house.client, *[house.client.submit(request) for request in now], deadline_s=MOST_S)


def _timed(house: House, request: HarmonizeRequest) -> float:
    began = time.perf_counter()
    house.client.run(request)
    return time.perf_counter() - began


def _begin(house: House) -> str:
    """A job that goes on until it is cancelled, once it tells how far it is."""
    job_id = house.client.submit(_square(12, "hold:/nonexistent/never"))
    wait_until(lambda: any(isinstance(m, Progress) and m.iteration for m in house.client.events(0.1)))
    return job_id


def _listen(house: House, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        house.client.events(0.1)


def _cancel(house: House) -> float:
    job_id = _begin(house)
    asked = time.perf_counter()
    house.client.cancel(job_id)
    outcome(house.client, job_id)
    return time.perf_counter() - asked


def _square(side: int, script: str = "auto") -> HarmonizeRequest:
    painting, composite, mask = (jobs.flat(channels, 50, side, side) for channels in (3, 3, 1))
    return HarmonizeRequest(painting, composite, mask, parameters=Parameters(weights=script))


def _processor_s(pid: int) -> float:
    """Of all its threads."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) * TICK_S


def _own_bytes(pid: int) -> int:
    """What is its own, and its share of what it shares with others."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _each(now: Sequence[float], before: Sequence[float], count: int) -> list[float]:
    return [(after - then) / count for after, then in zip(now, before, strict=True)]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms" if seconds < 0.02 else f"{1000 * seconds:.0f} ms"


if __name__ == "__main__":
    main()
