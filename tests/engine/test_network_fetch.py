"""The downloader against real HTTP servers on this machine: resume, digest, servers that know less."""

from __future__ import annotations

import errno
import hashlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from painterly_engine.network import fetch, store
from painterly_engine.network.features import random_network
from painterly_protocol.errors import ErrorCode, PainterlyError
from support.failing import caught, no_room


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAINTERLY_DATA_DIR", str(tmp_path))
    return tmp_path


def published_file() -> bytes:
    """A VGG-19 in torchvision's keys, narrow, with a classifier that must not be kept."""
    network = random_network(width=4)
    numbers = iter((0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34))
    state = {"classifier.0.weight": torch.rand(200, 1000)}
    for layer in network.layers:
        number = next(numbers)
        state[f"features.{number}.weight"] = network.get_buffer(f"{layer}_weight")
        state[f"features.{number}.bias"] = network.get_buffer(f"{layer}_bias")
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@dataclass
class Server:
    """What it serves, how it behaves, and what it was asked."""

    content: bytes
    knows_range: bool = True
    says_length: bool = True
    breaks_after: int | None = None
    status: int = 200
    goes_on: threading.Event | None = None  # half is sent; the rest when it is set
    ranges: list[str | None] = field(default_factory=list)
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    server: HttpServer

    def do_GET(self) -> None:
        state = self.server.state
        asked = self.headers.get("Range")
        state.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and state.knows_range else 0
        if state.status != 200:
            self.send_error(state.status)
            return
        if start >= len(state.content):
            self.send_error(416)
            return
        body = state.content[start:]
        self.send_response(206 if start else 200)
        if state.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if state.goes_on is not None:
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.wfile.flush()
            state.goes_on.wait(60)
            body = body[half:]
        self.wfile.write(body if state.breaks_after is None else body[: state.breaks_after])

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class HttpServer(ThreadingHTTPServer):
    state: Server


@pytest.fixture
def server() -> Iterator[Server]:
    http = HttpServer(("127.0.0.1", 0), Handler)
    http.state = Server(published_file())
    http.state.address = f"http://127.0.0.1:{http.server_address[1]}/vgg19-x.pth"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield http.state
    http.shutdown()
    thread.join()
    http.server_close()


def published(server: Server, digits: str = "") -> fetch.Published:
    digits = digits or hashlib.sha256(server.content).hexdigest()[:8]
    return replace(fetch.PUBLISHED["vgg19"], address=server.address, digits=digits)


def part(data_dir: Path) -> Path:
    return data_dir / "weights" / "vgg19.pth.part"


def assert_stored(server: Server, passport: store.Passport, data_dir: Path) -> None:
    assert passport.source_sha256 == hashlib.sha256(server.content).hexdigest()
    network = store.load_stored("vgg19")
    assert network.sha256 == passport.source_sha256 and network.layout.name == "torchvision"
    assert torch.equal(network.get_buffer("relu5_4_weight"), random_network(width=4).get_buffer("relu5_4_weight"))
    assert (data_dir / "weights" / "vgg19.safetensors").stat().st_size < len(server.content) - 700_000
    assert not part(data_dir).exists()


def test_whole_download_is_slimmed_stored_and_reported(server: Server, data_dir: Path) -> None:
    seen: list[tuple[int, int]] = []
    passport = fetch.fetch(published(server), lambda done, total: seen.append((done, total)))
    assert_stored(server, passport, data_dir)
    assert seen[0] == (0, len(server.content)) and seen[-1] == (len(server.content), len(server.content))
    assert seen == sorted(seen) and server.ranges == [None]


def test_a_broken_download_goes_on_where_it_stopped(server: Server, data_dir: Path) -> None:
    server.breaks_after = 300_000
    with pytest.raises(PainterlyError) as caught:
        fetch.fetch(published(server))
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING and "goes on where it stopped" in caught.value.advice
    have = part(data_dir).stat().st_size
    assert 0 < have <= 300_000 and not store.is_stored("vgg19")
    server.breaks_after = None
    seen: list[tuple[int, int]] = []
    passport = fetch.fetch(published(server), lambda done, total: seen.append((done, total)))
    assert server.ranges == [None, f"bytes={have}-"]
    assert seen[0] == (have, len(server.content))
    assert_stored(server, passport, data_dir)


