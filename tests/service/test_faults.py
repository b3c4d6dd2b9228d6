"""The fault matrix: what may die, hang, fill up or vanish, at each phase; what the user sees; that nothing is lost.

Nothing of the user's is ever in the engine alone: a job that is lost is the client's to submit again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from painterly_engine.service.runner import DEFAULT_FACTORY
from painterly_protocol import runtime, wire
from painterly_protocol.client import EngineClient
from painterly_protocol.errors import ErrorCode
from painterly_protocol.launcher import ensure_engine
from painterly_protocol.messages import (
    PROTOCOL_VERSION,
    EngineMessage,
    EngineState,
    Failure,
    Phase,
    Progress,
    Queued,
    Result,
    Submit,
)
from support import golden, jobs, real_jobs
from support.backends import Backend
from support.failing import caught, hear
from support.fake_engine import wait_until
from support.real_engine import (
    ENGINE_COMMAND,
    RealEngine,
    data_kib,
    harmonized,
    is_alive,
    lines,
    outcome,
    worker_pid,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the faults are POSIX signals")

LONG_S = 1200.0
ROOT = sys.platform != "win32" and os.geteuid() == 0


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Iterator[RealEngine]:
    """Shared by the tests that leave it as they found it."""
    with RealEngine(tmp_path_factory.mktemp("engine"), "--cancel-grace", "0.5", *backend.options) as running:
        yield running


@pytest.fixture
def client(engine: RealEngine) -> Iterator[EngineClient]:
    with engine.connect() as connected:
        yield connected


def at_phase(phase: Phase, ran: Path, hold: Path) -> str:
    """The script of a job that stays in ``phase`` until ``hold`` exists."""
    return f"phase:{phase.value} note:{ran} deaf:{hold}"


# ---------------------------------------------------------------- SIGKILL

_CLIENT = """
import sys, pathlib
from painterly_protocol.client import connect
from support import jobs
with connect(pathlib.Path(sys.argv[1]), timeout_s=30) as client:
    client.run(jobs.request(sys.argv[2]))
    print("done", flush=True)
