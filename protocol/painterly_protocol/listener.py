"""The engine's end of the line: a ROUTER bound where only this user can reach it, and its runtime file.

``ipc://`` in the owner-only runtime folder, or loopback TCP with CURVE and a ZAP gate where there is no ipc (Windows)
or the folder's path is too long for a socket. There is no way to open an unauthenticated TCP socket here.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import zmq
from zmq.utils.monitor import recv_monitor_message

from painterly_protocol import keys, paths, runtime, wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import PROTOCOL_VERSION, EngineMessage
from painterly_protocol.runtime import RuntimeInfo

MAX_FRAME_BYTES = 2**31  # a painting of 178 megapixels in float
WAITING_MESSAGES = 16  # per client, before its sender is made to wait: pictures are large
HEARTBEAT_MS = 5_000
HEARTBEAT_LOST_MS = 30_000
_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107


class Transport(str, Enum):
    IPC = "ipc"
    TCP = "tcp"


def choose_transport(folder: Path) -> Transport:
    """``ipc`` where the platform has it and a socket in ``folder`` has a path that is short enough."""
    too_long = len(os.fsencode(folder / _socket_name("engine"))) > _SOCKET_PATH_BYTES
    return Transport.TCP if sys.platform == "win32" or too_long else Transport.IPC


def bind_privately(
    socket: zmq.Socket[bytes], folder: Path, name: str, transport: Transport, server: keys.KeyPair
) -> str:
    """Bind ``socket`` in ``folder`` or to a free loopback port guarded by ``server``; returns the runtime endpoint."""
    if transport is Transport.IPC:
        file = _socket_name(name)
        socket.bind(f"{runtime.IPC}{folder / file}")
        return f"{runtime.IPC}{file}"
    keys.guard_server(socket, server)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    return f"tcp://127.0.0.1:{port}"


def _socket_name(name: str) -> str:
    return f"{name}-{secrets.token_hex(4)}.sock"


class Listener:
    """Receives and sends frames of clients; each is known by the identity its connection was given.

    Raises:
        PainterlyError: UNSAFE_FOLDER when ``folder`` cannot be made owner-only.
    """

    def __init__(self, folder: Path, engine_version: str, transport: Transport | None = None) -> None:
        self.folder = paths.make_private(folder)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.gate = keys.Gate(self.context)
        server, client = keys.KeyPair.new(), keys.KeyPair.new()
        self.gate.admit(client.public)
        self.socket = self._router()
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            endpoint = bind_privately(self.socket, folder, "engine", transport or choose_transport(folder), server)
        except zmq.ZMQError as error:
            self.context.destroy(linger=0)
            raise PainterlyError(
                ErrorCode.UNSAFE_FOLDER,
                f"The engine cannot open its socket in {folder}: {error.strerror}.",
                "Make room or correct its permissions, or name another folder in PAINTERLY_RUNTIME_DIR.",
            ) from error
        guarded = not endpoint.startswith(runtime.IPC)
        self.info = RuntimeInfo(
            endpoint=endpoint,
            pid=os.getpid(),
            protocol_version=PROTOCOL_VERSION,
            engine_version=engine_version,
            server_key=server.public if guarded else "",
            client_public_key=client.public if guarded else "",
            client_secret_key=client.secret if guarded else "",
        )

    def _router(self) -> zmq.Socket[bytes]:
        socket = self.context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.router_mandatory = True
        socket.maxmsgsize = MAX_FRAME_BYTES
        socket.rcvhwm = WAITING_MESSAGES
        socket.heartbeat_ivl = HEARTBEAT_MS
        socket.heartbeat_timeout = HEARTBEAT_LOST_MS
        return socket

    def publish(self) -> None:
        runtime.publish(self.folder, self.info)

    def withdraw(self) -> None:
        runtime.withdraw(self.folder, self.info)

    def register(self, poller: zmq.Poller) -> None:
        for socket in (self.socket, self.monitor, self.gate.socket):
            poller.register(socket, zmq.POLLIN)

    def answer_gate(self) -> None:
        """Let waiting connections in or not; call it at each turn of the loop."""
        while self.gate.socket.poll(0):
            self.gate.answer()

    def disconnections(self) -> int:
        """How many connections have ended since the last call. Which ones, only sending to them tells."""
        count = 0
        while self.monitor.poll(0):
            recv_monitor_message(self.monitor)
            count += 1
        return count

    def receive(self) -> Iterator[tuple[bytes, list[wire.Buffer]]]:
        """What has arrived, undecoded: (identity, frames)."""
        while self.socket.poll(0):
            identity, *frames = self.socket.recv_multipart(copy=False)
            yield identity.bytes, [frame.buffer for frame in frames]

    def send(self, identity: bytes, message: EngineMessage) -> bool:
        """False when that client is gone, or has not read for so long that it might as well be."""
        try:
            self.socket.send_multipart([identity, *wire.encode(message)], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return False
            raise
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Unbind; messages already sent get ``linger_ms`` to leave."""
        if self.context.closed:
            return
        self.socket.disable_monitor()
        self.context.destroy(linger=linger_ms)
        file = self.info.socket_file(self.folder)
        if file is not None:
            file.unlink(missing_ok=True)
