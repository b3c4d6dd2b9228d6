"""An engine on another machine: the ticket that ``painterly keys add`` writes there, and where it is kept here.

While a ticket lies in the runtime folder (``painterly keys use FILE``), every client on this machine, GIMP's plug-in
included, talks to that engine and starts none of its own.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from painterly_protocol import paths
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.key_text import is_key
from painterly_protocol.private_file import read_private, write_private

if TYPE_CHECKING:
    from painterly_protocol.keys import KeyPair  # needs pyzmq, which GIMP's Python may not have

TICKET_FILE = "remote.json"
MAX_BYTES = 4096
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


@dataclass(frozen=True)
class Ticket:
    """Lets its holder in; ``name`` is what the engine's keeper calls them. Keys are Z85 text."""

    endpoint: str
    name: str
    server_key: str
    client_public_key: str
    client_secret_key: str = field(repr=False)

    @classmethod
    def to(cls, engine: str, *, name: str, server_key: str, client: KeyPair) -> Ticket:
        """A ticket to the engine at HOST:PORT.

        Raises:
            PainterlyError: BAD_REQUEST when ``engine`` is no such address.
        """
        return cls(f"tcp://{check_address(engine)}", name, server_key, client.public, client.secret)


def check_address(address: str) -> str:
    """``address`` if it is HOST:PORT, an IPv6 host in brackets.

    Raises:
        PainterlyError: BAD_REQUEST.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found[2]) < 65536:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST, f"{address!r} is no address.", "Give HOST:PORT, for example gpu-box:5599."
        )
    return address


def write_ticket(file: Path, ticket: Ticket) -> None:
    """Raises PainterlyError UNREADABLE_FILE when ``file`` cannot be written."""
    try:
        write_private(file, json.dumps(asdict(ticket), indent=1) + "\n")
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{file} cannot be written: {error.strerror}.", "Choose another place for it."
        ) from error


def read_ticket(file: Path) -> Ticket:
    """
    Raises:
        PainterlyError: UNREADABLE_FILE when it is no ticket, UNSAFE_FOLDER when others can read it.
        FileNotFoundError: there is none.
    """
    try:
        values = json.loads(read_private(file, MAX_BYTES))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise _no_ticket(file) from error
    names = {item.name for item in fields(Ticket)}
    if not isinstance(values, dict) or values.keys() != names or not all(type(v) is str for v in values.values()):
        raise _no_ticket(file)
    ticket = Ticket(**values)
    secrets = (ticket.server_key, ticket.client_public_key, ticket.client_secret_key)
    if not ticket.endpoint.startswith("tcp://") or not all(map(is_key, secrets)):
        raise _no_ticket(file)
    check_address(ticket.endpoint.removeprefix("tcp://"))
    return ticket


def use(ticket: Ticket, runtime_dir: Path) -> Path:
    """Keep the ticket where this machine's clients look; returns the file.

    Raises:
        PainterlyError: UNSAFE_FOLDER, UNREADABLE_FILE.
    """
    file = paths.make_private(runtime_dir) / TICKET_FILE
    write_ticket(file, ticket)
    return file


def leave(runtime_dir: Path) -> bool:
    """Talk to this machine's own engine again; False when that is so already."""
    try:
        (runtime_dir / TICKET_FILE).unlink()
    except FileNotFoundError:
        return False
    return True


def in_use(runtime_dir: Path) -> Ticket | None:
    """The ticket that this machine's clients use.

    Raises:
        PainterlyError: as ``read_ticket``.
    """
    try:
        return read_ticket(runtime_dir / TICKET_FILE)
    except FileNotFoundError:
        return None


def _no_ticket(file: Path) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNREADABLE_FILE,
        f"{file} is not a ticket for an engine.",
        "Ask the engine's keeper for a new one (“painterly keys add”), or run “painterly keys leave”.",
    )
