"""What the log tells of a job: each step a line, and its id in each, in the engine's log and in the worker's."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from painterly_protocol.errors import ErrorCode
from support import jobs
from support.failing import caught
from support.fake_engine import wait_until
from support.real_engine import RealEngine, harmonized, lines, outcome

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def life(engine: RealEngine, job_id: str) -> list[str]:
    """The events that name the job, and how it ended, in order."""
    found = [
        (float(line["at"]), f"{what} {line.get('outcome', '')}".strip())
        for what in ("job-queued", "job-starts", "job-retried", "client-lost", "job-ends", "refused")
        for line in engine.events(what)
        if line.get("job") == job_id
    ]
    return [what for _, what in sorted(found, key=lambda item: item[0])]


def test_each_life_of_a_job_can_be_read_by_its_id(tmp_path: Path) -> None:
    ran, hold = tmp_path / "ran", tmp_path / "hold"
    with RealEngine(tmp_path, "--capacity-each", "1") as engine, engine.connect() as client:
        assert harmonized(client.run(jobs.request(), job_id="good"))
        with caught(ErrorCode.INTERNAL):
            client.run(jobs.request("bug"), job_id="bad")
        client.submit(jobs.request(f"note:{ran} hold:{hold}"), "twice")
        wait_until(lambda: lines(ran))
        client.submit(jobs.request(), "waiting")
        client.cancel("waiting")
        assert not harmonized(outcome(client, "waiting"))
        client.submit(jobs.request(), "next")
        with caught(ErrorCode.QUEUE_FULL):
            client.run(jobs.request(), job_id="one too many")
        os.kill(int(lines(ran)[0]), signal.SIGKILL)
        wait_until(lambda: len(lines(ran)) == 2)
        hold.touch()
        assert harmonized(outcome(client, "next"))
        with engine.connect() as leaving:
            leaving.submit(jobs.request(f"hold:{tmp_path / 'never'}"), "left")
            wait_until(lambda: client.status(30).running == "left")
        wait_until(lambda: client.status(30).running is None)
    assert life(engine, "good") == ["job-queued", "job-starts", "job-ends done"]
    assert life(engine, "bad") == ["job-queued", "job-starts", "job-ends internal"]
    assert life(engine, "twice") == ["job-queued", "job-starts", "job-retried", "job-starts", "job-ends done"]
    assert life(engine, "waiting") == ["job-queued", "job-ends cancelled"]
    assert life(engine, "one too many") == ["refused"]
    assert life(engine, "left") == ["job-queued", "job-starts", "client-lost", "job-ends cancelled"]
    assert "event=job-failed job=bad" in (engine.log_dir / "worker.log").read_text()
