"""``EngineClient`` against a fake engine over real sockets, ipc and guarded TCP."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from painterly_protocol import client as client_module
from painterly_protocol import keys, paths, runtime, wire
from painterly_protocol.client import connect, stop_whatever_version
from painterly_protocol.errors import ErrorCode
from painterly_protocol.listener import Listener, Transport, choose_transport
from painterly_protocol.messages import (
    PROTOCOL_VERSION,
    EngineMessage,
    EngineState,
    Failure,
    Hello,
    Phase,
    Preview,
    Progress,
    Queued,
    Result,
    Status,
    StatusQuery,
    Welcome,
)
from painterly_protocol.runtime import RuntimeInfo
from support import golden, jobs
from support.failing import caught, hear
from support.fake_engine import DEADLINE_S, FakeEngine, Step, wait_until
from support.relay import Relay

TRANSPORTS = [Transport.TCP] if sys.platform == "win32" else list(Transport)


@pytest.fixture(params=TRANSPORTS, ids=lambda transport: transport.value)
def transport(request: pytest.FixtureRequest) -> Transport:
    value: Transport = request.param
    return value


# ---------------------------------------------------------------- the conversation


def test_a_job_from_submit_to_result(tmp_path: Path, transport: Transport) -> None:
    steps: list[Step] = [
        {"do": "queued", "position": 2},
        {"do": "progress", "phase": "pass-two", "fraction": 0.5, "seconds_left": 8.0, "losses": {"gram": 2.0}},
        {"do": "preview", "rgb": [1, 2, 3], "width": 4, "height": 5},
        {"do": "result", "how": "invert", "metadata": {"note": ["a", 1]}},
    ]
    with FakeEngine(tmp_path, steps, transport=transport) as engine, connect(engine.runtime_dir) as client:
        seen: list[EngineMessage] = []
        result = client.run(jobs.request(), seen.append, job_id="job-1")
    queued, progress, preview = seen
    assert queued == Queued("job-1", 2)
    assert progress == Progress("job-1", Phase.PASS_TWO, 0.5, 8.0, losses={"gram": 2.0})
    assert isinstance(preview, Preview)
    assert bytes(preview.picture.data) == bytes([1, 2, 3]) * 20
    assert bytes(result.picture.data) == bytes([255 - jobs.COMPOSITE_SAMPLE]) * (jobs.WIDTH * jobs.HEIGHT * 3)
    assert result.metadata["note"] == ["a", 1]
    submitted = engine.messages("submit")[0]
    assert submitted["job_id"] == "job-1"
    assert submitted["painting"]["shape"] == [jobs.HEIGHT, jobs.WIDTH, 3]
    saved = (engine.saved / "job-1-composite.raw").read_bytes()
    assert saved == bytes([jobs.COMPOSITE_SAMPLE]) * (jobs.WIDTH * jobs.HEIGHT * 3)


def test_the_address_and_keys_fit_the_transport(tmp_path: Path, transport: Transport) -> None:
    with FakeEngine(tmp_path, transport=transport) as engine:
        info = runtime.read(engine.runtime_dir)
    assert info.endpoint.startswith("tcp://127.0.0.1:" if transport is Transport.TCP else "ipc://engine-")
    guarded = transport is Transport.TCP
    assert [bool(key) for key in (info.server_key, info.client_public_key, info.client_secret_key)] == [guarded] * 3


def test_a_failure_is_raised_with_its_code_sentence_and_advice(tmp_path: Path) -> None:
    step = {"do": "failure", "code": "out-of-memory", "sentence": "Too big.", "advice": "Be small."}
    with (
        FakeEngine(tmp_path, [step]) as engine,
        connect(engine.runtime_dir) as client,
        caught(ErrorCode.OUT_OF_MEMORY) as error,
    ):
        client.run(jobs.request())
    assert str(error.value) == "Too big. Be small."


def test_a_code_of_tomorrow_is_an_internal_error(tmp_path: Path) -> None:
    with (
        FakeEngine(tmp_path, [{"do": "failure", "code": "moon-phase"}]) as engine,
        connect(engine.runtime_dir) as client,
        caught(ErrorCode.INTERNAL),
    ):
        client.run(jobs.request())


def test_cancel_and_status_while_a_job_waits(tmp_path: Path, transport: Transport) -> None:
    hold = tmp_path / "never"
    steps: list[Step] = [{"do": "progress", "fraction": 0.1}, {"do": "wait", "file": str(hold)}]
    with FakeEngine(tmp_path, steps, transport=transport) as engine, connect(engine.runtime_dir) as client:
        job_id = client.submit(jobs.request())
        engine.wait_for("submit")
        status = client.status(30)
        assert (status.state, status.running) == (EngineState.BUSY, job_id)
        client.cancel(job_id)
        messages: list[EngineMessage] = []
        wait_until(lambda: any(isinstance(m, Failure) for m in hear(client, messages)))
        assert engine.wait_for("cancel")["job_id"] == job_id
    # What came while the status was awaited has not been lost.
    assert isinstance(messages[0], Progress)
    failure = messages[-1]
    assert isinstance(failure, Failure)
    assert (failure.job_id, failure.code) == (job_id, ErrorCode.CANCELLED.value)


def test_events_never_wait_by_default(tmp_path: Path) -> None:
    with FakeEngine(tmp_path) as engine, connect(engine.runtime_dir) as client:
        assert client.events() == []


def test_what_an_event_handler_raises_cancels_the_job(tmp_path: Path) -> None:
    steps: list[Step] = [{"do": "progress", "fraction": 0.1}, {"do": "wait", "file": str(tmp_path / "never")}]

    def interrupt(_message: EngineMessage) -> None:
        raise KeyboardInterrupt

    with FakeEngine(tmp_path, steps) as engine, connect(engine.runtime_dir) as client:
        with pytest.raises(KeyboardInterrupt):
            client.run(jobs.request(), interrupt, job_id="mine")
        assert engine.wait_for("cancel")["job_id"] == "mine"


def test_shutdown_reaches_the_engine(tmp_path: Path) -> None:
    with FakeEngine(tmp_path) as engine, connect(engine.runtime_dir) as client:
        client.shutdown()
        assert engine.process is not None
        assert engine.process.wait(60) == 0
        assert not (engine.runtime_dir / runtime.RUNTIME_FILE).exists()


# ---------------------------------------------------------------- engines that are gone, stuck or strange


def test_an_engine_killed_during_a_job_is_noticed(tmp_path: Path, transport: Transport) -> None:
    steps: list[Step] = [{"do": "progress", "fraction": 0.1}, {"do": "silence"}]
    with (
        FakeEngine(tmp_path, steps, transport=transport) as engine,
        connect(engine.runtime_dir) as client,
        caught(ErrorCode.ENGINE_GONE),
    ):
        client.run(jobs.request(), lambda _message: engine.kill())


def test_last_words_of_a_vanished_engine_are_still_heard(tmp_path: Path) -> None:
    steps: list[Step] = [{"do": "failure", "code": "internal"}]
    with FakeEngine(tmp_path, steps) as engine, connect(engine.runtime_dir) as client:
        client.submit(jobs.request(), "mine")
        assert engine.process is not None
        engine.wait_for("submit")
        client.shutdown()
        engine.process.wait(60)
        messages = client.events(30)
        assert [m.job_id for m in messages if isinstance(m, Failure)] == ["mine"]
        with caught(ErrorCode.ENGINE_GONE):
            wait_until(lambda: client.events(0.1))


def test_an_engine_that_vanishes_leaves_a_stale_file_which_counts_as_none(tmp_path: Path, transport: Transport) -> None:
    with FakeEngine(tmp_path, [{"do": "vanish"}], transport=transport) as engine:
        with connect(engine.runtime_dir) as client, caught(ErrorCode.ENGINE_GONE):
            client.run(jobs.request())
        assert (engine.runtime_dir / runtime.RUNTIME_FILE).exists()
        with caught(ErrorCode.ENGINE_ABSENT):
            connect(engine.runtime_dir, timeout_s=30)


@pytest.mark.parametrize("pid", [1, os.getpid(), 2**22 + 1])
def test_a_stale_file_is_recognised_whatever_its_pid_has_become(tmp_path: Path, pid: int) -> None:
    folder = paths.make_private(tmp_path / "run")
    runtime.publish(folder, RuntimeInfo("ipc://engine-gone.sock", pid, PROTOCOL_VERSION, "1"))
    with caught(ErrorCode.ENGINE_ABSENT):
        connect(folder, timeout_s=30)


def test_a_port_that_now_belongs_to_somebody_else_counts_as_no_engine(tmp_path: Path) -> None:
    folder = paths.make_private(tmp_path / "run")
    server, ours = keys.KeyPair.new(), keys.KeyPair.new()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        endpoint = f"tcp://127.0.0.1:{stranger.getsockname()[1]}"
        runtime.publish(
            folder, RuntimeInfo(endpoint, 1, PROTOCOL_VERSION, "1", server.public, ours.public, ours.secret)
        )
        with caught(ErrorCode.ENGINE_ABSENT):
            connect(folder, timeout_s=0.5)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:1", "nonsense", "ipc://", "tcp://127.0.0.1:99999999"])
def test_an_address_without_keys_or_sense_is_not_used(tmp_path: Path, endpoint: str) -> None:
    folder = paths.make_private(tmp_path / "run")
    runtime.publish(folder, RuntimeInfo(endpoint, 1, PROTOCOL_VERSION, "1"))
    with caught(ErrorCode.ENGINE_ABSENT):
        connect(folder, timeout_s=30)


@pytest.mark.parametrize("hello", ["refuse", "future"])
def test_an_engine_of_another_version_is_told_apart(tmp_path: Path, hello: str) -> None:
    script = {"jobs": [[]], "hello": hello}
    with FakeEngine(tmp_path, script=script) as engine, caught(ErrorCode.VERSION_MISMATCH) as error:
        connect(engine.runtime_dir, timeout_s=30)
    assert "99" in error.value.sentence
    assert error.value.advice


def test_an_engine_that_hears_but_says_nothing_ends_in_a_sentence(tmp_path: Path) -> None:
    with FakeEngine(tmp_path, script={"jobs": [[]], "hello": "silent"}) as engine, caught(ErrorCode.ENGINE_GONE):
        connect(engine.runtime_dir, timeout_s=0.5)


def test_an_engine_that_falls_silent_is_asked_and_then_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "QUIET_S", 0.05)
    listener = Listener(tmp_path / "run", "mute", None)
    listener.publish()
    try:
        with _greeted_by(listener) as client:
            monkeypatch.setattr(client_module, "SILENT_S", 1e9)

            def asked() -> bool:
                assert client.events(0.01) == []
                return StatusQuery() in [wire.decode(frames) for _, frames in listener.receive()]

            wait_until(asked)
            monkeypatch.setattr(client_module, "SILENT_S", 0.05)
            with caught(ErrorCode.ENGINE_GONE):
                wait_until(lambda: client.events(0.01))
    finally:
        listener.close()


def _greeted_by(listener: Listener) -> client_module.EngineClient:
    def greet() -> None:
        wait_until(lambda: listener.socket.poll(10))
        for identity, frames in listener.receive():
            assert isinstance(wire.decode(frames), Hello)
            listener.send(identity, Welcome("mute", os.getpid()))

    thread = threading.Thread(target=greet)
    thread.start()
    client = connect(listener.folder, timeout_s=30)
    thread.join()
    return client


# ---------------------------------------------------------------- who may in


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[FakeEngine]:
    with FakeEngine(tmp_path, [{"do": "result"}], transport=Transport.TCP) as engine:
        yield engine


def _hello_as(info: RuntimeInfo, client: keys.KeyPair | None) -> bool:
    """Whether a Hello is answered; False once the engine has refused the handshake or hung up."""
    context = zmq.Context()
    stranger = context.socket(zmq.DEALER)
    if client is not None:
        keys.guard_client(stranger, info.server_key, client)
    try:
        verdicts = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        monitor = stranger.get_monitor_socket(verdicts)
        stranger.connect(info.endpoint)
        stranger.send_multipart(wire.encode(Hello("stranger")))
        wait_until(lambda: monitor.poll(10))
        admitted = recv_monitor_message(monitor)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED
        return admitted and bool(stranger.poll(30_000))
    finally:
        context.destroy(linger=0)


def test_only_the_published_key_is_let_in(guarded: FakeEngine) -> None:
    info = runtime.read(guarded.runtime_dir)
    friend = keys.KeyPair(info.client_public_key, info.client_secret_key)
    assert _hello_as(info, friend)
    assert not _hello_as(info, None), "without any key"
    assert not _hello_as(info, keys.KeyPair.new()), "with a key of its own and the server's public key"
    assert not _hello_as(info, keys.KeyPair(friend.public, keys.KeyPair.new().secret)), "with half a key"
    assert [entry["client"] for entry in guarded.messages("hello")] == ["stranger"]


def test_an_impostor_on_the_engines_port_learns_nothing(tmp_path: Path, guarded: FakeEngine) -> None:
    """Somebody who took the port but has not the server's secret key cannot make a client talk."""
    info = runtime.read(guarded.runtime_dir)
    context = zmq.Context()
    impostor = context.socket(zmq.ROUTER)
    impostor.curve_server = True
    wrong = keys.KeyPair.new()
    impostor.curve_publickey, impostor.curve_secretkey = wrong.public.encode(), wrong.secret.encode()
    port = impostor.bind_to_random_port("tcp://127.0.0.1")
    folder = paths.make_private(tmp_path / "impostor")
    runtime.publish(folder, replace(info, endpoint=f"tcp://127.0.0.1:{port}"))
    try:
        with caught(ErrorCode.ENGINE_ABSENT):
            connect(folder, timeout_s=1.0)
        assert not impostor.poll(0)
    finally:
        context.destroy(linger=0)


