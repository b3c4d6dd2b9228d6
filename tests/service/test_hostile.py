"""Hostile messages and hostile bytes against a live engine: it stays, its memory stays, the next good job is exact."""

from __future__ import annotations

import contextlib
import random
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from painterly_protocol import keys, paths, runtime, wire
from painterly_protocol.client import EngineClient, connect
from painterly_protocol.errors import ErrorCode
from painterly_protocol.listener import Transport
from painterly_protocol.messages import Status, StatusQuery
from support import jobs, zmtp
from support.failing import caught
from support.fake_engine import wait_until
from support.hostile import Enemy
from support.real_engine import RealEngine, harmonized, resident_kib, worker_pid
from support.relay import Relay

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="reads /proc")

FLAT_KIB = 16 * 1024  # what an engine's memory may vary by
WARM_UP = 1000  # messages after which everything has been allocated that ever is
TOGETHER = 50
GREETING = zmtp.greeting("CURVE")
PING = b"\4PING\0\1x"
LONG_COMMAND = bytes([zmtp.LONG | zmtp.COMMAND])


def is_exact(client: EngineClient) -> bool:
    return harmonized(client.run(jobs.request()))


def bombard(client: EngineClient, enemy: Enemy, count: int) -> None:
    """Send ``count`` messages, reading what is answered."""
    wire_end = client._line._socket
    for number in range(count):
        wire_end.send_multipart(enemy.message())
        if number % TOGETHER == 0:
            drain(wire_end)
    drain(wire_end)


def drain(wire_end: zmq.Socket[bytes]) -> None:
    while wire_end.poll(0):
        wire_end.recv_multipart()


@pytest.mark.parametrize(
    ("transport", "count"),
    [
        (Transport.IPC, 3000),
        (Transport.TCP, 3000),
        pytest.param(Transport.IPC, 100_000, marks=pytest.mark.long),
        pytest.param(Transport.TCP, 100_000, marks=pytest.mark.long),
    ],
)
def test_hostile_messages_change_nothing(
    tmp_path: Path, transport: Transport, count: int, record_property: pytest.RecordProperty
) -> None:
    with RealEngine(tmp_path, transport=transport) as engine, engine.connect() as friend:
        enemy = Enemy(count)
        with engine.connect() as hostile:
            bombard(hostile, enemy, WARM_UP)
            assert is_exact(friend)
            before, worker = resident_kib(engine.process.pid), resident_kib(worker_pid(friend))
            bombard(hostile, enemy, count - WARM_UP)
            assert is_exact(friend)
        grown = resident_kib(engine.process.pid) - before, resident_kib(worker_pid(friend)) - worker
        record_property("grown_kib", grown)
        print(f"{count} messages over {transport.value}: engine and worker grew by {grown} KiB")
        assert engine.process.poll() is None
        assert max(grown) < FLAT_KIB
        status = friend.status(30)
        assert isinstance(status, Status)
        assert status.details["messages_refused"] > count / 3
        assert status.details["workers_started"] == 1, "none of it reached the worker as anything but a job"


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.long)])
@pytest.mark.parametrize("transport", list(Transport))
def test_bytes_that_are_no_zeromq_change_nothing(tmp_path: Path, transport: Transport, count: int) -> None:
    """What a port scanner or a confused program would send, some of it beginning like ZeroMQ's greeting."""
    dice = random.Random(count)
    with RealEngine(tmp_path, transport=transport) as engine, engine.connect() as friend:
        assert is_exact(friend)
        before = resident_kib(engine.process.pid)
        for _ in range(count):
            start = GREETING[: dice.randrange(len(GREETING) + 1)] if dice.randrange(2) else b""
            with contextlib.suppress(OSError), _raw(engine) as stranger:
                stranger.sendall(start + dice.randbytes(dice.choice([0, 1, 64, 10_000])))
        assert is_exact(friend)
        assert resident_kib(engine.process.pid) - before < FLAT_KIB


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.long)])
def test_spoilt_bytes_behind_a_good_handshake_change_nothing(tmp_path: Path, count: int) -> None:
    """Frames' own lengths and flags among them, and commands of ZeroMQ's; each connection goes on until it is ended."""
    dice, enemy = random.Random(count), Enemy(count)
    with RealEngine(tmp_path, transport=Transport.IPC) as engine, engine.connect() as friend:
        assert is_exact(friend)
        before = resident_kib(engine.process.pid)
        for _ in range(count):
            with contextlib.suppress(OSError), _raw(engine) as stranger:
                zmtp.shake_hands(stranger)
                stranger.sendall(b"".join(_spoilt(enemy, dice) for _ in range(5)))
        assert is_exact(friend)
        assert friend.status(30).details["messages_refused"] > count, "some came through as messages"
        assert resident_kib(engine.process.pid) - before < FLAT_KIB


def _spoilt(enemy: Enemy, dice: random.Random) -> bytes:
    """A hostile message or command as it travels, every other one with a byte changed, cut or put in.

    None with a long run of zeros, each two of which would be a message: see ``WAITING_MESSAGES`` for what that does.
    """
    if not dice.randrange(4):
        said = bytearray(zmtp.frame(dice.choice([PING, b"\4PONG", b"\5ERROR\xff", b"\xff", b""]), zmtp.COMMAND))
    else:
        said = bytearray(next(m for m in iter(lambda: zmtp.message(enemy.message()), b"") if len(m) < 1500))
    if dice.randrange(2):
        spot = dice.choice([dice.randrange(min(9, len(said))), dice.randrange(len(said))])
        said[spot : spot + dice.randrange(2)] = dice.randbytes(dice.randrange(2))
    return bytes(said)