"""


def client_process(engine: RealEngine, script: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _CLIENT, str(engine.runtime_dir), script]
    return subprocess.Popen(command, env=engine.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("phase", Phase)
def test_a_client_killed_in_any_phase_frees_the_engine(
    tmp_path: Path, engine: RealEngine, client: EngineClient, phase: Phase
) -> None:
    ran, hold = tmp_path / "ran", tmp_path / "never"
    doomed = client_process(engine, at_phase(phase, ran, hold))
    wait_until(lambda: lines(ran))
    doomed.kill()
    doomed.communicate()
    wait_until(lambda: client.status(30).running is None)
    assert harmonized(client.run(jobs.request()))


def test_a_client_killed_while_it_waits_takes_its_job_along(
    tmp_path: Path, engine: RealEngine, client: EngineClient
) -> None:
    hold, ran = tmp_path / "hold", tmp_path / "ran"
    mine = client.submit(jobs.request(f"hold:{hold}"))
    doomed = client_process(engine, f"note:{ran}")
    wait_until(lambda: client.status(30).queued == 1)
    doomed.kill()
    doomed.communicate()
    wait_until(lambda: client.status(30).queued == 0)
    hold.touch()
    assert harmonized(outcome(client, mine))
    assert lines(ran) == []


def test_a_client_that_lost_its_connection_submits_again_and_loses_only_time(
    tmp_path: Path, engine: RealEngine, client: EngineClient
) -> None:
    ran, hold = tmp_path / "ran", tmp_path / "hold"
    request = jobs.request(f"note:{ran} hold:{hold}")
    with engine.connect() as unlucky:
        unlucky.submit(request, "again")
        wait_until(lambda: lines(ran))
    wait_until(lambda: client.status(30).running is None)
    hold.touch()
    assert harmonized(client.run(request, job_id="again"))


@pytest.mark.parametrize("phase", Phase)
def test_a_worker_killed_in_any_phase_costs_the_user_only_time(
    tmp_path: Path, client: EngineClient, phase: Phase
) -> None:
    ran, hold = tmp_path / "ran", tmp_path / "hold"
    job_id = client.submit(jobs.request(at_phase(phase, ran, hold)))
    wait_until(lambda: lines(ran))
    os.kill(int(lines(ran)[0]), signal.SIGKILL)
    wait_until(lambda: len(lines(ran)) == 2)
    hold.touch()
    assert harmonized(outcome(client, job_id))


def test_a_job_begun_anew_says_so(tmp_path: Path, client: EngineClient) -> None:
    """Queued after Progress: a client sets its bar back instead of believing it."""
    ran, hold = tmp_path / "ran", tmp_path / "hold"
    job_id = client.submit(jobs.request(f"note:{ran} hold:{hold}"))
    seen: list[EngineMessage] = []
    wait_until(lambda: any(isinstance(m, Progress) for m in hear(client, seen)))
    os.kill(int(lines(ran)[0]), signal.SIGKILL)
    wait_until(lambda: len(lines(ran)) == 2 and hear(client, seen))
    hold.touch()
    wait_until(lambda: any(isinstance(m, Result) for m in hear(client, seen)))
    ours = [m for m in seen if isinstance(m, Queued | Progress | Result) and m.job_id == job_id]
    kinds = [type(m).__name__ for m in ours]
    again = len(kinds) - 1 - kinds[::-1].index("Queued")
    assert "Progress" in kinds[:again]
    assert "Progress" in kinds[again:]
    for attempt in (ours[:again], ours[again:]):
        fractions = [m.fraction for m in attempt if isinstance(m, Progress)]
        assert fractions == sorted(fractions)


def test_a_worker_killed_while_it_starts(tmp_path: Path, backend: Backend) -> None:
    with RealEngine(tmp_path, *backend.options) as engine, engine.connect() as client:
        client.run(jobs.request())
        before = worker_pid(client)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: client.status(30).details["worker_pid"] not in (before, None))
        os.kill(worker_pid(client), signal.SIGKILL)  # most likely before it was ready
        wait_until(lambda: harmonized(outcome(client, client.submit(jobs.request()))))


@pytest.mark.parametrize("phase", [None, *Phase])
def test_an_engine_killed_in_any_phase_is_noticed_and_can_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: Phase | None
) -> None:
    monkeypatch.setenv("PAINTERLY_LOG_DIR", str(tmp_path / "log"))
    ran = tmp_path / "ran"
    with RealEngine(tmp_path) as engine, engine.connect() as client:
        if phase is not None:
            client.submit(jobs.request(at_phase(phase, ran, tmp_path / "never")))
            wait_until(lambda: lines(ran))
        engine.kill()
        with caught(ErrorCode.ENGINE_GONE) as gone:
            wait_until(lambda: client.events(0.1) and False)
        assert gone.value.advice
    if phase is not None:
        wait_until(lambda: not is_alive(int(lines(ran)[0])))
    with ensure_engine(ENGINE_COMMAND, engine.runtime_dir) as again:
        assert harmonized(again.run(jobs.request()))
        again.shutdown()
        wait_until(lambda: not is_alive(again.welcome.pid))


# ---------------------------------------------------------------- SIGSTOP


@contextlib.contextmanager
def stopped(pid: int, seconds: float) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
    yield


@pytest.mark.parametrize("seconds", [2.0, pytest.param(30.0, marks=pytest.mark.long)])
@pytest.mark.parametrize("who", ["client", "worker", "engine"])
def test_whoever_is_stopped_for_a_while_goes_on(tmp_path: Path, seconds: float, who: str) -> None:
    ran, hold = tmp_path / "ran", tmp_path / "hold"
    with RealEngine(tmp_path) as engine:
        user = client_process(engine, f"note:{ran} hold:{hold}")
        wait_until(lambda: lines(ran))
        pids = {"client": user.pid, "worker": int(lines(ran)[0]), "engine": engine.process.pid}
        with stopped(pids[who], seconds):
            hold.touch()
        said, errors = user.communicate(timeout=120)
        assert said == "done\n", errors
        assert len(lines(ran)) == 1


def test_a_client_that_gives_no_sign_of_life_loses_its_job(tmp_path: Path) -> None:
    """Its connection stands all the while: only the heartbeat tells."""
    ran = tmp_path / "ran"
    with RealEngine(tmp_path, "--lease", "3", "--cancel-grace", "0.5") as engine, engine.connect() as watcher:
        user = client_process(engine, f"note:{ran} hold:{tmp_path / 'never'}")
        wait_until(lambda: lines(ran))
        os.kill(user.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: watcher.status(30).running is None)
            assert engine.events("client-lost")
            assert harmonized(watcher.run(jobs.request()))
        finally:
            os.kill(user.pid, signal.SIGCONT)
        _said, errors = user.communicate(timeout=60)
        assert "The engine has stopped in the middle of the conversation" in errors


# ---------------------------------------------------------------- memory, clock


def test_a_job_that_wants_more_memory_than_it_may_fails_alone(tmp_path: Path) -> None:
    with RealEngine(tmp_path, "--max-memory", "600") as engine, engine.connect() as client:
        before = worker_pid(client)
        with caught(ErrorCode.OUT_OF_MEMORY) as error:
            client.run(jobs.request("hog:1000"))
        assert "smaller" in error.value.advice
        assert harmonized(client.run(jobs.request("hog:50")))
        assert worker_pid(client) == before


@pytest.mark.long
def test_the_real_algorithm_survives_what_its_allocator_refuses(tmp_path: Path) -> None:
    """Bound to what a small job takes and a little more, torch's own allocator fails in the middle of a large one."""
    with RealEngine(tmp_path / "free", runner=DEFAULT_FACTORY) as engine, engine.connect() as client:
        outcome(client, client.submit(real_jobs.picture(64, 1)), LONG_S)
        enough_mib = data_kib(worker_pid(client)) // 1024 + 150
    options = ("--max-memory", str(enough_mib))
    with RealEngine(tmp_path / "bound", *options, runner=DEFAULT_FACTORY) as engine, engine.connect() as client:
        expected = outcome(client, client.submit(real_jobs.picture(64, 1)), LONG_S)
        assert isinstance(expected, Result)
        before = worker_pid(client)
        failed = outcome(client, client.submit(real_jobs.picture(1024, 1)), LONG_S)
        assert isinstance(failed, Failure)
        assert failed.code == ErrorCode.OUT_OF_MEMORY.value
        again = outcome(client, client.submit(real_jobs.picture(64, 1)), LONG_S)
        assert isinstance(again, Result)
        assert bytes(again.picture.data) == bytes(expected.picture.data)
        assert worker_pid(client) == before, "still warm"


