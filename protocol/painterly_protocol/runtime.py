"""The runtime file: how clients find the running engine, and the key that lets them in.

It lies in the owner-only runtime folder, is itself owner-only, and is replaced atomically, so a reader sees either a
whole file or none. The pid in it is for people and logs: a client in a sandbox with its own process ids could not judge
by it, so whether an engine lives is decided by connecting to it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from painterly_protocol import paths, remote
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import PROTOCOL_VERSION
from painterly_protocol.private_file import read_private, write_private
from painterly_protocol.wire import version_mismatch

RUNTIME_FILE = "engine.json"
MAX_BYTES = 64 * 1024
IPC = "ipc://"


@dataclass(frozen=True)
class RuntimeInfo:
    """What an engine publishes.

    Attributes:
        endpoint: ``tcp://127.0.0.1:PORT``, or ``ipc://NAME`` with NAME relative to the runtime folder, so that it holds
            where the folder is seen under another path (chroot, container).
        server_key: the engine's CURVE public key; "" for ipc, as the client's keys are.
    """

    endpoint: str
    pid: int
    protocol_version: int
    engine_version: str
    server_key: str = ""
    client_public_key: str = ""
    client_secret_key: str = field(default="", repr=False)

    def address(self, folder: Path) -> str:
        """What to connect to, for one who found the runtime file in ``folder``."""
        file = self.socket_file(folder)
        return self.endpoint if file is None else f"{IPC}{file}"

    def socket_file(self, folder: Path) -> Path | None:
        """The ipc socket in ``folder``; None for TCP. libzmq does not remove it."""
        if not self.endpoint.startswith(IPC):
            return None
        return folder / Path(self.endpoint[len(IPC) :]).name


def publish(folder: Path, info: RuntimeInfo) -> None:
    """Write the runtime file of ``folder``, which must be private, in one step.

    Raises:
        PainterlyError: UNSAFE_FOLDER when the folder is not private or cannot be written.
    """
    paths.check_private(folder)
    try:
        write_private(folder / RUNTIME_FILE, json.dumps(asdict(info)))
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNSAFE_FOLDER,
            f"The engine cannot write its runtime file into {folder}: {error.strerror}.",
            "Make room or correct its permissions, or name another folder in PAINTERLY_RUNTIME_DIR.",
        ) from error


def find(folder: Path) -> RuntimeInfo:
    """The engine that clients who look into ``folder`` shall talk to: the one a ticket there leads to, or its own.

    Raises:
        PainterlyError: as ``read`` and ``remote.read_ticket``.
    """
    ticket = remote.in_use(folder)
    if ticket is None:
        return read(folder)
    paths.check_private(folder)
    keys = (ticket.server_key, ticket.client_public_key, ticket.client_secret_key)
    return RuntimeInfo(ticket.endpoint, 0, PROTOCOL_VERSION, "", *keys)


def read(folder: Path) -> RuntimeInfo:
    """The engine published in ``folder``; whether it still lives, only a handshake tells.

    Raises:
        PainterlyError: ENGINE_ABSENT when none is published or the file is damaged, UNSAFE_FOLDER when others could
            have written it, VERSION_MISMATCH when the file is another protocol's and does not tell where its engine is.
    """
    try:
        paths.check_private(folder)
        text = read_private(folder / RUNTIME_FILE, MAX_BYTES)
    except FileNotFoundError as error:
        raise engine_absent() from error
    except OSError as error:
        raise engine_absent(f"The engine's runtime file in {folder} cannot be read: {error.strerror}.") from error
    return _parse(text)


def withdraw(folder: Path, info: RuntimeInfo) -> None:
    """Remove the runtime file if it is the one that holds ``info``; a successor's is left alone."""
    try:
        if read(folder) == info:
            (folder / RUNTIME_FILE).unlink()
    except (PainterlyError, OSError):
        # Gone, replaced or unreadable: in each case it is not ours to remove.
        return


def remove_socket(file: Path) -> None:
    """Raises nothing: one that stays, on a disk that has become read-only, harms nobody, and is swept at a start."""
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)


def engine_absent(sentence: str = "The engine is not running.") -> PainterlyError:
    return PainterlyError(ErrorCode.ENGINE_ABSENT, sentence, "Start it with “painterly serve”.")


def _parse(text: bytes) -> RuntimeInfo:
    damaged = engine_absent("The engine's runtime file is damaged.")
    if len(text) > MAX_BYTES:
        raise damaged
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged from error
    if not isinstance(values, dict):
        raise damaged
    expected = {item.name: int if item.name in ("pid", "protocol_version") else str for item in fields(RuntimeInfo)}
    if values.keys() != expected.keys() or any(type(values[name]) is not kind for name, kind in expected.items()):
        version = values.get("protocol_version")
        if type(version) is int and version != PROTOCOL_VERSION:
            return _of_another_version(version, {name: values.get(name) for name in expected}, expected)
        raise damaged
    return RuntimeInfo(**values)


def _of_another_version(version: int, values: Mapping[str, object], expected: Mapping[str, type]) -> RuntimeInfo:
    """Where to meet an engine whose file has other fields than ours: whether it lives at all decides what to do.

    Raises:
        PainterlyError: VERSION_MISMATCH when its file does not tell.
    """
    known: dict[str, Any] = {name: value for name, value in values.items() if type(value) is expected[name]}
    keys = {"server_key", "client_public_key", "client_secret_key"}
    needed = {"endpoint", "pid"} | (set() if str(known.get("endpoint", "")).startswith(IPC) else keys)
    if not needed <= known.keys():
        raise version_mismatch(engine=version, client=PROTOCOL_VERSION)
    return RuntimeInfo(**{"engine_version": "", **known})