def test_a_client_killed_with_much_to_be_heard_yet_and_a_heartbeat_behind_it_ends_nothing(tmp_path: Path) -> None:
    """libzmq 4.3.5 would abort, had it stopped listening to that client until the rest has been read."""
    question = zmtp.message([bytes(frame) for frame in wire.encode(StatusQuery())])
    with RealEngine(tmp_path, transport=Transport.IPC) as engine, engine.connect() as friend:
        for _ in range(20):
            with _raw(engine) as doomed:
                zmtp.shake_hands(doomed)
                doomed.sendall(60 * question + zmtp.frame(PING, zmtp.COMMAND) + 5 * question)
        assert is_exact(friend)
        assert engine.process.poll() is None


# ---------------------------------------------------------------- in the middle


@pytest.mark.parametrize("whose", ["client", "engine"])
def test_who_changes_what_is_said_on_its_way_ends_a_conversation_and_no_more(tmp_path: Path, whose: str) -> None:
    with RealEngine(tmp_path, transport=Transport.TCP) as engine, engine.connect() as friend:
        with Relay(_port(engine), bytearray()) as relay:
            with connect(_led_through(relay, engine, tmp_path), timeout_s=30) as victim:
                relay.tampers = whose
                with caught(ErrorCode.ENGINE_GONE):
                    victim.run(jobs.request(), job_id="tampered")
            relay.tampers = ""
        assert is_exact(friend)
        wait_until(lambda: friend.status(30).running is None)
        queued = [event["job"] for event in engine.events("job-queued")]
        assert queued.count("tampered") == (whose == "engine"), "what was changed on its way was never a job"


def test_who_says_again_what_he_overheard_is_not_listened_to(tmp_path: Path) -> None:
    with RealEngine(tmp_path, transport=Transport.TCP) as engine, engine.connect() as friend:
        with (
            Relay(_port(engine), bytearray()) as relay,
            connect(_led_through(relay, engine, tmp_path), timeout_s=30) as victim,
        ):
            assert is_exact(victim)
        met = engine.events("client-connects")
        with _raw(engine) as replaying:
            replaying.sendall(relay.of_client[:64])
            _read(replaying, 64)
            with contextlib.suppress(ConnectionError):
                replaying.sendall(relay.of_client[64:])
            replaying.settimeout(0.1)
            wait_until(lambda: _has_hung_up(replaying), 20.0)
        assert is_exact(friend)
        assert engine.events("client-connects") == met
        assert friend.status(30).details["jobs_ended"] == {"done": 2}


def _led_through(relay: Relay, engine: RealEngine, folder: Path) -> Path:
    """A runtime folder whose engine is behind the relay."""
    relayed = paths.make_private(folder / "relayed")
    info = replace(runtime.read(engine.runtime_dir), endpoint=f"tcp://127.0.0.1:{relay.port}")
    runtime.publish(relayed, info)
    return relayed


def _port(engine: RealEngine) -> int:
    return int(runtime.read(engine.runtime_dir).endpoint.rpartition(":")[2])


def _read(line: socket.socket, length: int) -> None:
    while length and (more := line.recv(length)):
        length -= len(more)


def test_a_stranger_at_the_door_is_not_listened_to_for_long(tmp_path: Path) -> None:
    """Nobody has seen a key of its yet, so what it says must be kept until there is one: 100 MB, of a gigabyte."""
    with RealEngine(tmp_path, transport=Transport.TCP) as engine, engine.connect() as friend:
        assert is_exact(friend)
        before = resident_kib(engine.process.pid)
        with _raw(engine) as stranger:
            stranger.sendall(GREETING + LONG_COMMAND + (2**30).to_bytes(8, "big") + bytes(100_000_000))
            stranger.settimeout(0.1)
            wait_until(lambda: _has_hung_up(stranger), 20.0)  # left alone, libzmq would take 30 s
        wait_until(lambda: resident_kib(engine.process.pid) - before < FLAT_KIB)
        assert is_exact(friend)


def _has_hung_up(stranger: socket.socket) -> bool:
    try:
        return not stranger.recv(1000)
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def _raw(engine: RealEngine) -> socket.socket:
    info = runtime.read(engine.runtime_dir)
    file = info.socket_file(engine.runtime_dir)
    if file is None:
        host, _, port = info.endpoint.removeprefix("tcp://").rpartition(":")
        return socket.create_connection((host, int(port)), timeout=10)
    stranger = socket.socket(socket.AF_UNIX)
    stranger.connect(str(file))
    return stranger


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.long)])
def test_wrong_keys_are_turned_away_and_cost_nothing(tmp_path: Path, count: int) -> None:
    with RealEngine(tmp_path, transport=Transport.TCP) as engine, engine.connect() as friend:
        assert is_exact(friend)
        info = runtime.read(engine.runtime_dir)
        before = resident_kib(engine.process.pid)
        context = zmq.Context()
        try:
            for number in range(count):
                stranger = context.socket(zmq.DEALER)
                stranger.linger = 0
                if number % 3:
                    server = info.server_key if number % 3 == 1 else keys.KeyPair.new().public
                    keys.guard_client(stranger, server, keys.KeyPair.new())
                turned_away = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
                monitor = stranger.get_monitor_socket(turned_away | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
                stranger.connect(info.endpoint)
                stranger.send(b"let me in")
                wait_until(lambda monitor=monitor: monitor.poll(10))
                assert not stranger.poll(0)
                stranger.disable_monitor()
                stranger.close()
        finally:
            context.destroy(linger=0)
        assert is_exact(friend)
        assert resident_kib(engine.process.pid) - before < FLAT_KIB
        assert friend.status(30).details["messages_refused"] == 0
