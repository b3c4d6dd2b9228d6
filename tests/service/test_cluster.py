"""Workers on a real Ray cluster of several nodes: one goes down, too many are asked for, nobody uninvited gets in."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import painterly_engine
from painterly_engine.cluster import access
from painterly_engine.service.foreman import MOST_MOVES
from painterly_engine.service.runner import DEFAULT_FACTORY
from painterly_protocol.client import EngineClient
from painterly_protocol.errors import ErrorCode
from painterly_protocol.messages import EngineState, Priority, Progress, Result
from painterly_protocol.request import HarmonizeRequest
from support import jobs, real_jobs
from support.fake_engine import wait_until
from support.ray_cluster import RayCluster, listeners
from support.real_engine import RealEngine, harmonized, is_alive, lines, outcomes, worker_pid
from support.scripted_runner import FACTORY

pytest.importorskip("ray", reason="Ray is not installed: pip install 'painterly-harmonize[cluster]'")

LONG_S = 1200.0
ROOM = ("--capacity", "400", "--capacity-each", "400")


@pytest.fixture
def cluster(ray_cluster: RayCluster, monkeypatch: pytest.MonkeyPatch) -> RayCluster:
    """Of one node, which stays."""
    for name, value in ray_cluster.environment.items():
        monkeypatch.setenv(name, value)
    return ray_cluster


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[RayCluster]:
    """Of one processor each, which may go down."""
    with RayCluster(nodes=2, cpus=1) as nodes:
        for name, value in nodes.environment.items():
            monkeypatch.setenv(name, value)
        yield nodes


def driver_pid(engine: RealEngine) -> int:
    return int(engine.events("driver-starts")[-1]["driver"])


def busy(client: EngineClient) -> int:
    return sum(state != "absent" for state in states(client))


def states(client: EngineClient) -> list[str]:
    """Of all workers' places."""
    workers = client.status(30).details["workers"]
    assert isinstance(workers, list | tuple)
    return [worker["state"] for worker in workers]


# ---------------------------------------------------------------- a node goes down


def _different(number: int) -> HarmonizeRequest:
    """A job for the real algorithm, small but not like the others."""
    request = real_jobs.picture(48, 2)
    return HarmonizeRequest(
        request.painting, request.composite, request.mask, parameters=jobs.with_seed(request.parameters, number)
    )


@pytest.mark.parametrize(
    ("runner", "count"),
    [
        (FACTORY, 30),
        pytest.param(FACTORY, 200, marks=pytest.mark.long),
        pytest.param(DEFAULT_FACTORY, 200, marks=pytest.mark.long),
    ],
)
def test_a_node_that_goes_down_costs_time_but_no_result(
    tmp_path: Path, two_nodes: RayCluster, monkeypatch: pytest.MonkeyPatch, runner: str, count: int
) -> None:
    """Every job's result comes once, and is what this machine's own worker computes."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ran, down = tmp_path / "ran", tmp_path / "down"

    def request(number: int) -> HarmonizeRequest:
        """Of the scripted ones the second half waits for the node to go down, so that it does in their middle."""
        if runner != FACTORY:
            return _different(number)
        act = "for:0.1" if number < count // 2 else f"hold:{down}"
        return jobs.request(f"note:{ran} {act}", width=3 + number)

    requests = {f"job-{number}": request(number) for number in range(count)}
    options = (*two_nodes.options, "--workers", "2", *ROOM)
    with RealEngine(tmp_path / "far", *options, runner=runner) as engine, engine.connect() as client:
        wait_until(lambda: states(client) == ["idle", "idle"], LONG_S)
        for name, each in requests.items():
            client.submit(each, name, Priority.BATCH)
        far, killed = {}, False
        deadline = time.monotonic() + LONG_S
        while len(far) < count:
            assert time.monotonic() < deadline
            for message in client.events(0.1):
                if isinstance(message, Result):
                    assert message.job_id not in far, "a result came twice"
                    far[message.job_id] = bytes(message.picture.data)
            if len(far) >= count // 2 and not killed:
                two_nodes.kill(0)
                killed = True
                down.touch()
        assert [m for m in client.events(0.5) if isinstance(m, Result)] == []
        assert client.status(30).details["jobs_ended"] == {"done": count}
        assert len(engine.events("job-retried")) <= 1, "only what ran there began anew"
        # Ray may send the next actor there, too, before it knows.
        assert {ended["how"] for ended in engine.events("worker-ended")} == {"its machine cannot be reached any more"}
    if runner == FACTORY:
        assert count <= len(lines(ran)) <= count + 1
    near = _locally(tmp_path / "near", runner, requests)
    assert far == near


def _locally(folder: Path, runner: str, requests: dict[str, HarmonizeRequest]) -> dict[str, bytes]:
    with RealEngine(folder, *ROOM, runner=runner) as engine, engine.connect() as client:
        for name, request in requests.items():
            client.submit(request, name)
        ended = outcomes(client, *requests, deadline_s=LONG_S)
    return {name: bytes(each.picture.data) for name, each in ended.items() if isinstance(each, Result)}


@pytest.mark.long
def test_a_job_whose_machines_keep_going_down_ends_with_a_sentence(tmp_path: Path, cluster: RayCluster) -> None:
    """A driver takes its actors' machines along, as far as the engine can see, and dies sooner than a node."""
    ran = tmp_path / "ran"
    with RealEngine(tmp_path, *cluster.options) as engine, engine.connect() as client:
        job_id = client.submit(jobs.request(f"note:{ran} hold:{tmp_path / 'never'}"))
        for turn in range(1, MOST_MOVES + 2):
            wait_until(lambda turn=turn: len(lines(ran)) == turn, LONG_S)
            os.kill(driver_pid(engine), signal.SIGKILL)
        ended = outcomes(client, job_id)[job_id]
        assert getattr(ended, "code", "") == ErrorCode.WORKER_DIED.value
        assert harmonized(outcomes(client, client.submit(jobs.request(), "next"), deadline_s=LONG_S)["next"])


