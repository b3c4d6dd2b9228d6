"""For programs whose Python cannot load pyzmq: the engine's own Python talks to the engine, and to them through pipes.

    PROGRAM ──stdin──▶ python -m painterly_protocol.bridge ══ZeroMQ══▶ engine
            ◀─stdout──

On the pipes a message is what it is on the wire, its frames one after the other: how many (4 bytes), how long each is
(8 bytes each), then the frames; numbers little-endian. The bridge's first message is the engine's Welcome, or a
Failure. Only the program that started it can talk to it: no socket is opened for its sake. It ends when its stdin does,
and the engine then drops its jobs.

Imports pyzmq only in the process that is the bridge.
"""

from __future__ import annotations

import argparse
import queue
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, get_args

from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.failures import failure_of
from painterly_protocol.messages import ClientMessage, EngineMessage, Message

if TYPE_CHECKING:
    from painterly_protocol.client import EngineClient

POLL_S = 0.01
CHUNK = 1 << 24  # bytes; what is announced is only kept room for as it comes


def write_message(stream: BinaryIO, message: Message) -> None:
    """Raises OSError where nobody reads any more."""
    frames = [memoryview(frame).cast("B") for frame in wire.encode(message)]
    stream.write(struct.pack(f"<I{len(frames)}Q", len(frames), *(frame.nbytes for frame in frames)))
    for frame in frames:
        stream.write(frame)
    stream.flush()


def read_message(stream: BinaryIO) -> Message | None:
    """The next message; None at the end of the stream.

    Raises:
        PainterlyError: BAD_REQUEST for what is not a message, VERSION_MISMATCH.
    """
    head = stream.read(4)
    if len(head) < 4:
        return None
    (count,) = struct.unpack("<I", head)
    if not 1 <= count <= wire.MAX_FRAMES:
        raise PainterlyError(ErrorCode.BAD_REQUEST, f"A message of {count} frames is none of ours.")
    table = stream.read(8 * count)
    if len(table) < 8 * count:
        return None
    lengths = struct.unpack(f"<{count}Q", table)
    if lengths[0] > wire.MAX_HEADER_BYTES or max(lengths) > wire.MAX_FRAME_BYTES:
        raise PainterlyError(ErrorCode.BAD_REQUEST, f"A frame of {max(lengths)} bytes is too large.")
    frames: list[wire.Buffer] = []
    for length in lengths:
        frames.append(_read(stream, length))
        if len(frames[-1]) < length:
            return None
    return wire.decode(frames)


def _read(stream: BinaryIO, length: int) -> bytearray:
    """So many bytes, fewer where the stream ends before."""
    found = bytearray()
    while len(found) < length and (more := stream.read(min(CHUNK, length - len(found)))):
        found += more
    return found


def serve(stdin: BinaryIO, stdout: BinaryIO, connect: Callable[[], EngineClient]) -> int:
    """Pass messages on until ``stdin`` ends or the engine is gone; the exit status."""
    try:
        with connect() as client:
            write_message(stdout, client.welcome)
            _pass_on(client, _reading(stdin), stdout)
    except PainterlyError as error:
        write_message(stdout, failure_of(error))
        return 1
    return 0


def _pass_on(client: EngineClient, inbox: queue.Queue[ClientMessage | PainterlyError | None], stdout: BinaryIO) -> None:
    while True:
        while not inbox.empty():
            message = inbox.get()
            if message is None:
                return
            if isinstance(message, PainterlyError):
                raise message
            client.send(message)
        for answer in client.events(POLL_S):
            write_message(stdout, answer)


def _reading(stdin: BinaryIO) -> queue.Queue[ClientMessage | PainterlyError | None]:
    """What arrives on ``stdin``, read by a thread: pipes cannot be polled everywhere. None is its end."""
    inbox: queue.Queue[ClientMessage | PainterlyError | None] = queue.Queue()

    def read() -> None:
        try:
            while (message := read_message(stdin)) is not None:
                if isinstance(message, get_args(ClientMessage)):
                    inbox.put(message)
        except PainterlyError as error:
            inbox.put(error)
        inbox.put(None)

    threading.Thread(target=read, name="painterly-bridge", daemon=True).start()
    return inbox


def is_answer(message: Message | None) -> bool:
    """Whether ``message`` is one that an engine says."""
    return isinstance(message, get_args(EngineMessage))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bridge on this process's stdin and stdout."""
    parser = argparse.ArgumentParser(prog="painterly_protocol.bridge", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runtime-dir", type=Path)
    parser.add_argument("--client", default="bridge", help="for the engine's log")
    parser.add_argument("--no-start", action="store_true", help="do not start an engine where none runs")
    parser.add_argument("command", nargs="*", help="what starts the engine")
    arguments = parser.parse_args(argv)

    def connect() -> EngineClient:
        from painterly_protocol.client import connect as connect_to
        from painterly_protocol.launcher import ensure_engine

        if arguments.no_start:
            return connect_to(arguments.runtime_dir, client=arguments.client)
        return ensure_engine(arguments.command, arguments.runtime_dir, client=arguments.client)

    try:
        return serve(sys.stdin.buffer, sys.stdout.buffer, connect)
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