def test_a_clock_that_is_set_changes_nothing(tmp_path: Path) -> None:
    """Both processes live with a wall clock that jumps an hour to and fro at every look."""
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent("""
            import itertools, time
            real, jumps = time.time, itertools.cycle([0, 3600, -86400])
            time.time = lambda: real() + next(jumps)
        """)
    )
    hold = tmp_path / "hold"
    with (
        RealEngine(tmp_path, "--idle-exit", "30", "--stall", "20", first_on_path=tmp_path) as engine,
        engine.connect() as client,
    ):
        job_id = client.submit(jobs.request(f"hold:{hold}"))
        wait_until(lambda: client.status(30).running == job_id)
        hold.touch()
        assert harmonized(outcome(client, job_id))
        assert engine.process.poll() is None
        assert len({line.split()[0] for line in engine.log().splitlines()}) > 1, "the clock did jump"


# ---------------------------------------------------------------- the runtime folder


@pytest.mark.parametrize("text", [None, b"", b"{", b'{"pid": 1}'])
def test_a_runtime_file_that_is_removed_or_damaged_is_written_anew(
    engine: RealEngine, client: EngineClient, text: bytes | None
) -> None:
    file = engine.runtime_dir / runtime.RUNTIME_FILE
    good = file.read_bytes()
    if text is None:
        file.unlink()
    else:
        file.write_bytes(text)
    wait_until(lambda: file.exists() and file.read_bytes() == good)
    with ensure_engine(["/must/not/be/started"], engine.runtime_dir) as another:
        assert another.welcome.pid == client.welcome.pid