@pytest.mark.long
def test_without_its_head_a_cluster_is_gone_until_it_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "10")  # a minute by default
    ran = tmp_path / "ran"
    with RayCluster(nodes=1) as nodes:
        for name, value in nodes.environment.items():
            monkeypatch.setenv(name, value)
        with RealEngine(tmp_path, *nodes.options) as engine, engine.connect() as client:
            running = client.submit(jobs.request(f"note:{ran} hold:{tmp_path / 'never'}"))
            wait_until(lambda: lines(ran))
            nodes.behead()
            waiting = client.submit(jobs.request())
            for ended in outcomes(client, running, waiting, deadline_s=LONG_S).values():
                assert getattr(ended, "code", "") == ErrorCode.WORKER_DIED.value
            nodes.crown()
            wait_until(lambda: harmonized(outcomes(client, client.submit(jobs.request(), "x"))["x"]), LONG_S)


def test_a_node_with_another_version_is_refused_with_a_sentence_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Path(painterly_engine.__file__).parent
    theirs = tmp_path / "old" / "painterly_engine"
    theirs.mkdir(parents=True)
    for part in ours.iterdir():
        (theirs / part.name).symlink_to(part)
    (theirs / "__init__.py").unlink()
    text = (ours / "__init__.py").read_text(encoding="utf-8")
    (theirs / "__init__.py").write_text(text.replace(painterly_engine.__version__, "0.0.9"), encoding="utf-8")
    with RayCluster(nodes=1, first_on_path=theirs.parent) as nodes:
        for name, value in nodes.environment.items():
            monkeypatch.setenv(name, value)
        with RealEngine(tmp_path, *nodes.options) as engine, engine.connect() as client:
            refused = outcomes(client, client.submit(jobs.request(), "refused"))["refused"]
    assert f"{socket.gethostname()} has painterly 0.0.9" in getattr(refused, "sentence", "")


# ---------------------------------------------------------------- how many workers there are


def test_workers_come_when_jobs_wait_and_go_when_they_idle(tmp_path: Path, cluster: RayCluster) -> None:
    hold = tmp_path / "hold"
    options = (*cluster.options, "--workers", "1:3", "--idle-unload", "1")
    with RealEngine(tmp_path, *options) as engine, engine.connect() as client:
        assert harmonized(client.run(jobs.request()))
        assert busy(client) == 1
        held = [client.submit(jobs.request(f"hold:{hold}")) for _ in range(4)]
        wait_until(lambda: client.status(30).queued == 1)
        assert busy(client) == 3
        hold.touch()
        assert all(map(harmonized, outcomes(client, *held).values()))
        wait_until(lambda: busy(client) == 1)
        assert engine.events("worker-unloaded")
        assert harmonized(client.run(jobs.request()))