def test_an_impostor_cannot_fill_the_clients_memory(tmp_path: Path, guarded: FakeEngine) -> None:
    """It begins a message that would never end; the client hangs up at its header."""
    folder = paths.make_private(tmp_path / "impostor")
    with socket.create_server(("127.0.0.1", 0)) as impostor:
        port = impostor.getsockname()[1]
        info = replace(runtime.read(guarded.runtime_dir), endpoint=f"tcp://127.0.0.1:{port}")
        runtime.publish(folder, info)
        hung_up = threading.Event()
        thread = threading.Thread(target=_greet_and_threaten, args=(impostor, hung_up))
        thread.start()
        with caught(ErrorCode.ENGINE_ABSENT):
            connect(folder, timeout_s=DEADLINE_S)
        thread.join()
    assert hung_up.is_set()


def _greet_and_threaten(impostor: socket.socket, hung_up: threading.Event) -> None:
    """Sets ``hung_up`` if the client hangs up before it would have lost patience."""
    zeromq = b"\xff" + bytes(8) + b"\x7f\3\1" + b"CURVE".ljust(20, b"\0") + b"\1" + bytes(31)
    line, _ = impostor.accept()
    line.settimeout(DEADLINE_S / 2)
    with line, contextlib.suppress(TimeoutError):
        line.sendall(zeromq + b"\6" + (wire.MAX_FRAME_BYTES + 1).to_bytes(8, "big"))
        with contextlib.suppress(ConnectionError):
            while line.recv(1000):
                pass
        hung_up.set()