def test_an_engine_whose_folder_is_gone_ends_when_its_jobs_have(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    with RealEngine(tmp_path) as engine, engine.connect() as client:
        job_id = client.submit(jobs.request(f"hold:{hold}"))
        wait_until(lambda: client.status(30).running == job_id)
        shutil.rmtree(engine.runtime_dir)
        with RealEngine(tmp_path) as successor:
            assert engine.process.poll() is None
            hold.touch()
            assert harmonized(outcome(client, job_id))
            assert engine.process.wait(60) == 0
            with successor.connect() as another:
                assert another.welcome.pid == successor.process.pid
                assert harmonized(another.run(jobs.request()))


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_another_users_process_gets_neither_in_nor_at_the_file() -> None:
    with tempfile.TemporaryDirectory(prefix="painterly-open-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the way there is open, the folder itself is not
        with RealEngine(folder) as engine:
            info = runtime.read(engine.runtime_dir)
            file = info.socket_file(engine.runtime_dir)
            program = textwrap.dedent(f"""
                import os, socket
                os.setgid(65534); os.setuid(65534)
                for attempt in (
                    lambda: socket.socket(socket.AF_UNIX).connect({str(file)!r}),
                    lambda: open({str(engine.runtime_dir / runtime.RUNTIME_FILE)!r}),
                    lambda: os.listdir({str(engine.log_dir)!r}),
                ):
                    try:
                        attempt()
                    except PermissionError:
                        print("refused")
            """)
            said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
            assert said.split() == ["refused"] * 3


# ---------------------------------------------------------------- numbers that are none, pictures that are others


@pytest.mark.parametrize("sample", [float("nan"), float("inf"), -float("inf")])
def test_samples_that_are_no_numbers_end_in_a_sentence(client: EngineClient, sample: float) -> None:
    with caught(ErrorCode.NOT_FINITE) as error:
        client.run(jobs.whole_in_float(sample))
    assert error.value.advice
    assert isinstance(client.run(jobs.whole_in_float(0.5)), Result)


def test_a_loss_that_is_no_number_ends_the_job(client: EngineClient) -> None:
    with caught(ErrorCode.NOT_FINITE):
        client.run(jobs.request("lost"))
    assert harmonized(client.run(jobs.request()))


def test_a_result_that_does_not_fit_is_never_inserted(client: EngineClient) -> None:
    with caught(ErrorCode.INTERNAL):
        client.run(jobs.request("outside"))


def test_a_picture_swapped_on_its_way_is_noticed_before_it_is_used(client: EngineClient) -> None:
    frames = wire.encode(Submit("swapped", jobs.request()))
    client._line.send_frames([frames[0], frames[2], frames[1], frames[3]])
    ended = outcome(client, "swapped")
    assert isinstance(ended, Failure)
    assert ended.code == ErrorCode.BAD_REQUEST.value
    assert "swapped" in ended.sentence
    assert harmonized(client.run(jobs.request()))


# ---------------------------------------------------------------- other versions


def test_a_client_of_version_1_is_answered_in_version_1(client: EngineClient) -> None:
    client._line.send_frames(list(golden.read(1, "hello")))
    wait_until(lambda: client._line._socket.poll(100))
    (frame,) = client._line._socket.recv_multipart()
    version, kind, fields, lengths = wire.msgpack.unpackb(frame)
    assert (version, kind, lengths) == (1, "failure", [])
    assert fields["code"] == ErrorCode.VERSION_MISMATCH.value
    assert "newer than this program" in fields["sentence"]
    assert "install.py" in fields["advice"]


@pytest.mark.parametrize("version", [PROTOCOL_VERSION + 1, 99])
def test_a_newer_client_learns_in_its_own_version_that_the_engine_is_old(client: EngineClient, version: int) -> None:
    client._line.send_frames([wire.msgpack.packb([version, "hello", {"novelty": [1]}, {}])])
    wait_until(lambda: client._line._socket.poll(100))
    (frame,) = client._line._socket.recv_multipart()
    answered, kind, fields, _ = wire.msgpack.unpackb(frame)
    assert (answered, kind) == (version, "failure")
    assert "older engine is still running" in fields["sentence"]
    assert "painterly stop" in fields["advice"]


# ---------------------------------------------------------------- idleness and limits


def test_an_idle_engine_gives_the_networks_memory_back(tmp_path: Path) -> None:
    with RealEngine(tmp_path, "--idle-unload", "0.3") as engine, engine.connect() as client:
        assert harmonized(client.run(jobs.request()))
        wait_until(lambda: client.status(30).details["worker"] == "absent")
        assert client.status(30).state is EngineState.READY
        assert harmonized(client.run(jobs.request()))
        assert len(engine.events("worker-ready")) >= 2


def test_each_limit_is_kept_with_a_sentence(tmp_path: Path) -> None:
    options = ("--max-pixels", "120", "--max-iterations", "66", "--max-seconds", "2")
    with RealEngine(tmp_path, *options) as engine, engine.connect() as client:
        assert harmonized(client.run(jobs.request()))
        for request in (jobs.request(width=13), jobs.request(iterations=67)):
            with caught(ErrorCode.OVER_LIMIT) as error:
                client.run(request)
            assert error.value.advice
        before = worker_pid(client)
        with caught(ErrorCode.OVER_LIMIT) as error:
            client.run(jobs.request(f"hold:{tmp_path / 'never'}"))
        assert "2 s" in error.value.sentence
        assert harmonized(client.run(jobs.request()))
        assert worker_pid(client) == before, "still warm"
