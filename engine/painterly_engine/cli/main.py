"""``painterly``: the command line. Nothing here imports torch until a command needs it."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence

from painterly_engine import __version__
from painterly_engine.cli import (
    batch,
    bench,
    compare,
    composite,
    cutout,
    demo,
    doctor,
    engine,
    harmonize,
    plan,
    report,
    stylize,
    train,
    video,
    weights,
)
from painterly_protocol.errors import ErrorCode, PainterlyError

COMMANDS = (
    harmonize,
    cutout,
    composite,
    batch,
    video,
    stylize,
    compare,
    report,
    demo,
    engine,
    weights,
    train,
    bench,
    plan,
    doctor,
)
PLACED = ("--at", "--box")  # options whose value may begin with a minus
INTERRUPTED, ENOUGH = 130, 141  # what shells report for Ctrl+C, and for a reader that went


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 an error (said on stderr), 2 wrong usage, 130 Ctrl+C, 141
    nobody reads on."""
    arguments = all_commands().parse_args(_with_negative_places(sys.argv[1:] if argv is None else argv))
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # who read us, as "| head" does, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ENOUGH
    except PainterlyError as error:
        print(f"painterly: {error}", file=sys.stderr)
        return INTERRUPTED if error.code is ErrorCode.CANCELLED else 1
    except MemoryError:
        print("painterly: There is not enough memory for this picture. Use a smaller one.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("painterly: Stopped.", file=sys.stderr)
        return INTERRUPTED
    return status


def _with_negative_places(argv: Sequence[str]) -> list[str]:
    """``--at -5,7`` as ``--at=-5,7``, and a ``--box`` likewise: argparse takes the numbers for an option otherwise."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] in PLACED and re.fullmatch(r"-\d+(,-?\d+)+", word):
            joined[-1] = f"{joined[-1]}={word}"
        else:
            joined.append(word)
    return joined


def all_commands() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="painterly", description="Make an object that was pasted into a painting look painted."
    )
    parser.add_argument("--version", action="version", version=f"painterly {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add_parsers(commands)
    return parser
