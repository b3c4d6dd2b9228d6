"""The real server and worker processes over real sockets, with a runner that does what each job says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from painterly_protocol import runtime, wire
from painterly_protocol.client import EngineClient, connect
from painterly_protocol.errors import ErrorCode
from painterly_protocol.listener import Transport
from painterly_protocol.messages import (
    EngineMessage,
    EngineState,
    Failure,
    Phase,
    Priority,
    Progress,
    Queued,
    Result,
    Welcome,
)
from support import jobs
from support.backends import Backend
from support.failing import caught, hear
from support.fake_engine import wait_until
from support.real_engine import RealEngine, harmonized, is_alive, lines, outcome, outcomes, worker_pid
from support.scripted_runner import HANGING_FACTORY, STILLBORN_FACTORY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the faults are POSIX signals")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Iterator[RealEngine]:
    """Shared by the tests that leave it as they found it."""
    with RealEngine(tmp_path_factory.mktemp("engine"), *backend.options) as running:
        yield running


@pytest.fixture
def client(engine: RealEngine) -> Iterator[EngineClient]:
    with engine.connect() as connected:
        yield connected


def running(client: EngineClient, job_id: str) -> bool:
    """Waits until the job computes."""
    wait_until(lambda: any(isinstance(m, Progress) and m.phase is Phase.PASS_ONE for m in client.events(0.1)))
    return client.status(30).running == job_id


# ---------------------------------------------------------------- in order


@pytest.mark.parametrize("transport", list(Transport))
def test_a_job_over_either_transport(tmp_path: Path, transport: Transport) -> None:
    with RealEngine(tmp_path, transport=transport) as engine, engine.connect() as client:
        assert client.welcome.pid == engine.process.pid
        seen: list[EngineMessage] = []
        result = client.run(jobs.request(), seen.append)
    assert harmonized(result)
    assert isinstance(seen[0], Queued)
    fractions = [message.fraction for message in seen if isinstance(message, Progress)]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] <= fractions[-1] < 1
    assert [file.name for file in engine.runtime_dir.iterdir()] == ["engine.lock"]


def test_the_server_itself_imports_no_torch(engine: RealEngine) -> None:
    mapped = Path(f"/proc/{engine.process.pid}/maps").read_text()
    assert "libzmq" in mapped or "zmq" in mapped
    assert "torch" not in mapped


def test_secrets_are_in_no_command_line_environment_or_log(tmp_path: Path) -> None:
    with RealEngine(tmp_path, transport=Transport.TCP) as engine, engine.connect() as client:
        client.run(jobs.request())
        secret = runtime.read(engine.runtime_dir).client_secret_key
        assert len(secret) == 40
        seen = [engine.log(), *(file.read_text() for file in engine.log_dir.iterdir())]
        for pid in (engine.process.pid, worker_pid(client)):
            seen += [Path(f"/proc/{pid}/{name}").read_bytes().decode("latin-1") for name in ("cmdline", "environ")]
        assert all(secret not in text for text in seen)


def test_logs_are_owner_only(engine: RealEngine, client: EngineClient, backend: Backend) -> None:
    client.run(jobs.request())
    folders = {engine.log_dir, backend.worker_logs or engine.log_dir}
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
    modes = {file.name: file.stat().st_mode & 0o777 for folder in folders for file in folder.iterdir()}
    assert modes.keys() >= {"engine.log", "worker.log"}
    assert set(modes.values()) == {0o600}


def test_status_is_answered_while_a_job_runs(tmp_path: Path, client: EngineClient, engine: RealEngine) -> None:
    hold = tmp_path / "hold"
    job_id = client.submit(jobs.request(f"deaf:{hold}"))
    wait_until(lambda: client.status(30).running == job_id)
    with engine.connect() as other:
        status = other.status(30)
    assert (status.state, status.running, status.queued) == (EngineState.BUSY, job_id, 0)
    assert status.details["worker"] == "busy"
    hold.touch()
    assert harmonized(outcome(client, job_id))
    assert client.status(30).state is EngineState.READY


def test_progress_tells_phase_iteration_losses_and_time_left(tmp_path: Path, client: EngineClient) -> None:
    hold = tmp_path / "hold"
    job_id = client.submit(jobs.request(f"hold:{hold}"))
    seen: list[Progress] = []

    def told() -> bool:
        seen.extend(m for m in client.events(0.1) if isinstance(m, Progress))
        return bool(seen) and seen[-1].phase is Phase.PASS_ONE and seen[-1].iteration > 0

    wait_until(told)
    hold.touch()
    assert harmonized(outcome(client, job_id))
    last = seen[-1]
    assert last.iterations == 1000
    assert last.losses == {"gram": 1.5}
    assert last.seconds_left is not None
    assert last.seconds_left > 0


# ---------------------------------------------------------------- cancel, queue, resubmit


def test_cancel_stops_a_running_job_and_the_worker_stays_warm(tmp_path: Path, client: EngineClient) -> None:
    before = worker_pid(client)
    job_id = client.submit(jobs.request(f"hold:{tmp_path / 'never'}"))
    assert running(client, job_id)
    client.cancel(job_id)
    ended = outcome(client, job_id)
    assert isinstance(ended, Failure)
    assert ended.code == ErrorCode.CANCELLED.value
    assert harmonized(client.run(jobs.request()))
    assert worker_pid(client) == before


def test_a_queued_job_can_be_cancelled_and_never_runs(tmp_path: Path, client: EngineClient) -> None:
    hold, ran = tmp_path / "hold", tmp_path / "ran"
    first = client.submit(jobs.request(f"hold:{hold}"))
    second = client.submit(jobs.request(f"note:{ran}"))
    client.cancel(second)
    ended = outcome(client, second)
    assert isinstance(ended, Failure)
    assert ended.code == ErrorCode.CANCELLED.value
    hold.touch()
    assert harmonized(outcome(client, first))
    assert harmonized(client.run(jobs.request()))
    assert lines(ran) == []


def test_cancelling_what_is_not_there_is_answered(client: EngineClient) -> None:
    client.cancel("nobody")
    ended = outcome(client, "nobody")
    assert isinstance(ended, Failure)
    assert ended.code == ErrorCode.BAD_REQUEST.value


def test_a_cancel_that_comes_too_late_brings_no_second_result(engine: RealEngine, client: EngineClient) -> None:
    job_id = client.submit(jobs.request())
    assert harmonized(outcome(client, job_id))
    client.cancel(job_id)
    client.status(30)  # answered after the cancel
    assert [m for m in client.events() if isinstance(m, Result | Failure)] == []
    with engine.connect() as another:
        another.cancel(job_id)
        assert harmonized(outcome(another, job_id)), "who was not told yet is"


def test_another_job_under_a_known_id_is_refused(tmp_path: Path, client: EngineClient) -> None:
    hold = tmp_path / "hold"
    job_id = client.submit(jobs.request(f"hold:{hold}"))
    assert running(client, job_id)
    with caught(ErrorCode.BAD_REQUEST) as error:
        client.run(jobs.request(), job_id=job_id)
    assert "Another job" in error.value.sentence
    hold.touch()
    assert harmonized(client.run(jobs.request(f"hold:{hold}"), job_id=job_id)), "the same job is known by its id"
    with caught(ErrorCode.BAD_REQUEST):
        client.run(jobs.request(), job_id=job_id)


def test_a_preview_overtakes_what_waits(tmp_path: Path, client: EngineClient) -> None:
    hold = tmp_path / "hold"
    first = client.submit(jobs.request(f"hold:{hold}"))
    assert running(client, first)
    batch = client.submit(jobs.request(), priority=Priority.BATCH)
    preview = client.submit(jobs.request(), priority=Priority.PREVIEW)
    places: list[tuple[str, int]] = []

    def told() -> bool:
        places.extend((m.job_id, m.position) for m in client.events(0.1) if isinstance(m, Queued))
        return (batch, 1) in places

    wait_until(told)
    assert (preview, 0) in places
    hold.touch()
    assert list(outcomes(client, first, batch, preview)) == [first, preview, batch]


def test_only_its_own_client_cancels_a_job(tmp_path: Path, engine: RealEngine, client: EngineClient) -> None:
    hold = tmp_path / "hold"
    first = client.submit(jobs.request(f"hold:{hold}"))
    assert running(client, first)
    second = client.submit(jobs.request())
    with engine.connect() as other:
        for job_id in (first, second):
            other.cancel(job_id)
            refused = outcome(other, job_id)
            assert isinstance(refused, Failure)
            assert refused.code == ErrorCode.BAD_REQUEST.value
            assert "Only the client" in refused.sentence
            assert refused.advice
    hold.touch()
    assert all(map(harmonized, outcomes(client, first, second).values()))


def test_positions_in_the_queue_are_told_and_told_again(tmp_path: Path, client: EngineClient) -> None:
    hold = tmp_path / "hold"
    names = ["first", "second", "third"]
    submitted = [client.submit(jobs.request(f"hold:{hold}"), f"{tmp_path.name}-{name}") for name in names]
    positions: dict[str, list[int]] = {job_id: [] for job_id in submitted}
    results: list[str] = []

    def listen() -> bool:
        """Whether all is known about the queue."""
        for message in client.events(0.1):
            if isinstance(message, Queued):
                positions[message.job_id].append(message.position)
            if isinstance(message, Result):
                results.append(message.job_id)
        return bool(positions[submitted[2]])

    wait_until(listen)
    hold.touch()
    wait_until(lambda: listen() and len(results) == 3)
    assert results == submitted
    distinct = [list(dict.fromkeys(positions[job_id])) for job_id in submitted]
    # The third may have been queued before or after the first began to run.
    assert distinct[0] == [0]
    assert distinct[1] in ([0], [1, 0])
    assert distinct[2] in ([1, 0], [2, 1, 0])


def test_a_full_queue_says_so(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    with RealEngine(tmp_path, "--capacity", "1") as engine, engine.connect() as client:
        first = client.submit(jobs.request(f"hold:{hold}"))
        assert running(client, first)
        second = client.submit(jobs.request())
        with caught(ErrorCode.QUEUE_FULL):
            client.run(jobs.request())
        hold.touch()
        assert all(map(harmonized, outcomes(client, first, second).values()))


def test_a_job_submitted_twice_runs_once(tmp_path: Path, engine: RealEngine, client: EngineClient) -> None:
    hold, ran = tmp_path / "hold", tmp_path / "ran"
    request = jobs.request(f"note:{ran} hold:{hold}")
    job_id = client.submit(request)
    assert running(client, job_id)
    with engine.connect() as successor:
        # A client that lost its connection submits again, and gets the result in the first one's stead.
        successor.submit(request, job_id)
        wait_until(lambda: any(isinstance(m, Progress) for m in successor.events(0.1)))
        hold.touch()
        assert harmonized(outcome(successor, job_id))
    assert harmonized(client.run(request, job_id=job_id)), "after its end it is answered from memory"
    assert len(lines(ran)) == 1


# ---------------------------------------------------------------- what goes wrong in a job


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("memory", ErrorCode.OUT_OF_MEMORY),
        ("bug", ErrorCode.INTERNAL),
        ("empty", ErrorCode.EMPTY_MASK),
        ("unplain", ErrorCode.INTERNAL),
    ],
)
def test_a_job_that_fails_says_why_and_the_worker_lives_on(
    engine: RealEngine, client: EngineClient, backend: Backend, script: str, code: ErrorCode
) -> None:
    before = worker_pid(client)
    with caught(code) as error:
        client.run(jobs.request(script))
    assert error.value.advice
    assert "secret detail" not in str(error.value)
    assert harmonized(client.run(jobs.request()))
    assert worker_pid(client) == before
    if script == "bug":
        assert "secret detail" in ((backend.worker_logs or engine.log_dir) / "worker.log").read_text()


def test_a_worker_that_is_killed_is_replaced_and_its_job_begun_anew(tmp_path: Path, client: EngineClient) -> None:
    hold, ran = tmp_path / "hold", tmp_path / "ran"
    job_id = client.submit(jobs.request(f"note:{ran} hold:{hold}"))
    assert running(client, job_id)
    waiting = client.submit(jobs.request())
    before = worker_pid(client)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: len(lines(ran)) == 2)
    hold.touch()
    endings = outcomes(client, job_id, waiting)
    assert all(map(harmonized, endings.values()))
    assert list(endings) == [job_id, waiting], "it kept its turn"
    assert int(lines(ran)[1]) == worker_pid(client) != before


def test_a_job_whose_worker_is_killed_twice_fails_with_a_reason(tmp_path: Path, client: EngineClient) -> None:
    ran = tmp_path / "ran"
    job_id = client.submit(jobs.request(f"note:{ran} hold:{tmp_path / 'never'}"))
    for times in (1, 2):
        wait_until(lambda times=times: len(lines(ran)) == times)
        os.kill(int(lines(ran)[-1]), signal.SIGKILL)
    ended = outcome(client, job_id)
    assert isinstance(ended, Failure)
    assert ended.code == ErrorCode.WORKER_DIED.value
    assert ", twice (" in ended.sentence
    assert ended.advice
    assert harmonized(client.run(jobs.request())), "the next job runs"
    assert len(lines(ran)) == 2


def test_a_worker_that_kills_itself(client: EngineClient) -> None:
    with caught(ErrorCode.WORKER_DIED):
        client.run(jobs.request("crash"))
    assert harmonized(client.run(jobs.request()))


def test_an_idle_worker_that_is_killed_is_replaced_unasked(client: EngineClient) -> None:
    client.run(jobs.request())
    before = worker_pid(client)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: client.status(30).details["worker_pid"] not in (before, None))
    assert harmonized(client.run(jobs.request()))


def test_a_worker_deaf_to_cancel_is_killed_and_replaced(tmp_path: Path, backend: Backend) -> None:
    with RealEngine(tmp_path, *backend.options, "--cancel-grace", "0.3") as engine, engine.connect() as client:
        ran = tmp_path / "ran"
        job_id = client.submit(jobs.request(f"note:{ran} deaf:{tmp_path / 'never'}"))
        wait_until(lambda: lines(ran))
        client.cancel(job_id)
        ended = outcome(client, job_id)
        assert isinstance(ended, Failure)
        assert ended.code == ErrorCode.CANCELLED.value
        wait_until(lambda: not is_alive(int(lines(ran)[0])))
        assert harmonized(client.run(jobs.request()))


@pytest.mark.parametrize("number", [None, signal.SIGSTOP])
def test_a_worker_that_hangs_is_killed_and_replaced(
    tmp_path: Path, backend: Backend, number: signal.Signals | None
) -> None:
    with RealEngine(tmp_path, *backend.options, "--stall", "1") as engine, engine.connect() as client:
        ran, act = tmp_path / "ran", "hold" if number else "deaf"
        job_id = client.submit(jobs.request(f"note:{ran} {act}:{tmp_path / 'never'}"))
        wait_until(lambda: lines(ran))
        if number:
            os.kill(int(lines(ran)[0]), number)
        ended = outcome(client, job_id)
        assert isinstance(ended, Failure)
        assert ended.code == ErrorCode.WORKER_DIED.value
        assert "the middle of the job (it had stopped computing)" in ended.sentence, "it was not tried twice"
        wait_until(lambda: not is_alive(int(lines(ran)[0])))
        assert len(lines(ran)) == 1
        assert harmonized(client.run(jobs.request()))


def test_a_worker_that_cannot_start_is_an_error_for_each_job_and_no_loop(tmp_path: Path, backend: Backend) -> None:
    with RealEngine(tmp_path, *backend.options, runner=STILLBORN_FACTORY) as engine, engine.connect() as client:
        for _ in range(2):
            with caught(ErrorCode.WORKER_DIED) as error:
                client.run(jobs.request())
            assert error.value.advice
        assert client.status(30).state is EngineState.FAILED


def test_a_worker_that_hangs_while_starting_is_killed_and_replaced(tmp_path: Path) -> None:
    hang = tmp_path / "hang"
    hang.touch()
    with RealEngine(tmp_path, "--start-limit", "2", runner=HANGING_FACTORY) as engine, engine.connect() as client:
        job_id = client.submit(jobs.request())
        ended = outcome(client, job_id)
        assert isinstance(ended, Failure)
        assert ended.code == ErrorCode.WORKER_DIED.value
        assert "not ready after 2 s" in ended.sentence
        assert ended.advice
        assert client.status(30).state is EngineState.FAILED
        assert not any(is_alive(int(pid)) for pid in lines(hang))
        hang.unlink()
        # A noisy machine may take more than the two seconds for a healthy worker too: then it is tried again.
        wait_until(lambda: harmonized(outcome(client, client.submit(jobs.request()))))
        assert client.status(30).state is EngineState.READY


# ---------------------------------------------------------------- clients that vanish or misbehave

_CLIENT = """
import sys, pathlib
from painterly_protocol.client import connect
from support import jobs
from support.backends import Backend
from support.failing import caught, hear
with connect(pathlib.Path(sys.argv[1]), timeout_s=30) as client:
    client.run(jobs.request(sys.argv[2]))
