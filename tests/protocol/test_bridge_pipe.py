"""Messages on the bridge's pipes: they come out as they went in, and what is none is refused, whatever it announces."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from painterly_protocol import bridge, wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Cancel, Message
from support import golden
from support.failing import caught


def written(*messages: Message) -> bytes:
    stream = io.BytesIO()
    for message in messages:
        bridge.write_message(stream, message)
    return stream.getvalue()


@pytest.mark.parametrize("chunk", [1, 7, 1 << 24])
def test_every_kind_passes_one_after_the_other(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(bridge, "CHUNK", chunk)
    stream = io.BytesIO(written(*golden.MESSAGES.values()))
    assert [bridge.read_message(stream) for _ in golden.MESSAGES] == list(golden.MESSAGES.values())
    assert bridge.read_message(stream) is None


def test_what_ends_too_soon_is_no_message() -> None:
    whole = written(golden.MESSAGES["submit"])
    assert [bridge.read_message(io.BytesIO(whole[:length])) for length in range(len(whole))] == [None] * len(whole)


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<I", 0),
        struct.pack("<I", wire.MAX_FRAMES + 1),
        struct.pack("<I", 2**32 - 1),
        struct.pack("<IQ", 1, wire.MAX_HEADER_BYTES + 1),
        struct.pack("<IQQ", 2, 10, wire.MAX_FRAME_BYTES + 1),
        struct.pack("<IQQ", 2, 10, 2**64 - 1),
    ],
)
def test_more_than_may_come_is_refused_before_it_comes(head: bytes) -> None:
    with caught(ErrorCode.BAD_REQUEST):
        bridge.read_message(io.BytesIO(head))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_room_is_kept_for_what_is_only_announced() -> None:
    """On a real pipe, whose reader would otherwise ask for all of it at once."""
    header = bytes(wire.encode(Cancel("x"))[0])
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
        sink.write(struct.pack("<IQQ", 2, len(header), wire.MAX_FRAME_BYTES) + header + b"little")
        sink.close()
        before = _address_space_kib()
        assert bridge.read_message(source) is None
    assert _address_space_kib() - before < 512 * 1024


def _address_space_kib() -> int:
    """The most there ever was."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmPeak:"))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_arbitrary_bytes(data: bytes) -> None:
    with contextlib.suppress(PainterlyError):
        bridge.read_message(io.BytesIO(data))


@settings(max_examples=300)
@given(st.sampled_from(sorted(golden.MESSAGES)), st.data())
def test_damaged_messages(kind: str, data: st.DataObject) -> None:
    whole = bytearray(written(golden.MESSAGES[kind]))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, min(len(whole), 100) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PainterlyError):
        bridge.read_message(io.BytesIO(bytes(whole)))
