"""What an engine listens on: sockets in its owner-only folder, and what asks for a key; and how its worker gets one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from painterly_protocol import wire
from painterly_protocol.keyring import Keyring
from painterly_protocol.listener import Transport
from painterly_protocol.messages import Hello
from support import jobs
from support.fake_engine import wait_until
from support.ports import reserved_port
from support.real_engine import RealEngine, harmonized, worker_pid

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

LISTENING = "0A"
ANYWHERE = {"00000000", "0" * 32}
LOOPBACK = {"0100007F"}


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as reserved:
        yield reserved


@pytest.fixture(params=["ipc", "tcp", "deep", "listen"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealEngine]:
    """In its own folder; on loopback TCP; there with its worker, the folder's path being too long for sockets; in its
    folder and for other machines too. Has run a job."""
    options: tuple[str, ...] = ()
    if request.param == "listen":
        monkeypatch.setenv("PAINTERLY_KEYS_DIR", str(tmp_path / "keys"))
        port = request.getfixturevalue("port")
        Keyring().add("ada", f"127.0.0.1:{port}")
        options = ("--listen", f"*:{port}")
    transport = {"ipc": Transport.IPC, "tcp": Transport.TCP}.get(request.param)
    folder = tmp_path / ("d" * 60) / ("e" * 60) if request.param == "deep" else tmp_path
    with RealEngine(folder, *options, transport=transport) as running:
        with running.connect() as client:
            assert harmonized(client.run(jobs.request()))
        yield running


@pytest.fixture
def processes(engine: RealEngine) -> list[int]:
    with engine.connect() as client:
        return [engine.process.pid, worker_pid(client)]


def inodes(pid: int) -> set[str]:
    """Of the sockets that the process has open."""
    found = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(handle.readlink())
        except FileNotFoundError:  # closed since
            continue
        if target.startswith("socket:["):
            found.add(target[len("socket:[") : -1])
    return found


def inet(kind: str, processes: list[int]) -> list[list[str]]:
    """The lines of /proc/net/KIND that are sockets of these processes, as words."""
    lines = [line.split() for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    ours = set().union(*map(inodes, processes))
    return [words for words in lines if words[9] in ours]


def doors(processes: list[int]) -> list[tuple[str, int]]:
    """Address, as the kernel writes it, and port of every TCP socket that listens."""
    lines = [words for kind in ("tcp", "tcp6") for words in inet(kind, processes) if words[3] == LISTENING]
    return [(address, int(port, 16)) for address, _, port in (words[1].partition(":") for words in lines)]


def test_it_listens_where_it_was_asked_to_and_nowhere_else(
    engine: RealEngine, processes: list[int], request: pytest.FixtureRequest
) -> None:
    how = request.node.callspec.params["engine"]
    addresses = [address for address, _ in doors(processes)]
    assert set(addresses) <= {"ipc": set(), "listen": ANYWHERE}.get(how, LOOPBACK)
    assert len(addresses) == {"ipc": 0, "deep": 2}.get(how, 1)
    assert [inet(kind, processes) for kind in ("udp", "udp6", "raw", "raw6")] == [[]] * 4
    named = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    ours = set().union(*map(inodes, processes))
    places = {Path(words[7]).parent for words in named if words[6] in ours and len(words) > 7}
    inside = set() if how == "deep" else {engine.runtime_dir}
    assert places == inside, "no socket is outside the owner-only folder, or without a file"
    assert engine.runtime_dir.stat().st_mode & 0o777 == 0o700


def test_none_of_its_doors_opens_without_a_key(processes: list[int]) -> None:
    context = zmq.Context()
    try:
        for _address, port in doors(processes):
            for mechanism in ("NULL", "PLAIN"):
                stranger = context.socket(zmq.DEALER)
                stranger.linger = 0
                if mechanism == "PLAIN":
                    stranger.plain_username, stranger.plain_password = b"ada", b"guess"
                verdicts = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
                monitor = stranger.get_monitor_socket(verdicts | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
                stranger.connect(f"tcp://127.0.0.1:{port}")
                stranger.send_multipart(wire.encode(Hello("stranger")))
                wait_until(lambda monitor=monitor: monitor.poll(10))
                assert recv_monitor_message(monitor)["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED
                assert not stranger.poll(0)
                stranger.disable_monitor()
    finally:
        context.destroy(linger=0)


def test_a_worker_is_started_without_any_secret(engine: RealEngine, processes: list[int]) -> None:
    """Its line's keys come on its standard input: no word of its command and no variable is new."""
    server, worker = processes
    words = Path(f"/proc/{worker}/cmdline").read_text().rstrip("\0").split("\0")[1:]
    runner = engine.command[engine.command.index("--runner") + 1]
    assert words == ["-m", "painterly_engine.service.worker", "--runner", runner, "--log", "worker.log"]
    assert environment(worker) == environment(server)


def environment(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/environ").read_text().split("\0"))
