"""Hostile messages and hostile bytes against a live engine: it stays, its memory stays, the next good job is exact."""

from __future__ import annotations

import contextlib
import random
import socket
import sys
from pathlib import Path

import pytest
import zmq

from painterly_protocol import keys, runtime
from painterly_protocol.client import EngineClient
from painterly_protocol.listener import Transport
from painterly_protocol.messages import Status
from support import jobs
from support.fake_engine import wait_until
from support.hostile import Enemy
from support.real_engine import RealEngine, harmonized, resident_kib, worker_pid

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="reads /proc")

FLAT_KIB = 16 * 1024  # what an engine's memory may vary by
WARM_UP = 1000  # messages after which everything has been allocated that ever is
TOGETHER = 50
GREETING = b"\xff\0\0\0\0\0\0\0\1\x7f\3\1" + b"CURVE".ljust(20, b"\0") + bytes(32)  # ZMTP 3.1
LONG_COMMAND = b"\6"


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
