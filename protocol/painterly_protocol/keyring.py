"""The keys of an engine that listens beyond this machine: its own, and who may come in.

They lie in ``paths.keys_dir()``, owner-only: ``engine.json`` holds the engine's pair, ``clients/NAME.json`` the public
key of each client. A client's secret is written once, into the ticket that is carried to its machine, and kept nowhere
here.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from painterly_protocol import paths
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.key_text import is_key
from painterly_protocol.keys import KeyPair
from painterly_protocol.private_file import read_private, write_private
from painterly_protocol.remote import Ticket

OWN_FILE = "engine.json"
CLIENTS = "clients"
OWN_NAMES, CLIENT_NAMES = {"public", "secret"}, {"public", "added"}
MAX_BYTES = 4096
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True)
class Known:
    """A client that may come in; ``added`` is a date, ISO 8601."""

    name: str
    public: str
    added: str


class Keyring:
    """The keys in ``folder`` (default: this user's), which is made when the first key is.

    Every method may raise PainterlyError UNSAFE_FOLDER: the folder or a file in it is open to others or cannot be used.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or paths.keys_dir()
        self._known: Mapping[str, str] = {}

    def own(self) -> KeyPair:
        """The engine's pair, made at the first call and the same ever after: clients know the engine by it."""
        file = self.folder / OWN_FILE
        if not file.exists():
            pair = KeyPair.new()
            _write(file, {"public": pair.public, "secret": pair.secret})
        values = _read(file, OWN_NAMES)
        return KeyPair(values["public"], values["secret"])

    def add(self, name: str, engine: str) -> Ticket:
        """Make a key for a new client; the ticket is the only copy of its secret.

        Args:
            name: letters, digits, ``.``, ``_`` and ``-``.
            engine: HOST:PORT under which the client reaches this engine.

        Raises:
            PainterlyError: BAD_REQUEST for a name that is taken or cannot be used, or an address that is none.
        """
        if not _NAME.fullmatch(name):
            raise _bad(f"{name!r} cannot be a key's name.", "Use up to 40 letters, digits, dots and dashes.")
        file = self._file(name)
        if file.exists():
            raise _bad(
                f"There is a key named {name} already.", f"Choose another name, or “painterly keys remove {name}”."
            )
        pair, own = KeyPair.new(), self.own()
        ticket = Ticket.to(engine, name=name, server_key=own.public, client=pair)
        _write(file, {"public": pair.public, "added": datetime.now(timezone.utc).date().isoformat()})
        return ticket

    def remove(self, name: str) -> None:
        """Nobody with this key comes in again; a running engine notices at once.

        Raises:
            PainterlyError: BAD_REQUEST when there is no such key.
        """
        if not _NAME.fullmatch(name) or not self._file(name).exists():
            raise _bad(f"There is no key named {name}.", "“painterly keys list” shows those there are.")
        self._file(name).unlink()

    def clients(self) -> list[Known]:
        """Everybody who may come in, by name."""
        files = sorted((self.folder / CLIENTS).glob("*.json"))
        found = [(file.stem, _read(file, CLIENT_NAMES)) for file in files]
        return [Known(name, values["public"], values["added"]) for name, values in found]

    def names(self) -> Mapping[str, str]:
        """Public key → name; a key whose file cannot be trusted opens nothing. Raises nothing.

        In a process that can open no more files, as under a flood of connections, those of the last time: guests who
        are in need not go.
        """
        try:
            self._known = dict(self._each_known())
        except OSError as error:
            if error.errno not in _NO_MORE_FILES:
                self._known = {}
        return self._known

    def _each_known(self) -> Iterator[tuple[str, str]]:
        # Not by glob, which in some versions of Python takes a folder that it cannot open for an empty one.
        for file in (self.folder / CLIENTS).iterdir():
            try:
                if file.suffix == ".json":
                    yield _read(file, CLIENT_NAMES)["public"], file.stem
            except PainterlyError as error:
                if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_MORE_FILES:
                    raise error.__cause__ from None

    def _file(self, name: str) -> Path:
        return self.folder / CLIENTS / f"{name}.json"


def _write(file: Path, values: Mapping[str, str]) -> None:
    paths.make_private(file.parent)
    try:
        write_private(file, json.dumps(values))
    except OSError as error:
        raise _unusable(file, str(error.strerror)) from error


def _read(file: Path, names: set[str]) -> dict[str, str]:
    """The values in ``file``, which has exactly these names, all text and the keys among them keys."""
    try:
        values = json.loads(read_private(file, MAX_BYTES))
    except OSError as error:
        raise _unusable(file, str(error.strerror)) from error
    except (ValueError, RecursionError) as error:
        raise _unusable(file, "damaged") from error
    if not isinstance(values, dict) or values.keys() != names or not all(type(v) is str for v in values.values()):
        raise _unusable(file, "damaged")
    if not all(is_key(values[name]) for name in names & OWN_NAMES):
        raise _unusable(file, "damaged")
    return values


def _unusable(file: Path, reason: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNSAFE_FOLDER,
        f"The key file {file} cannot be used ({reason}).",
        "Remove it and make a new key with “painterly keys add”, or name another folder in PAINTERLY_KEYS_DIR.",
    )


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
