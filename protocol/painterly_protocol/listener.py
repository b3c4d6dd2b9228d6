"""The engine's end of the line: a ROUTER bound where only this user can reach it, and its runtime file.

``ipc://`` in the owner-only runtime folder, or loopback TCP with CURVE and a ZAP gate where there is no ipc (Windows)
or the folder's path is too long for a socket; where it is asked for also an address that other machines reach, with
CURVE and a gate that knows the keyring. There is no way to open an unauthenticated TCP socket here.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import zmq
from zmq.utils.monitor import recv_monitor_message

from painterly_protocol import keys, paths, remote, runtime, wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.keyring import Keyring
from painterly_protocol.messages import PROTOCOL_VERSION, EngineMessage
from painterly_protocol.runtime import RuntimeInfo

# Per client, before its sender is made to wait. More than any of ours ever has on its way: a client that is killed
# while it is made to wait ends libzmq 4.3.5, and us, if a heartbeat came last ("Assertion failed: !_io_error").
WAITING_MESSAGES = 512
HEARTBEAT_MS = 5_000
LEASE_S = 60.0
# What a stranger sends before a key is asked for is kept until then: libzmq bounds it like any frame, and by time.
HANDSHAKE_MS = 5_000
MOST_AT_ONCE = 64  # messages of clients between two looks at the worker
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


@dataclass(frozen=True)
class Peer:
    """A client's connection, and whose key opened it: "" for this user's own programs on this machine.

    ``key`` is that key's public half: a name may have had others before, and get another one.
    """

    connection: bytes
    name: str = ""
    key: str = ""


@dataclass(frozen=True)
class Door:
    """An address that other machines reach, for the holders of the keyring's keys."""

    address: str  # HOST:PORT; HOST may be ``*``
    keyring: Keyring


class Listener:
    """Receives and sends frames of clients.

    Args:
        lease_s: heartbeats come every few seconds; a client (or its machine, or the way to it) that gives none for so
            long counts as gone.
        door: listens there as well.

    Raises:
        PainterlyError: UNSAFE_FOLDER when ``folder`` cannot be made owner-only or used, BAD_REQUEST for a door that
            cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        engine_version: str,
        transport: Transport | None = None,
        *,
        lease_s: float = LEASE_S,
        door: Door | None = None,
    ) -> None:
        self.folder = paths.make_private(folder)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._door = door
        self.gate = keys.Gate(self.context, door.keyring.names if door else keys.nobody)
        server, client = keys.KeyPair.new(), keys.KeyPair.new()
        self.gate.admit(client.public)
        self.socket = self._router(round(lease_s * 1000))
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            endpoint = bind_privately(self.socket, folder, "engine", transport or choose_transport(folder), server)
            self._open_door()
        except zmq.ZMQError as error:
            self.context.destroy(linger=0)
            raise PainterlyError(
                ErrorCode.UNSAFE_FOLDER,
                f"The engine cannot open its socket in {folder}: {error.strerror}.",
                "Make room or correct its permissions, or name another folder in PAINTERLY_RUNTIME_DIR.",
            ) from error
        except BaseException:
            self.context.destroy(linger=0)
            raise
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

    def _router(self, lease_ms: int) -> zmq.Socket[bytes]:
        socket = self.context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.router_mandatory = True
        socket.maxmsgsize = wire.MAX_FRAME_BYTES
        socket.handshake_ivl = HANDSHAKE_MS
        socket.rcvhwm = WAITING_MESSAGES
        socket.heartbeat_ivl = min(HEARTBEAT_MS, max(1, lease_ms // 3))
        socket.heartbeat_timeout = lease_ms
        return socket

    def _open_door(self) -> None:
        """On the same socket: libzmq keeps the mechanism and keys that were set when each address was bound."""
        if self._door is None:
            return
        address = remote.check_address(self._door.address.replace("*", "0.0.0.0", 1))
        if not self._door.keyring.clients():
            raise PainterlyError(
                ErrorCode.NOT_ADMITTED,
                "Nobody could connect from elsewhere: there are no keys.",
                "Make one with “painterly keys add NAME --engine HOST:PORT” first.",
            )
        keys.guard_server(self.socket, self._door.keyring.own())
        self.socket.ipv6 = "[" in address
        try:
            self.socket.bind(f"tcp://{address}")
        except zmq.ZMQError as error:
            raise PainterlyError(
                ErrorCode.BAD_REQUEST,
                f"The engine cannot listen at {address}: {error.strerror}.",
                "Give --listen an address of this machine and a free port.",
            ) from error

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

    def receive(self) -> Iterator[tuple[Peer, list[wire.Buffer]]]:
        """What has arrived, undecoded: (who, frames); ``MOST_AT_ONCE`` at most, so that a flood drowns nobody else."""
        for _ in range(MOST_AT_ONCE):
            if not self.socket.poll(0):
                return
            identity, *frames = self.socket.recv_multipart(copy=False)
            user = str(frames[0].get("User-Id")) if frames and _has_user(frames[0]) else ""
            name, _, key = user.partition(" ")
            yield Peer(identity.bytes, name, key), [frame.buffer for frame in frames]

    def still_knows(self, peer: Peer) -> bool:
        """False for who came in with a key that has been removed since."""
        return not peer.name or (self._door is not None and self._door.keyring.names().get(peer.key) == peer.name)

    def send(self, peer: Peer, message: EngineMessage) -> bool:
        """False when that client is gone, or has not read for so long that it might as well be."""
        return self.forward(peer, wire.encode(message))

    def forward(self, peer: Peer, frames: Sequence[wire.Buffer]) -> bool:
        """As ``send``, for a message that is frames already."""
        try:
            self.socket.send_multipart([peer.connection, *frames], zmq.NOBLOCK, copy=False)
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
            runtime.remove_socket(file)


def _has_user(frame: zmq.Frame) -> bool:
    """libzmq knows no user id of connections without a gate (ipc)."""
    try:
        return bool(frame.get("User-Id"))
    except zmq.ZMQError:
        return False
