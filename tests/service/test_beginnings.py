"""The fault matrix's beginnings: who is killed before there is a job, and what comes of the half that was done."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from painterly_protocol import paths, runtime, wire
from painterly_protocol.client import stop_whatever_version
from painterly_protocol.errors import ErrorCode
from painterly_protocol.launcher import ensure_engine
from painterly_protocol.listener import Transport
from painterly_protocol.messages import PROTOCOL_VERSION, EngineState, Submit
from painterly_protocol.request import HarmonizeRequest
from painterly_protocol.runtime import RuntimeInfo
from support import jobs, zmtp
from support.failing import caught
from support.fake_engine import wait_until
from support.real_engine import ENGINE_COMMAND, RealEngine, harmonized, is_alive, lines, resident_kib, worker_pid
from support.scripted_runner import HANGING_FACTORY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the faults are POSIX signals")

FLAT_KIB = 16 * 1024


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder to be."""
    monkeypatch.setenv("PAINTERLY_LOG_DIR", str(tmp_path / "log"))
    return tmp_path / "run"


def serves_and_stops(folder: Path) -> int:
    """An engine is started there if none runs, does a job and is stopped; its pid."""
    with ensure_engine(ENGINE_COMMAND, folder) as client:
        assert harmonized(client.run(jobs.request()))
        client.shutdown()
        wait_until(lambda: not is_alive(client.welcome.pid))
        return client.welcome.pid


# ---------------------------------------------------------------- the engine


@pytest.mark.parametrize("mark", ["engine.lock", "*.sock", "engine.json"])
def test_an_engine_killed_while_it_starts_leaves_nothing_in_the_next_ones_way(folder: Path, mark: str) -> None:
    """At the earliest after it has made what is named: later is another row of the table."""
    engine = RealEngine(folder.parent)
    wait_until(lambda: list(folder.glob(mark)))
    engine.kill()
    assert serves_and_stops(folder) != engine.process.pid


def test_an_engine_killed_before_its_worker_is_ready_is_noticed_and_takes_the_worker_along(folder: Path) -> None:
    hang = folder.parent / "hang"
    hang.touch()
    with RealEngine(folder.parent, runner=HANGING_FACTORY) as engine, engine.connect() as client:
        client.submit(jobs.request())
        assert client.status(30).state is EngineState.STARTING
        wait_until(lambda: lines(hang))
        engine.kill()
        with caught(ErrorCode.ENGINE_GONE):
            wait_until(lambda: client.events(0.1) and False)
    wait_until(lambda: not is_alive(int(lines(hang)[0])))


@pytest.mark.parametrize("transport", list(Transport))
def test_a_pid_that_is_somebody_elses_by_now_starts_a_new_engine_and_is_left_alone(
    folder: Path, transport: Transport
) -> None:
    """What a killed engine left names a process that now is another program's."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        with RealEngine(folder.parent, transport=transport) as engine:
            left = runtime.read(folder)
            engine.kill()
        runtime.publish(folder, RuntimeInfo(**{**vars(left), "pid": innocent.pid}))
        with caught(ErrorCode.ENGINE_ABSENT):
            stop_whatever_version(folder)
        assert serves_and_stops(folder) != innocent.pid
        assert innocent.poll() is None
        innocent.communicate(b"\n")


@pytest.mark.parametrize("version", [1, PROTOCOL_VERSION + 1])
def test_what_an_engine_of_another_version_left_does_not_keep_one_from_starting(folder: Path, version: int) -> None:
    runtime.publish(paths.make_private(folder), RuntimeInfo("ipc://engine-gone.sock", 1, version, "0"))
    serves_and_stops(folder)


# ---------------------------------------------------------------- the worker


def test_a_worker_killed_before_it_is_ready_is_said_and_the_next_job_has_another(folder: Path) -> None:
    hang = folder.parent / "hang"
    hang.touch()
    with RealEngine(folder.parent, runner=HANGING_FACTORY) as engine, engine.connect() as client:
        wait_until(lambda: lines(hang))
        doomed = int(lines(hang)[0])
        os.kill(doomed, signal.SIGKILL)
        wait_until(lambda: client.status(30).state is EngineState.FAILED)
        hang.unlink()
        assert harmonized(client.run(jobs.request()))
        assert worker_pid(client) != doomed


# ---------------------------------------------------------------- the client

_STARTER = """
import sys, pathlib
from painterly_protocol.launcher import ensure_engine
def wait(seconds):
    print("started", flush=True)
    input()
ensure_engine(sys.argv[2:], pathlib.Path(sys.argv[1]), on_wait=wait)
"""


def test_a_client_killed_while_it_starts_the_engine_leaves_one_for_the_next(folder: Path) -> None:
    command = [sys.executable, "-c", _STARTER, str(folder), *ENGINE_COMMAND]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline() == "started\n"
        doomed.kill()
    wait_until(lambda: runtime_pid(folder))
    started = runtime_pid(folder)
    assert serves_and_stops(folder) == started


def runtime_pid(folder: Path) -> int | None:
    with contextlib.suppress(Exception):
        return runtime.read(folder).pid
    return None


def test_a_client_that_ends_in_the_middle_of_a_picture_costs_nothing(folder: Path) -> None:
    """As one that is killed while it sends."""
    with RealEngine(folder.parent) as engine, engine.connect() as friend:
        assert harmonized(friend.run(jobs.request()))
        before = resident_kib(engine.process.pid)
        whole = submitted("half", jobs.request(width=1000))
        for _ in range(50):
            with said_by_hand(folder, whole[: len(whole) // 2]):
                pass
        assert harmonized(friend.run(jobs.request()))
        assert friend.status(30).details["messages_refused"] == 0, "half a message is none"
        assert "half" not in {event["job"] for event in engine.events("job-queued")}
        wait_until(lambda: resident_kib(engine.process.pid) - before < FLAT_KIB)


def test_the_same_bytes_to_their_end_are_a_job(folder: Path) -> None:
    """Else the test above would prove nothing."""
    with RealEngine(folder.parent) as engine, said_by_hand(folder, submitted("whole", jobs.request(width=1000))):
        wait_until(lambda: [event["job"] for event in engine.events("job-queued")] == ["whole"])


def submitted(job_id: str, request: HarmonizeRequest) -> bytes:
    return zmtp.message([bytes(frame) for frame in wire.encode(Submit(job_id, request))])


@contextlib.contextmanager
def said_by_hand(folder: Path, what: bytes) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(runtime.read(folder).socket_file(folder)))
        zmtp.shake_hands(line)
        line.sendall(what)
        yield
