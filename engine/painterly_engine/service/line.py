"""The private line between server and worker: one DEALER at each end, authenticated like the engine's front door.

Where the line is and its keys reach the worker on its standard input, never in its arguments or environment.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import zmq

from painterly_protocol import keys, runtime, wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Listener, Transport, bind_privately, choose_transport
from painterly_protocol.messages import Message


@dataclass(frozen=True)
class LineAddress:
    """One line of JSON on the worker's standard input."""

    address: str
    server_public_key: str
    public_key: str
    secret_key: str = field(repr=False)

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode("utf-8") + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> LineAddress:
        return cls(**json.loads(line))


class Line:
    """Either end."""

    def __init__(self, socket: zmq.Socket[bytes], socket_file: Path | None = None) -> None:
        self.socket = socket
        self._socket_file = socket_file

    def send(self, message: Message) -> None:
        """Raises PainterlyError WORKER_DIED when there is nobody at the other end."""
        self.send_frames(wire.encode(message))

    def send_frames(self, frames: Sequence[wire.Buffer]) -> None:
        """As ``send``, for a message that is frames already."""
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
        except zmq.Again as error:
            raise PainterlyError(ErrorCode.WORKER_DIED, "The engine's worker cannot be reached.") from error

    def receive(self, timeout_ms: int = 0) -> Message | None:
        """The next message, if there is one in time; its pictures are not verified.

        Raises:
            PainterlyError: as ``wire.peek``.
        """
        received = self.receive_frames(timeout_ms)
        return None if received is None else received[0]

    def receive_frames(self, timeout_ms: int = 0) -> tuple[Message, list[wire.Buffer]] | None:
        """As ``receive``, with the frames that the message was read from."""
        if not self.socket.poll(timeout_ms):
            return None
        frames: list[wire.Buffer] = [frame.buffer for frame in self.socket.recv_multipart(copy=False)]
        return wire.peek(frames), frames

    def close(self) -> None:
        self.socket.close(linger=0)
        if self._socket_file is not None:
            runtime.remove_socket(self._socket_file)


class PolledLine:
    """The server's end of a new line, whose arrivals wake the server's loop; ``address`` is for the other end."""

    def __init__(self, listener: Listener, poller: zmq.Poller) -> None:
        folder = listener.folder
        self._listener, self._poller = listener, poller
        self.line, self.address = open_line(listener.context, listener.gate, folder, choose_transport(folder))
        poller.register(self.line.socket, zmq.POLLIN)

    def close(self) -> None:
        self._poller.unregister(self.line.socket)
        self.line.close()
        self._listener.gate.dismiss(self.address.public_key)


def open_line(
    context: zmq.Context[zmq.Socket[bytes]], gate: keys.Gate, folder: Path, transport: Transport
) -> tuple[Line, LineAddress]:
    """The server's end, bound, and what the worker needs to find it. Its key is admitted by ``gate``.

    Raises:
        PainterlyError: WORKER_DIED when the operating system gives no socket, or none in ``folder``.
    """
    server, worker = keys.KeyPair.new(), keys.KeyPair.new()
    try:
        socket = context.socket(zmq.DEALER)
        try:
            endpoint = bind_privately(socket, folder, "worker", transport, server)
        except zmq.ZMQError:
            socket.close(linger=0)
            raise
    except zmq.ZMQError as error:
        reason = zmq.strerror(error.errno or 0)
        raise PainterlyError(
            ErrorCode.WORKER_DIED, f"The engine's worker could not be started: {reason}.", "Restart the engine."
        ) from error
    gate.admit(worker.public)
    info = runtime.RuntimeInfo(endpoint, 0, 0, "")
    return Line(socket, info.socket_file(folder)), LineAddress(
        info.address(folder), server.public, worker.public, worker.secret
    )


def join_line(context: zmq.Context[zmq.Socket[bytes]], address: LineAddress) -> Line:
    """The worker's end."""
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    if not address.address.startswith(runtime.IPC):
        keys.guard_client(socket, address.server_public_key, keys.KeyPair(address.public_key, address.secret_key))
    socket.connect(address.address)
    return Line(socket)
