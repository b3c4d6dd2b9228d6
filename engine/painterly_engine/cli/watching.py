"""The options that let people watch a picture come into being."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from painterly_engine.pictures.files import Bytes
from painterly_engine.report.film import check_film, write_film
from painterly_engine.report.losses import drawing, table
from painterly_engine.report.watching import SNAPSHOT, Watcher
from painterly_protocol.errors import ErrorCode, PainterlyError

EVERY = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("progress to look at (computed in this process)")
    group.add_argument(
        "--every",
        type=int,
        default=EVERY,
        metavar="N",
        help="a picture every N iterations (default: %(default)s)",
    )
    group.add_argument("--snapshots", type=Path, metavar="FOLDER", help="every one of these pictures")
    group.add_argument("--film", type=Path, metavar="FILE", help="all of them: .gif or .png as a film, .jpg as a strip")
    group.add_argument("--losses", type=Path, metavar="FILE.csv", help="a table of the losses, and a drawing beside it")


def watcher(arguments: argparse.Namespace) -> Watcher | None:
    """What listens to the work; None where nothing is to be watched.

    Raises:
        PainterlyError: BAD_REQUEST or UNREADABLE_FILE, before the work rather than after it.
    """
    if arguments.every < 1:
        raise PainterlyError(ErrorCode.BAD_REQUEST, "--every must be 1 or more.")
    wanted = (arguments.snapshots, arguments.film, arguments.losses)
    if all(path is None for path in wanted):
        return None
    if arguments.film is not None:
        check_film(arguments.film)
    if arguments.losses is not None and arguments.losses.suffix.lower() != ".csv":
        raise PainterlyError(ErrorCode.BAD_REQUEST, f"{arguments.losses} does not end in .csv.", "Call it losses.csv.")
    for path in wanted[1:]:
        _make(path.parent if path is not None else None)
    _make(arguments.snapshots)
    return Watcher(arguments.every, arguments.snapshots, filming=arguments.film is not None)


def written(arguments: argparse.Namespace, read: Iterable[Path | None]) -> list[Path]:
    """The files that ``finish`` will have made; of the snapshots those that are called like one of the ``read``."""
    losses: Path | None = arguments.losses
    files = [arguments.film, losses, _plot_of(losses) if losses is not None else None]
    if arguments.snapshots is not None:
        names = (path.resolve().name for path in read if path is not None)
        files += [arguments.snapshots / name for name in names if SNAPSHOT.fullmatch(name)]
    return [file for file in files if file is not None]


def finish(watched: Watcher, arguments: argparse.Namespace, result: Bytes) -> None:
    """Write what was asked for, and say so; the last look is at the result (H, W, 3)."""
    watched.end(result)
    if arguments.snapshots is not None:
        print(f"{arguments.snapshots}: snapshots")
    if arguments.film is not None:
        write_film(arguments.film, watched.frames)
        count = len(watched.frames)
        print(f"{arguments.film}: {count} picture{'s' * (count != 1)}")
    if arguments.losses is not None:
        plot = _plot_of(arguments.losses)
        _write(arguments.losses, table(watched.losses))
        _write(plot, drawing(watched.losses))
        print(f"{arguments.losses}, {plot}: losses")


def _plot_of(losses: Path) -> Path:
    return losses.with_suffix(".svg")


def _make(folder: Path | None) -> None:
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path | None, error: OSError) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNREADABLE_FILE, f"{path} cannot be written: {error.strerror}.", "Choose another place."
    )
