"""``painterly weights list|fetch|verify|remove``."""

from __future__ import annotations

import argparse

from tqdm import tqdm


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("weights", help="the feature networks: list, fetch, verify, remove")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="what there is and what could be fetched").set_defaults(run=show_all)
    for name, action, text in (
        ("fetch", fetch, "download a network; goes on where a broken download stopped"),
        ("verify", verify, "compare a network with its recorded digest"),
        ("remove", remove, "delete a fetched network"),
    ):
        command = actions.add_parser(name, help=text)
        command.add_argument("name", metavar="NAME")
        command.set_defaults(run=action)


def show_all(_: argparse.Namespace) -> int:
    from painterly_engine.network.shelf import describe, resolve
    from painterly_engine.network.store import BUILT_IN, repair_built_in

    chosen = resolve("auto")
    for listed in describe():
        state = f"{listed.size / 1e6:.1f} MB, sha256 {listed.sha256[:12]}" if listed.stored else "not here"
        used = ", used by default" if listed.name == chosen else ""
        if listed.name in BUILT_IN and not (listed.stored and listed.sha256):
            state, used = f"missing or damaged. {repair_built_in()}", ""
        print(f"{listed.name:8} {state}{used}\n         {listed.source}\n         {listed.licence}")
    return 0


def fetch(arguments: argparse.Namespace) -> int:
    from painterly_engine.network.shelf import fetch_by_name, fetchable

    fetchable(arguments.name)
    with tqdm(unit="B", unit_scale=True, unit_divisor=1024, desc=arguments.name) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        passport = fetch_by_name(arguments.name, progress)
    print(f"{passport.name}: sha256 {passport.source_sha256}, kept as {passport.sha256}")
    return 0


def verify(arguments: argparse.Namespace) -> int:
    from painterly_engine.network.shelf import known
    from painterly_engine.network.store import verify as check

    print(f"{arguments.name}: as recorded, sha256 {check(known(arguments.name)).sha256}")
    return 0


def remove(arguments: argparse.Namespace) -> int:
    from painterly_engine.network.shelf import known
    from painterly_engine.network.store import remove as delete

    for path in delete(known(arguments.name)):
        print(f"removed {path}")
    return 0