def test_a_cluster_that_has_no_room_for_a_worker_serves_with_those_it_has(tmp_path: Path, cluster: RayCluster) -> None:
    options = (*cluster.options, "--workers", "2", "--cpus-each", "3", "--start-limit", "15")
    with RealEngine(tmp_path, *options) as engine, engine.connect() as client:
        assert harmonized(client.run(jobs.request()))
        wait_until(lambda: engine.events("worker-killed"))
        assert harmonized(client.run(jobs.request()))
        assert client.status(30).state is EngineState.READY


def test_each_worker_has_a_graphics_card_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards that are not there: what an actor is given is Ray's word, and it computes nothing on them here."""
    hold = tmp_path / "hold"
    with RayCluster(nodes=1, cpus=4, gpus=2) as nodes:
        for name, value in nodes.environment.items():
            monkeypatch.setenv(name, value)
        options = (*nodes.options, "--workers", "2", "--gpus-each", "1")
        with RealEngine(tmp_path, *options) as engine, engine.connect() as client:
            held = [client.submit(jobs.request(f"hold:{hold} card")) for _ in range(2)]
            wait_until(lambda: states(client) == ["busy", "busy"])
            hold.touch()
            ended = outcomes(client, *held).values()
    assert sorted(each.metadata["card"] for each in ended if isinstance(each, Result)) == ["0", "1"]


# ---------------------------------------------------------------- the driver


def test_questions_are_answered_while_the_driver_hangs(tmp_path: Path, cluster: RayCluster) -> None:
    with RealEngine(tmp_path, *cluster.options) as engine, engine.connect() as client:
        assert harmonized(client.run(jobs.request()))
        os.kill(driver_pid(engine), signal.SIGSTOP)
        try:
            job_id = client.submit(jobs.request())
            answered = []
            for _ in range(50):
                asked = time.perf_counter()
                client.status(30)
                answered.append(time.perf_counter() - asked)
            assert statistics.median(answered) < 0.1
        finally:
            os.kill(driver_pid(engine), signal.SIGCONT)
        assert harmonized(outcomes(client, job_id)[job_id])


def test_a_driver_that_dies_is_replaced_and_its_job_begun_anew(tmp_path: Path, cluster: RayCluster) -> None:
    ran, hold = tmp_path / "ran", tmp_path / "hold"
    with RealEngine(tmp_path, *cluster.options) as engine, engine.connect() as client:
        job_id = client.submit(jobs.request(f"note:{ran} hold:{hold}"))
        wait_until(lambda: lines(ran))
        os.kill(driver_pid(engine), signal.SIGKILL)
        wait_until(lambda: len(lines(ran)) == 2)
        hold.touch()
        assert harmonized(outcomes(client, job_id)[job_id])
        wait_until(lambda: not is_alive(int(lines(ran)[0])))


def test_a_killed_engine_takes_driver_and_actors_with_it(tmp_path: Path, cluster: RayCluster) -> None:
    with RealEngine(tmp_path, *cluster.options) as engine, engine.connect() as client:
        assert harmonized(client.run(jobs.request()))
        pids = (driver_pid(engine), worker_pid(client))
        engine.kill()
        wait_until(lambda: not any(map(is_alive, pids)))


def test_a_cancel_reaches_the_actor_within_an_iteration(tmp_path: Path, cluster: RayCluster) -> None:
    took = []
    with RealEngine(tmp_path, *cluster.options) as engine, engine.connect() as client:
        for _ in range(10):
            job_id = client.submit(jobs.request(f"hold:{tmp_path / 'never'}"))
            wait_until(lambda: any(isinstance(m, Progress) and m.iteration for m in client.events(0.1)))
            asked = time.perf_counter()
            client.cancel(job_id)
            outcomes(client, job_id)
            took.append(time.perf_counter() - asked)
    print(f"cancel through Ray: median {1000 * statistics.median(took):.0f} ms, worst {1000 * max(took):.0f} ms")
    assert statistics.median(took) < 1.0


def test_an_engine_on_a_machine_that_is_no_node_of_the_cluster(tmp_path: Path, cluster: RayCluster) -> None:
    options = ("--backend", "ray", "--address", cluster.address_for_others)
    with RealEngine(tmp_path, *options) as engine, engine.connect() as client:
        assert harmonized(outcomes(client, client.submit(jobs.request(), "1"), deadline_s=200)["1"])
        held = client.submit(jobs.request(f"hold:{tmp_path / 'never'}"))
        wait_until(lambda: any(isinstance(m, Progress) and m.iteration for m in client.events(0.1)))
        client.cancel(held)
        assert getattr(outcomes(client, held)[held], "code", "") == ErrorCode.CANCELLED.value
        assert harmonized(client.run(jobs.request()))


