"""ZeroMQ's transport by hand, as one who breaks off in the middle or tells it wrongly: ZMTP 3.1 (RFC 37), a DEALER."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

MORE, LONG, COMMAND = 1, 2, 4
GREETING_BYTES = 64
READY = b"\5READY\x0bSocket-Type\0\0\0\6DEALER"


def greeting(mechanism: str) -> bytes:
    """``NULL`` where there are no keys, else ``CURVE``."""
    signature = b"\xff\0\0\0\0\0\0\0\1\x7f"
    return signature + b"\3\1" + mechanism.encode("ascii").ljust(20, b"\0") + bytes(32)


def frame(body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BQ", flags | LONG, len(body)) + body


def message(frames: Sequence[bytes]) -> bytes:
    """The frames of one message, as they travel."""
    return b"".join(frame(each, MORE) for each in frames[:-1]) + frame(frames[-1])


def shake_hands(line: socket.socket) -> None:
    """Without keys. libzmq must have said its own greeting before it listens to what follows ours."""
    line.sendall(greeting("NULL"))
    heard = b""
    while len(heard) < GREETING_BYTES and (more := line.recv(GREETING_BYTES - len(heard))):
        heard += more
    line.sendall(frame(READY, COMMAND))