def test_an_eavesdropper_reads_nothing(tmp_path: Path, guarded: FakeEngine) -> None:
    """A relay between client and engine sees neither the job's id nor its pixels."""
    info = runtime.read(guarded.runtime_dir)
    overheard = bytearray()
    with Relay(int(info.endpoint.rpartition(":")[2]), overheard) as relay:
        folder = paths.make_private(tmp_path / "relayed")
        runtime.publish(folder, replace(info, endpoint=f"tcp://127.0.0.1:{relay.port}"))
        with connect(folder, timeout_s=30) as client:
            result = client.run(jobs.request(), job_id="a-conspicuous-id")
    assert isinstance(result, Result)
    assert len(overheard) > 3 * jobs.WIDTH * jobs.HEIGHT * 3, "the relay heard the conversation"
    assert b"conspicuous" not in overheard
    assert bytes([jobs.COMPOSITE_SAMPLE]) * 20 not in overheard


def test_a_path_too_long_for_a_socket_is_served_over_guarded_tcp(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    assert choose_transport(deep) is Transport.TCP
    assert choose_transport(Path("/run")) is (Transport.TCP if sys.platform == "win32" else Transport.IPC)
    listener = Listener(deep, "deep")
    try:
        assert listener.info.endpoint.startswith("tcp://127.0.0.1:")
        assert listener.info.server_key
    finally:
        listener.close()


def test_closing_a_listener_removes_its_socket(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "run", "test", Transport.IPC)
    listener.publish()
    assert len(list(listener.folder.iterdir())) == 2
    listener.withdraw()
    listener.close()
    listener.close()
    assert list(listener.folder.iterdir()) == []


def test_status_is_a_plain_message(tmp_path: Path) -> None:
    with FakeEngine(tmp_path) as engine, connect(engine.runtime_dir) as client:
        assert client.status(30) == Status(EngineState.READY, None, 0, {"fake": True})
    assert json.loads(engine.log.read_text().splitlines()[0])["kind"] == "hello"


# ---------------------------------------------------------------- engines of other versions


@pytest.fixture
def old_engine(tmp_path: Path) -> Iterator[Listener]:
    """The socket of an engine of version 1 and its runtime file; nobody answers."""
    listener = Listener(tmp_path / "run", "0.0.9")
    runtime.publish(listener.folder, replace(listener.info, protocol_version=1))
    yield listener
    listener.close()


def test_an_older_engine_is_not_talked_to_and_the_advice_works(old_engine: Listener) -> None:
    with caught(ErrorCode.VERSION_MISMATCH) as error:
        connect(old_engine.folder, timeout_s=30)
    assert "older engine is still running" in error.value.sentence
    assert "painterly stop" in error.value.advice

    heard: list[list[bytes]] = []

    def end() -> None:
        wait_until(lambda: old_engine.socket.poll(10))
        heard.extend([bytes(frame) for frame in frames] for _, frames in old_engine.receive())
        old_engine.close()

    thread = threading.Thread(target=end)
    thread.start()
    assert stop_whatever_version(old_engine.folder, timeout_s=30)
    thread.join()
    assert heard == [golden.read(1, "shutdown")]


@pytest.mark.parametrize("version", [1, 99])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_whether_an_engine_whose_file_has_other_fields_lives_decides(
    tmp_path: Path, transport: Transport, version: int
) -> None:
    """Else the file of a dead one would keep every engine from being started, and “painterly stop” could not help."""
    listener = Listener(tmp_path / "run", "0.0.9", transport)
    try:
        file = {**asdict(listener.info), "protocol_version": version, "novelty": [1]}
        runtime.publish(listener.folder, listener.info)
        (listener.folder / runtime.RUNTIME_FILE).write_text(json.dumps(file))
        with caught(ErrorCode.VERSION_MISMATCH):
            _connect_answered(listener)
    finally:
        listener.close()
    with caught(ErrorCode.ENGINE_ABSENT):
        connect(listener.folder, timeout_s=30)
    with caught(ErrorCode.ENGINE_ABSENT):
        stop_whatever_version(listener.folder)


def _connect_answered(listener: Listener) -> None:
    """As ``connect``, while somebody answers the gate."""
    over = threading.Event()

    def attend() -> None:
        while not over.is_set():
            listener.answer_gate()
            over.wait(0.01)

    thread = threading.Thread(target=attend)
    thread.start()
    try:
        connect(listener.folder, timeout_s=30).close()
    finally:
        over.set()
        thread.join()


def test_what_an_older_engine_left_behind_counts_as_none(old_engine: Listener) -> None:
    old_engine.close()
    with caught(ErrorCode.ENGINE_ABSENT):
        connect(old_engine.folder, timeout_s=30)
    with caught(ErrorCode.ENGINE_ABSENT):
        stop_whatever_version(old_engine.folder)