# ---------------------------------------------------------------- who gets in


def test_who_has_no_token_or_a_wrong_one_gets_nothing_from_the_cluster(cluster: RayCluster) -> None:
    right = {**os.environ, **cluster.environment}
    assert _answers(cluster.address, right)
    assert not _answers(cluster.address, {**right, "RAY_AUTH_MODE": "disabled"}), "without a token"
    (cluster.folder / "wrong").write_text("0" * 64)
    assert not _answers(cluster.address, {**right, "RAY_AUTH_TOKEN_PATH": str(cluster.folder / "wrong")})


def _answers(address: str, environment: dict[str, str]) -> bool:
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    return subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False).returncode == 0


def test_every_port_of_the_cluster_is_loopbacks(cluster: RayCluster) -> None:
    _check_loopback(listeners(cluster.log_dir))


def test_without_an_address_the_engine_has_a_ray_of_its_own_that_is_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAINTERLY_KEYS_DIR", str(tmp_path / "keys"))
    with RealEngine(tmp_path, "--backend", "ray") as engine, engine.connect() as client:
        assert harmonized(outcomes(client, client.submit(jobs.request(), "first"), deadline_s=LONG_S)["first"])
        pids = (driver_pid(engine), worker_pid(client))
        found = listeners(engine.log_dir)
        _check_loopback(found)
        [master] = [address for address, program in found.items() if program == "gcs_server"]
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "keys" / access.TOKEN_FILE)}
        assert _answers(master, {**os.environ, **token})
        assert not access.lets_anybody_in(master)
    wait_until(lambda: not any(map(is_alive, pids)) and not listeners(engine.log_dir))


def _check_loopback(found: dict[str, str]) -> None:
    if not found:
        pytest.skip("“ss” does not tell here who listens")
    assert len(found) > 3
    assert all("127.0.0.1" in address for address in found), found


def test_a_cluster_that_lets_anybody_in_is_not_used(tmp_path: Path) -> None:
    with RayCluster(nodes=1, token=False) as cluster:
        own_token = tmp_path / "token"
        own_token.write_text("0" * 64)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_AUTH_TOKEN_PATH", str(own_token))
            with RealEngine(tmp_path, *cluster.options) as engine, engine.connect() as client:
                refused = outcomes(client, client.submit(jobs.request(), "refused"))["refused"]
    assert "lets anybody in" in getattr(refused, "sentence", "")


JOINS = """
import contextlib, sys
import ray
from painterly_engine.cluster import joining
from painterly_engine.cluster.options import ClusterOptions

refusals = ["Initialization failure from server:\\nTraceback\\n  its lines\\nTimeoutError: too busy"] * int(sys.argv[1])

def init(address, **_):
    if refusals:
        raise ConnectionAbortedError(refusals.pop())

ray.init = init
joining.join(ClusterOptions(address="ray://head:10001"), contextlib.ExitStack())
print("inside")
"""


@pytest.mark.parametrize(
    ("refusals", "said"),
    [
        (1, "inside\n"),
        (
            2,
            "the cluster at ray://head:10001 cannot be used: "
            "Initialization failure from server: TimeoutError: too busy\n",
        ),
    ],
)
def test_a_head_node_too_busy_to_let_a_guest_in_is_asked_once_more(refusals: int, said: str) -> None:
    command = [sys.executable, "-c", JOINS, str(refusals)]
    joined = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert joined.stdout + joined.stderr == said


def test_a_cluster_that_is_not_there_is_said(tmp_path: Path, cluster: RayCluster) -> None:
    options = ("--backend", "ray", "--address", "127.0.0.1:1")
    with RealEngine(tmp_path, *options) as engine, engine.connect() as client:
        said = outcomes(client, client.submit(jobs.request(), "lost"), deadline_s=200)["lost"]
    assert "127.0.0.1:1" in getattr(said, "sentence", "")
    assert cluster.environment, "with a token"


def test_without_a_token_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    engine = RealEngine(tmp_path, "--backend", "ray", "--address", "10.0.0.1:6379")
    ended = subprocess.run(engine.command, env=engine.environment, capture_output=True, text=True, check=False)
    engine.process.wait(60)
    assert ended.returncode == 1
    assert "no token" in ended.stderr
    assert "auth_token" in ended.stderr
