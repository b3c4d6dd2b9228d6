"""CURVE keys for TCP, and the ZAP handler that admits only known client keys: the one of this engine's start, published
in the runtime file, and those of the keyring where the engine listens beyond this machine.

CURVE alone admits anybody who knows the server's public key; the ZAP handler is what makes the client's key count.
``ipc://`` needs none of this: its socket lies in a folder that only its owner may enter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def nobody() -> Mapping[str, str]:
    return {}


class Gate:
    """Answers libzmq's question "may this peer in?" for every CURVE socket of ``context`` (RFC 27).

    Must exist before such a socket is bound; ``answer`` must be called whenever ``socket`` is readable. What a peer
    sends carries the name it was let in under, a space and its public key; "" for keys that were ``admit``-ted.

    Args:
        guests: public key → name of whoever else may come in, asked anew each time.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], guests: Callable[[], Mapping[str, str]] = nobody
    ) -> None:
        self._admitted: set[str] = set()
        self._guests = guests
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ZAP_ENDPOINT)

    def admit(self, public_key: str) -> None:
        self._admitted.add(public_key)

    def dismiss(self, public_key: str) -> None:
        self._admitted.discard(public_key)

    def answer(self) -> None:
        version, request_id, _domain, _address, _identity, mechanism, *credentials = self.socket.recv_multipart()
        user = self._user(credentials[0]) if mechanism == b"CURVE" and credentials else None
        code, text = (b"400", b"unknown key") if user is None else (b"200", b"OK")
        self.socket.send_multipart([version, request_id, code, text, (user or "").encode("utf-8"), b""])

    def _user(self, credential: bytes) -> str | None:
        public = z85.encode(credential).decode("ascii")
        if public in self._admitted:
            return ""
        name = self._guests().get(public)
        return None if name is None else f"{name} {public}"

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
