"""``painterly report``: recorded runs as pages for the browser."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from painterly_engine.pictures.files import Bytes, read_rgb
from painterly_engine.pictures.names import SUFFIXES, by_number
from painterly_engine.pictures.sparing import spare
from painterly_engine.report import record
from painterly_engine.report.folder_page import Row, folder_page, row
from painterly_engine.report.run_page import run_page
from painterly_protocol.errors import ErrorCode, PainterlyError

PAGE = "report.html"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("report", help="show recorded runs in a web page")
    parser.set_defaults(run=run)
    parser.add_argument("folder", type=Path, help="a run's record, or a folder of them (see harmonize --record)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=f"the page (default: {PAGE} in the folder)")
    parser.add_argument(
        "--references", type=Path, metavar="DIR", help="other results to compare with, named as the runs: RUN.png"
    )


def run(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.folder
    page: Path = arguments.output or folder / PAGE
    if record.is_record(folder):
        if arguments.references is not None:
            raise PainterlyError(
                ErrorCode.BAD_REQUEST,
                "References are shown beside several runs only.",
                "Give the folder that holds the run's folder.",
            )
        spare([page], _files_of([folder]))
        write_page(page, run_page(record.load(folder)))
    else:
        _folder(folder, page, arguments.references)
    print(f"{page}: open it in any browser")
    return 0


def _folder(folder: Path, page: Path, references: Path | None) -> None:
    """The page of all runs, and each run's own beside its record."""
    runs = sorted(filter(record.is_record, folder.glob("*")), key=lambda run: by_number(run.name))
    if not runs:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE,
            f"There is no recorded run in {folder}.",
            "Make one with 'painterly harmonize … --record FOLDER'.",
        )
    spare([page, *(path / PAGE for path in runs)], _files_of(runs))
    rows, pages = [], {}
    for path in runs:
        loaded = record.load(path)
        rows.append(_row(loaded, references))
        write_page(path / PAGE, run_page(loaded))
        pages[loaded.name] = quote(os.path.relpath(path / PAGE, page.parent).replace(os.sep, "/"))
    write_page(page, folder_page(folder.resolve().name, rows, pages))


def _files_of(runs: Sequence[Path]) -> list[Path]:
    return [file for folder in runs for file in folder.iterdir() if file.name != PAGE]


def _row(loaded: record.Record, references: Path | None) -> Row:
    return row(loaded, None if references is None else _reference(references, loaded.name))


def _reference(folder: Path, name: str) -> tuple[str, Bytes] | None:
    """Captioned with its folder's name, which says whose result it is."""
    found = (folder / f"{name}{suffix}" for suffix in SUFFIXES)
    return next(((folder.resolve().name, read_rgb(path).pixels) for path in found if path.is_file()), None)


def write_page(path: Path, text: str) -> None:
    """Whole or not at all, so that a page in a browser never loses its end.

    Raises:
        PainterlyError: UNREADABLE_FILE with the system's reason.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE,
            f"{path} cannot be written: {error.strerror}.",
            "Choose another place with --output.",
        ) from error
