"""CURVE keys for loopback TCP, and the ZAP handler that admits only the one client key of this engine's start.

CURVE alone admits anybody who knows the server's public key; the ZAP handler is what makes the client's key count.
``ipc://`` needs none of this: its socket lies in a folder that only its owner may enter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import zmq
from zmq.utils import z85

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
ZAP_DOMAIN = b"painterly"


@dataclass(frozen=True)
class KeyPair:
    """Z85 text, 40 characters each."""

    public: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> KeyPair:
        public, secret = zmq.curve_keypair()
        return cls(public.decode("ascii"), secret.decode("ascii"))


class Gate:
    """Answers libzmq's question "may this peer in?" for every CURVE socket of ``context`` (RFC 27).

    Must exist before such a socket is bound; ``answer`` must be called whenever ``socket`` is readable.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._admitted: set[bytes] = set()
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ZAP_ENDPOINT)

    def admit(self, public_key: str) -> None:
        self._admitted.add(z85.decode(public_key))

    def dismiss(self, public_key: str) -> None:
        self._admitted.discard(z85.decode(public_key))

    def answer(self) -> None:
        version, request_id, _domain, _address, _identity, mechanism, *credentials = self.socket.recv_multipart()
        admitted = mechanism == b"CURVE" and credentials[:1] != [] and credentials[0] in self._admitted
        code, text = (b"200", b"OK") if admitted else (b"400", b"unknown key")
        self.socket.send_multipart([version, request_id, code, text, b"", b""])

    def close(self) -> None:
        self.socket.close()


def guard_server(socket: zmq.Socket[bytes], server: KeyPair) -> None:
    """Make ``socket`` a CURVE server whose clients the ``Gate`` judges. Call before ``bind``."""
    socket.setsockopt(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
    socket.curve_server = True
    socket.curve_publickey = server.public.encode("ascii")
    socket.curve_secretkey = server.secret.encode("ascii")


def guard_client(socket: zmq.Socket[bytes], server_public: str, client: KeyPair) -> None:
    """Make ``socket`` a CURVE client that talks to nobody but the holder of the server's secret key."""
    socket.curve_serverkey = server_public.encode("ascii")
    socket.curve_publickey = client.public.encode("ascii")
    socket.curve_secretkey = client.secret.encode("ascii")