def test_a_server_without_range_starts_over(server: Server, data_dir: Path) -> None:
    server.knows_range = False
    part(data_dir).parent.mkdir(parents=True)
    part(data_dir).write_bytes(b"left over")
    assert_stored(server, fetch.fetch(published(server)), data_dir)


def test_a_server_without_length(server: Server, data_dir: Path) -> None:
    server.says_length = False
    assert_stored(server, fetch.fetch(published(server)), data_dir)


def test_a_part_that_is_already_whole_needs_nothing_more(server: Server, data_dir: Path) -> None:
    part(data_dir).parent.mkdir(parents=True)
    part(data_dir).write_bytes(server.content)
    assert_stored(server, fetch.fetch(published(server)), data_dir)


def test_a_wrong_digest_is_refused_and_deleted(server: Server, data_dir: Path) -> None:
    with pytest.raises(PainterlyError) as caught:
        fetch.fetch(published(server, "00000000"))
    assert caught.value.code is ErrorCode.WEIGHTS_CORRUPT
    assert "painterly weights fetch vgg19" in caught.value.advice
    assert not part(data_dir).exists() and not store.is_stored("vgg19")


def test_a_wrong_beginning_is_noticed_after_a_resume(server: Server, data_dir: Path) -> None:
    part(data_dir).parent.mkdir(parents=True)
    part(data_dir).write_bytes(b"x" * 1000)
    with pytest.raises(PainterlyError) as caught:
        fetch.fetch(published(server))
    assert caught.value.code is ErrorCode.WEIGHTS_CORRUPT and not part(data_dir).exists()
    assert_stored(server, fetch.fetch(published(server)), data_dir)


def test_a_right_digest_over_what_is_no_state_dict(server: Server, data_dir: Path) -> None:
    server.content = b"not a network" * 100
    with pytest.raises(PainterlyError) as caught:
        fetch.fetch(published(server))
    assert caught.value.code is ErrorCode.WEIGHTS_CORRUPT and not part(data_dir).exists()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusing_server_is_said(server: Server, status: int) -> None:
    server.status = status
    with pytest.raises(PainterlyError) as caught:
        fetch.fetch(published(server))
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING


def test_no_server_at_all(server: Server) -> None:
    closed = replace(published(server), address="http://127.0.0.1:9/none.pth")
    with pytest.raises(PainterlyError) as caught:
        fetch.fetch(closed)
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING and "Check the network" in caught.value.advice


def test_a_full_disk_keeps_the_part_and_says_where(
    server: Server, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch, "_copy", full)
    with pytest.raises(PainterlyError) as caught:
        fetch.fetch(published(server))
    assert "No space left" in caught.value.sentence and str(data_dir) in caught.value.sentence
    assert "PAINTERLY_DATA_DIR" in caught.value.advice


def test_a_disk_that_is_full_once_all_has_come_keeps_it_and_says_where(server: Server, data_dir: Path) -> None:
    part(data_dir).parent.mkdir(parents=True)
    part(data_dir).write_bytes(server.content)
    with no_room(), caught(ErrorCode.WEIGHTS_MISSING) as refused:
        fetch.fetch(published(server))
    assert "could not be written" in refused.value.sentence and "File too large" in refused.value.sentence
    kept = sorted(file.name for file in part(data_dir).parent.iterdir())
    assert kept == ["vgg19.pth.lock", "vgg19.pth.part"]
    assert_stored(server, fetch.fetch(published(server)), data_dir)


def test_a_second_download_of_one_network_is_refused_and_the_first_unharmed(server: Server, data_dir: Path) -> None:
    server.goes_on = threading.Event()
    begun = threading.Event()
    made: list[store.Passport] = []
    first = threading.Thread(
        target=lambda: made.append(fetch.fetch(published(server), lambda done, _total: done and begun.set()))
    )
    first.start()
    try:
        assert begun.wait(60)
        with pytest.raises(PainterlyError) as caught:
            fetch.fetch(published(server))
    finally:
        server.goes_on.set()
        first.join()
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING
    assert caught.value.sentence == "The network vgg19 is being downloaded already."
    assert server.ranges == [None], "the second one asked nothing"
    assert_stored(server, made[0], data_dir)
    assert_stored(server, fetch.fetch(published(server)), data_dir)


def test_published_addresses_carry_their_digits() -> None:
    for name, one in fetch.PUBLISHED.items():
        assert one.address.endswith(f"/{name}-{one.digits}.pth") and len(one.digits) == 8
