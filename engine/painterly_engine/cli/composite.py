"""``painterly composite``: objects laid over a painting, with the masks that ``harmonize`` and ``batch`` want."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from painterly_engine.cli.harmonize import position, scale
from painterly_engine.pictures.arrangement import Placement, arrange, loose_mask
from painterly_engine.pictures.files import Bytes, Picture, check_writable, read_cutout, read_rgb, write
from painterly_engine.pictures.sparing import is_same, spare
from painterly_protocol.errors import ErrorCode, PainterlyError

PARTS = ("painting", "composite", "mask", "mask_loose")
"""What is written, named as ``painterly batch`` looks for it."""


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "composite",
        help="paste objects into a painting, and make the masks",
        epilog="Options after an --object are that object's; a later object lies over an earlier one.",
    )
    parser.set_defaults(run=run, objects=[])
    parser.add_argument("--painting", type=Path, required=True, metavar="FILE", help="the painting alone")
    parser.add_argument(
        "--object", dest="objects", action=_NextObject, type=Path, metavar="FILE", help="a cut-out; can be given again"
    )
    parser.add_argument(
        "--at", action=_OfObject, type=position, metavar="X,Y", help="its top left corner (default: centred)"
    )
    parser.add_argument("--scale", action=_OfObject, type=scale, metavar="S", help="its size factor (default: 1)")
    parser.add_argument(
        "--rotate", action=_OfObject, type=float, metavar="DEGREES", help="counterclockwise, about its middle"
    )
    parser.add_argument("--flip", action=_OfObject, nargs=0, const=True, help="left to right")
    parser.add_argument(
        "--feather", action=_OfObject, type=float, metavar="PX", help="how far its edge fades, inwards (default: 0)"
    )
    parser.add_argument(
        "--grow", action=_OfObject, type=int, metavar="PX", help="widen the mask; below 0 cuts the object's edge off"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FOLDER|PREFIX", help="a folder, or how the files' names begin"
    )


class _NextObject(argparse.Action):
    """Begins the options of another object."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 (argparse's signature)
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,  # noqa: ARG002
    ) -> None:
        namespace.objects = [*namespace.objects, (values, {})]


class _OfObject(argparse.Action):
    """Belongs to the object given last."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        if not namespace.objects:
            parser.error(f"give an --object before {option}, which is about it")
        namespace.objects[-1][1][self.dest] = self.const if self.nargs == 0 else values


def run(arguments: argparse.Namespace) -> int:
    if not arguments.objects:
        raise PainterlyError(ErrorCode.BAD_REQUEST, "There is no object to paste.", "Give at least one --object.")
    files = _files(arguments.output)
    if is_same(files["painting"], arguments.painting):
        del files["painting"]  # it lies where its copy would go, and needs none
    spare(files.values(), [arguments.painting, *(path for path, _ in arguments.objects)])
    painting = read_rgb(arguments.painting)
    for note in painting.notes:
        print(f"{arguments.painting}: {note}", file=sys.stderr)
    pasted = arrange(painting.pixels, _objects(arguments.objects))
    written = {
        "painting": painting,
        "composite": replace(painting, pixels=pasted.composite),
        "mask": Picture(pasted.mask),
        "mask_loose": Picture(loose_mask(pasted.mask)),
    }
    for part, file in files.items():
        write(file, written[part])
        print(file)
    return 0


def _objects(given: Sequence[tuple[Path, Mapping[str, Any]]]) -> list[tuple[Bytes, Placement]]:
    return [(read_cutout(path), Placement(**options)) for path, options in given]


def _files(output: str) -> dict[str, Path]:
    """By part. A folder is one that is there, or is called so by a slash at its end; it is made."""
    separators = tuple(filter(None, (os.sep, os.altsep)))
    folder = Path(output)
    prefix = ""
    if not (output.endswith(separators) or folder.is_dir()):
        folder, prefix = folder.parent, f"{folder.name}_"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"The folder {folder} cannot be made: {error.strerror}.", "Choose another one."
        ) from error
    files = {part: folder / f"{prefix}{part}.png" for part in PARTS}
    for file in files.values():
        check_writable(file)
    return files
