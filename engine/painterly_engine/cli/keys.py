"""``painterly keys add|list|remove`` for who keeps an engine that others use, ``use|leave`` for who uses it."""

from __future__ import annotations

import argparse
from pathlib import Path

from painterly_protocol import paths, remote
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.keyring import Keyring


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("keys", help="share one engine with other machines: who may come in")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    adding = actions.add_parser("add", help="make a key for a client; its ticket goes to the client's machine")
    adding.add_argument("name", metavar="NAME", help="what you call the client")
    adding.add_argument(
        "--engine", required=True, metavar="HOST:PORT", help="under which the client reaches this machine"
    )
    adding.add_argument("-o", "--output", type=Path, metavar="FILE", help="the ticket (default: NAME.ticket)")
    adding.set_defaults(run=add)
    actions.add_parser("list", help="who may come in, and which engine is used here").set_defaults(run=show)
    removing = actions.add_parser("remove", help="shut a client out")
    removing.add_argument("name", metavar="NAME")
    removing.set_defaults(run=remove)
    using = actions.add_parser("use", help="use the engine that a ticket leads to, from every program here")
    using.add_argument("ticket", type=Path, metavar="FILE")
    using.set_defaults(run=use)
    actions.add_parser("leave", help="use this machine's own engine again").set_defaults(run=leave)


def add(arguments: argparse.Namespace) -> int:
    file: Path = arguments.output or Path(f"{arguments.name}.ticket")
    if file.exists():
        raise PainterlyError(ErrorCode.UNREADABLE_FILE, f"{file} is there already.", "Give another name with -o.")
    keyring = Keyring()
    ticket = keyring.add(arguments.name, arguments.engine)
    try:
        remote.write_ticket(file, ticket)
    except PainterlyError:
        keyring.remove(arguments.name)
        raise
    print(
        f"{file} lets {arguments.name} in; it is the only copy of a secret. Carry it to their machine (scp, a stick), "
        f"run there “painterly keys use {file.name}”, and delete this one.\n"
        f"The engine must listen: painterly serve --listen '*:{arguments.engine.rpartition(':')[2]}'"
    )
    return 0


def show(_: argparse.Namespace) -> int:
    for client in Keyring().clients():
        print(f"{client.name:20} since {client.added}, public key {client.public}")
    ticket = remote.in_use(paths.runtime_dir())
    if ticket is not None:
        print(f"Programs here use the engine at {ticket.endpoint.removeprefix('tcp://')}, as {ticket.name}.")
    return 0


def remove(arguments: argparse.Namespace) -> int:
    Keyring().remove(arguments.name)
    print(f"{arguments.name} is shut out, from a running engine too.")
    return 0


def use(arguments: argparse.Namespace) -> int:
    try:
        ticket = remote.read_ticket(arguments.ticket)
    except FileNotFoundError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"There is no file {arguments.ticket}.", "Check the name."
        ) from error
    file = remote.use(ticket, paths.runtime_dir())
    place = ticket.endpoint.removeprefix("tcp://")
    print(f"Programs here now use the engine at {place}, as {ticket.name}. {file} holds the key; delete the ticket.")
    return 0


def leave(_: argparse.Namespace) -> int:
    left = remote.leave(paths.runtime_dir())
    print("Programs here use this machine's own engine again." if left else "Programs here use it already.")
    return 0
