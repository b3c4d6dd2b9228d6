"""Many jobs of many clients with cancels in between: none lost, none doubled, none another's, no memory kept."""

from __future__ import annotations

import itertools
import random
import statistics
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from painterly_protocol.client import EngineClient
from painterly_protocol.errors import ErrorCode
from painterly_protocol.messages import Failure, Priority, Progress, Result
from painterly_protocol.request import HarmonizeRequest, Parameters
from support import jobs
from support.fake_engine import wait_until
from support.real_engine import RealEngine, resident_kib, worker_pid

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="reads /proc")

WARM_UP = 0.3  # of the jobs: until then memory may grow to what it needs
PATIENCE_S = 300.0


@dataclass
class User:
    """One client: keeps ``together`` jobs in the engine until ``count`` have ended, and cancels some of them."""

    number: int
    count: int
    together: int
    engine: RealEngine
    ended: list[tuple[str, str]] = field(default_factory=list)  # (job id, outcome)
    wrong: list[str] = field(default_factory=list)

    def live(self) -> None:
        dice = random.Random(self.number)
        with self.engine.connect() as client:
            self._work(client, dice)

    def _work(self, client: EngineClient, dice: random.Random) -> None:
        open_jobs: dict[str, int] = {}
        submitted = 0
        while len(self.ended) < self.count:
            while submitted < self.count and len(open_jobs) < self.together:
                sample = dice.randrange(256)
                job_id = f"{self.number}-{submitted}"
                client.submit(_job(sample), job_id, dice.choice(list(Priority)))
                open_jobs[job_id] = sample
                submitted += 1
                if dice.random() < 0.15:
                    client.cancel(dice.choice(list(open_jobs)))
            for message in client.events(1.0):
                if isinstance(message, Progress) and dice.random() < 0.02:
                    client.cancel(message.job_id)
                if isinstance(message, Result | Failure):
                    self._end(message, open_jobs)

    def _end(self, message: Result | Failure, open_jobs: dict[str, int]) -> None:
        sample = open_jobs.pop(message.job_id, None)
        if isinstance(message, Result):
            outcome = "done"
            exact = sample is not None and bytes(message.picture.data) == bytes([255 - sample]) * len(
                message.picture.data
            )
        else:
            outcome, exact = message.code, sample is not None and message.code == ErrorCode.CANCELLED.value
        if not exact:
            self.wrong.append(f"{message.job_id}: {outcome}")
        self.ended.append((message.job_id, outcome))


def _job(sample: int) -> HarmonizeRequest:
    size = (64, 48)
    return HarmonizeRequest(
        jobs.flat(3, 10, *size), jobs.flat(3, sample, *size), jobs.flat(1, 255, *size), parameters=Parameters()
    )


def fairness(engine: RealEngine, count: int) -> float:
    """Jain's index of what each had got when the first was through: 1 where all had the same, 1/n where one all."""
    shares: Counter[str] = Counter()
    for line in engine.events("job-ends"):
        user = line["job"].partition("-")[0]
        shares[user] += 1
        if shares[user] == count:
            break
    return sum(shares.values()) ** 2 / (len(shares) * sum(share**2 for share in shares.values()))


def overheads_ms(engine: RealEngine) -> list[float]:
    """From the end of each job to the start of the next, where one was waiting: what the engine itself costs."""
    events = sorted(
        [(float(line["at"]), 0, line) for line in engine.events("job-ends") if "ran" in line]
        + [(float(line["at"]), 1, line) for line in engine.events("job-starts")],
        key=lambda item: item[0],
    )
    gaps = []
    for (ended, _, _), (started, kind, line) in itertools.pairwise(events):
        if kind == 1 and float(line["waited"]) > started - ended:
            gaps.append(1000 * (started - ended))
    return sorted(gaps)


@pytest.mark.parametrize(("clients", "count"), [(4, 15), pytest.param(8, 63, marks=pytest.mark.long)])
def test_soak(tmp_path: Path, clients: int, count: int, record_property: pytest.RecordProperty) -> None:
    with RealEngine(tmp_path) as engine, engine.connect() as watcher:
        wait_until(lambda: engine.events("worker-ready"))  # what it takes to come into being is no job's
        users = [User(number, count, 1 + number % 4, engine) for number in range(clients)]
        threads = [threading.Thread(target=user.live) for user in users]
        for thread in threads:
            thread.start()
        memory = _watch(engine, watcher, users, threads)
        for thread in threads:
            thread.join(PATIENCE_S)
        status = watcher.status(30)
        pid, worker = engine.process.pid, worker_pid(watcher)
        assert status.details["workers_started"] == 1
        assert (status.running, status.queued) == (None, 0)
        assert status.details["worker_pid"] == worker
        assert pid == watcher.welcome.pid
    assert [user.wrong for user in users] == [[]] * clients
    for user in users:
        ids = [job_id for job_id, _ in user.ended]
        assert sorted(ids) == sorted(f"{user.number}-{n}" for n in range(count)), "none lost, none doubled"
    concluded = Counter(line["job"] for line in engine.events("job-ends"))
    assert len(concluded) == clients * count
    assert set(concluded.values()) == {1}, "also none that nobody listened to any more"
    outcomes = Counter(outcome for user in users for _, outcome in user.ended)
    assert min(outcomes["done"], outcomes["cancelled"]) > 0
    gaps = overheads_ms(engine)
    figures = {
        "outcomes": dict(outcomes),
        "fairness": round(fairness(engine, count), 3),
        "overhead_ms_p50": round(statistics.median(gaps), 1),
        "overhead_ms_p99": round(gaps[int(0.99 * (len(gaps) - 1))], 1),
        "kib_per_job": round(_slope(memory), 2),
    }
    record_property("figures", figures)
    print(f"{clients} clients, {clients * count} jobs: {figures}")
    assert figures["fairness"] > 0.8
    steady = _after_warming_up(memory)
    grown = steady[-1][1] - steady[0][1]
    assert grown < 16 * 1024, "memory that jobs leave behind"


def _watch(
    engine: RealEngine, watcher: EngineClient, users: list[User], threads: list[threading.Thread]
) -> list[tuple[int, int]]:
    """Memory over time, now and then and after the last job: jobs ended, KiB of engine and worker."""
    memory: list[tuple[int, int]] = []
    worker, at_work = worker_pid(watcher), True
    while at_work:
        at_work = any(thread.is_alive() for thread in threads)
        done = sum(len(user.ended) for user in users)
        memory.append((done, resident_kib(engine.process.pid) + resident_kib(worker)))
        watcher.events(0.02)
    return memory


def _after_warming_up(memory: list[tuple[int, int]]) -> list[tuple[int, int]]:
    jobs_ended, _kib = memory[-1]
    return [each for each in memory if each[0] >= WARM_UP * jobs_ended]


def _slope(memory: list[tuple[int, int]]) -> float:
    """KiB a job, by least squares, after the warm-up."""
    steady = _after_warming_up(memory)
    return statistics.linear_regression(*zip(*steady, strict=True)).slope if len({n for n, _ in steady}) > 1 else 0.0
