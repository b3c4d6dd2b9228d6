"""Ports for servers that are started later."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free TCP port, which is nobody else's meanwhile: a server that is told its number can listen there.

    A socket is bound to it that does not listen. The kernel then picks it for nobody who asks for any port, as a
    program beside the tests may at any moment, and lets those bind it who, as libzmq, set SO_REUSEADDR. Only Linux
    does; elsewhere the port is free now, and most likely still is in a moment.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("", 0))
        port: int = held.getsockname()[1]
        if not sys.platform.startswith("linux"):
            held.close()
        yield port
