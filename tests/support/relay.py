"""Somebody in the middle: passes TCP connections on, listens, and changes what is said."""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Passes one TCP connection on to ``port`` and keeps a copy of what is said.

    Attributes:
        of_client: what the client has said, as it said it.
        tampers: whose words are changed from now on, by one bit in whatever comes: "client", "engine" or nobody's.
    """

    def __init__(self, port: int, overheard: bytearray) -> None:
        self.of_client = bytearray()
        self.tampers = ""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._target = port
        self._overheard = overheard
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Relay:
        self._start(self._accept)
        return self

    def _start(self, work: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        near, _ = self._server.accept()
        self._sockets = [near]
        far = socket.create_connection(("127.0.0.1", self._target))
        self._sockets.append(far)
        self._start(self._pump, near, far)
        self._start(self._pump, far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        who = "client" if source is self._sockets[0] else "engine"
        with contextlib.suppress(OSError):  # either side may hang up first
            while data := source.recv(65536):
                self._overheard += data
                self.of_client += data if who == "client" else b""
                sink.sendall(data[:-1] + bytes([data[-1] ^ 1]) if who == self.tampers else data)
            sink.shutdown(socket.SHUT_WR)

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(60)
        for end in (*self._sockets, self._server):
            end.close()
