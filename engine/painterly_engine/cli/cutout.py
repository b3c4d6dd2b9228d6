"""``painterly cutout``: an object out of a photograph, ready to be pasted."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

import numpy as np

from painterly_engine.arrays import Array
from painterly_engine.cutout.seeds import Box, Seeds, marks_of
from painterly_engine.pictures.files import Bytes, Picture, check_writable, read_rgb, read_rgba, write
from painterly_engine.pictures.sparing import spare
from painterly_protocol.errors import ErrorCode, PainterlyError

METHODS = ("grabcut", "rembg", "remove.bg")
TRANSPARENT = (".png", ".tif", ".tiff", ".webp")
AIR = 2  # px around the object


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("cutout", help="cut an object out of a photo")
    parser.set_defaults(run=run)
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.png", help="the object")
    parser.add_argument("--box", type=box, metavar="X,Y,W,H", help="a rectangle around the object, in pixels")
    parser.add_argument(
        "--scribble", type=Path, metavar="FILE", help="drawn over the photo: white object, black background"
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help="remove.bg sends the photo to that service, with your key (default: %(default)s)",
    )
    parser.add_argument("--whole", action="store_true", help="keep the photo's size instead of the object's")


def run(arguments: argparse.Namespace) -> int:
    check_writable(arguments.output)
    spare([arguments.output], [arguments.photo, arguments.scribble])
    if arguments.output.suffix.lower() not in TRANSPARENT:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST, f"{arguments.output.name} cannot keep transparency.", "Use .png, .tif or .webp."
        )
    photo = read_rgb(arguments.photo)
    for note in photo.notes:
        print(f"{arguments.photo}: {note}", file=sys.stderr)
    alpha = _alpha(photo.pixels, arguments)
    cut = cut_out(photo.pixels, alpha)
    x, y, width, height = (0, 0, *cut.shape[1::-1]) if arguments.whole else place_of(cut[..., 3])
    write(arguments.output, Picture(cut[y : y + height, x : x + width], photo.profile))
    print(f"{arguments.output}: {width}×{height} px, from {x},{y} of the photo")
    return 0


def cut_out(photo: Bytes, alpha: Array) -> Bytes:
    """(H, W, 4): a photograph (H, W, 3) under an alpha (H, W), colours cleaned of the old background."""
    from painterly_engine.cutout.matting import decontaminated

    return np.dstack([decontaminated(photo, alpha), np.rint(255 * alpha).astype(np.uint8)])


def place_of(alpha: Bytes) -> tuple[int, int, int, int]:
    """x, y, width and height of what shows of (H, W), with a little air."""
    rows, columns = (np.flatnonzero((alpha > 0).any(axis)) for axis in (1, 0))
    if not len(rows):
        raise PainterlyError(ErrorCode.BAD_REQUEST, "No object was found.", "Give a --box or --scribble.")
    top, left = max(0, int(rows[0]) - AIR), max(0, int(columns[0]) - AIR)
    bottom, right = min(alpha.shape[0], int(rows[-1]) + 1 + AIR), min(alpha.shape[1], int(columns[-1]) + 1 + AIR)
    return left, top, right - left, bottom - top


def box(text: str) -> Box:
    """ "X,Y,W,H" of an option."""
    found = re.fullmatch(r"(-?\d+),(-?\d+),(\d+),(\d+)", text)
    if found is None:
        raise argparse.ArgumentTypeError("give x,y,width,height, for example 320,410,200,150")
    return Box(*(int(part) for part in found.groups()))


def _alpha(photo: Bytes, arguments: argparse.Namespace) -> Array:
    """(H, W) float32 in [0, 1]."""
    if arguments.method == "grabcut":
        return _by_grabcut(photo, arguments)
    if arguments.box is not None or arguments.scribble is not None:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST, f"{arguments.method} finds the object by itself.", "Leave out --box and --scribble."
        )
    if arguments.method == "rembg":
        from painterly_engine.cutout.by_rembg import find as by_rembg

        return by_rembg(photo)
    from painterly_engine.cutout.by_remove_bg import find as by_remove_bg

    return by_remove_bg(photo, os.environ)


def _by_grabcut(photo: Bytes, arguments: argparse.Namespace) -> Array:
    from painterly_engine.cutout.by_grabcut import find
    from painterly_engine.cutout.matting import refined

    marks = None
    if arguments.scribble is not None:
        marks = marks_of(read_rgba(arguments.scribble).pixels, (photo.shape[0], photo.shape[1]))
    return refined(photo, find(photo, Seeds(arguments.box, marks)))