"""


@pytest.mark.parametrize("act", ["hold", "deaf"])
def test_a_killed_clients_job_is_dropped(tmp_path: Path, backend: Backend, act: str) -> None:
    with RealEngine(tmp_path, *backend.options, "--cancel-grace", "0.3") as engine, engine.connect() as watcher:
        ran = tmp_path / "ran"
        script = f"note:{ran} {act}:{tmp_path / 'never'}"
        doomed = subprocess.Popen(
            [sys.executable, "-c", _CLIENT, str(engine.runtime_dir), script], env=engine.environment
        )
        wait_until(lambda: lines(ran))
        doomed.kill()
        doomed.wait()
        wait_until(lambda: watcher.status(30).running is None)
        assert harmonized(watcher.run(jobs.request()))


def test_a_killed_clients_waiting_job_never_runs(tmp_path: Path, engine: RealEngine, client: EngineClient) -> None:
    hold, ran = tmp_path / "hold", tmp_path / "ran"
    job_id = client.submit(jobs.request(f"hold:{hold}"))
    with engine.connect() as doomed:
        doomed.submit(jobs.request(f"note:{ran}"))
        wait_until(lambda: client.status(30).queued == 1)
    wait_until(lambda: client.status(30).queued == 0)
    hold.touch()
    assert harmonized(outcome(client, job_id))
    assert harmonized(client.run(jobs.request()))
    assert lines(ran) == []


@pytest.mark.parametrize(
    "frames",
    [
        [b"garbage"],
        [b""],
        [b"\xc1" * 50],
        [b"x"] * 20,
        wire.encode(Welcome("an engine", 1)),
        [wire.encode(Queued("x", 0))[0][:-1]],
    ],
)
def test_nonsense_is_refused_and_the_engine_serves_on(client: EngineClient, frames: list[bytes]) -> None:
    client._line._socket.send_multipart(frames)
    messages: list[EngineMessage] = []
    wait_until(lambda: hear(client, messages))
    assert isinstance(messages[0], Failure)
    assert (messages[0].job_id, messages[0].code) == ("", ErrorCode.BAD_REQUEST.value)
    assert harmonized(client.run(jobs.request()))


@pytest.mark.parametrize("job_id", ["x" * 65, "é" * 65])
def test_an_endless_job_id_is_refused(client: EngineClient, job_id: str) -> None:
    with caught(ErrorCode.BAD_REQUEST):
        client.run(jobs.request(), job_id=job_id)


# ---------------------------------------------------------------- the end of an engine


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, backend: Backend, number: signal.Signals) -> None:
    with RealEngine(tmp_path, *backend.options) as engine, engine.connect() as client:
        worker = worker_pid(client)
        first = client.submit(jobs.request(f"deaf:{tmp_path / 'never'}"))
        second = client.submit(jobs.request())
        wait_until(lambda: client.status(30).queued == 1)
        engine.process.send_signal(number)
        endings = outcomes(client, first, second)
        assert engine.process.wait(60) == 0
        assert {ending.code for ending in endings.values() if isinstance(ending, Failure)} == {"cancelled"}
        wait_until(lambda: not is_alive(worker))
        assert [file.name for file in engine.runtime_dir.iterdir()] == ["engine.lock"]
        with caught(ErrorCode.ENGINE_GONE):
            wait_until(lambda: client.events(0.1) and False)


def test_a_killed_engine_is_noticed_and_takes_its_worker_with_it(tmp_path: Path) -> None:
    with RealEngine(tmp_path) as engine, engine.connect() as client:
        job_id = client.submit(jobs.request(f"hold:{tmp_path / 'never'}"))
        assert running(client, job_id)
        worker = worker_pid(client)
        engine.kill()
        with caught(ErrorCode.ENGINE_GONE):
            wait_until(lambda: client.events(0.1) and False)
        wait_until(lambda: not is_alive(worker))
        with RealEngine(tmp_path) as successor, successor.connect() as again:
            assert harmonized(again.run(jobs.request()))
            sockets = [file.name for file in successor.runtime_dir.iterdir() if file.suffix == ".sock"]
            assert len(sockets) == 2, "what the killed one left has been removed"


def test_two_engines_that_race_are_one(tmp_path: Path) -> None:
    rivals = [RealEngine(tmp_path) for _ in range(3)]
    wait_until(lambda: sum(rival.process.poll() is None for rival in rivals) == 1)
    winner = next(rival for rival in rivals if rival.process.poll() is None)
    assert [rival.process.returncode for rival in rivals if rival is not winner] == [0, 0]
    with winner, winner.connect() as client:
        assert client.welcome.pid == winner.process.pid
        assert harmonized(client.run(jobs.request()))


def test_an_idle_engine_ends_itself_but_not_during_a_job(tmp_path: Path) -> None:
    with RealEngine(tmp_path, "--idle-exit", "2") as engine, engine.connect() as client:
        hold = tmp_path / "hold"
        job_id = client.submit(jobs.request(f"hold:{hold}"))
        begun = time.monotonic()
        wait_until(lambda: client.events(0.1) and time.monotonic() - begun > 4)
        hold.touch()
        assert harmonized(outcome(client, job_id))
        assert engine.process.wait(60) == 0


def test_an_unsafe_runtime_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    ended = start(folder, tmp_path / "log")
    assert ended.returncode == 1
    assert ended.stderr.count("open to other users") == 1, "once"
    assert "Traceback" not in ended.stderr
    with caught(ErrorCode.UNSAFE_FOLDER):
        connect(folder)


def start(runtime_dir: Path, log_dir: Path) -> subprocess.CompletedProcess[str]:
    """An engine that is not expected to run."""
    return subprocess.run(
        [sys.executable, "-m", "painterly_engine.service", "--runtime-dir", str(runtime_dir)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PAINTERLY_LOG_DIR": str(log_dir)},
    )


@pytest.mark.parametrize("name", ["engine.lock", "engine.json"])
def test_what_is_in_the_engines_way_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "run" / name).mkdir(parents=True)
    (tmp_path / "run").chmod(0o700)
    ended = start(tmp_path / "run", tmp_path / "log")
    assert ended.returncode == 1
    assert name in ended.stderr
    assert "PAINTERLY_RUNTIME_DIR" in ended.stderr
    assert "Traceback" not in ended.stderr
