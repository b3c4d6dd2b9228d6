"""What the training commands are given and where they write, looked at before anything long begins."""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from painterly_engine.training.pictures import read
from painterly_protocol.errors import ErrorCode, PainterlyError

LABELS = "stylization.json"


def output_folder(folder: Path) -> None:
    """Make it if it is not there, and try whether something can be written to it.

    Raises:
        PainterlyError: UNREADABLE_FILE with the system's reason.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """What goes wrong with it in here is said to be that it cannot be written.

    Raises:
        PainterlyError: UNREADABLE_FILE with the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{path} cannot be written: {error.strerror}.", "Choose another folder with -o."
        ) from error


def numbered(folder: Path, fewest: int) -> list[Path]:
    """``N.jpg`` by their numbers.

    Raises:
        PainterlyError: UNREADABLE_FILE where the folder is not there or has fewer of them.
    """
    files = sorted((path for path in folder.glob("*.jpg") if path.stem.isdecimal()), key=lambda path: int(path.stem))
    if not folder.is_dir():
        raise _bad(f"There is no folder {folder}.")
    if len(files) < fewest:
        raise _bad(f"{folder} holds {len(files)} numbered paintings, and {fewest} are the fewest.")
    return files


def read_painting(path: Path, longest: int) -> Tensor:
    """(3, H, W) RGB in [0, 1], shrunk to at most ``longest`` pixels a side.

    Raises:
        PainterlyError: UNREADABLE_FILE.
    """
    try:
        picture = read(path, longest)
    except FileNotFoundError as error:
        raise _bad(f"There is no painting {path}.") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"The painting {path} cannot be read.", "Copy it again, or leave it out."
        ) from error
    return torch.from_numpy(picture.transpose(2, 0, 1).copy())


def wide_enough(path: Path, side: int, least: int) -> None:
    """
    Raises:
        PainterlyError: BAD_REQUEST for a painting whose shorter side, as it is looked at, is below ``least``.
    """
    if side < least:
        sentence = f"The painting {path} is too narrow: {side} pixels, shrunk, where the network needs {least}."
        raise PainterlyError(ErrorCode.BAD_REQUEST, sentence, "Leave it out, or take a broader one.")


@dataclass(frozen=True)
class Label:
    """A painting's genre and published stylization weight τ."""

    genre: str
    weight: float


def labels(folder: Path, fewest: int) -> dict[str, Label]:
    """What the folder's ``stylization.json`` says, by the paintings' numbers, in their order.

    Raises:
        PainterlyError: UNREADABLE_FILE where it is not there, says something else or says it of fewer paintings.
    """
    file = folder / LABELS
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        found = {
            name: Label(str(told[name]["genre"]), float(told[name]["stylization_weight"]))
            for name in sorted(told, key=int)
        }
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _bad(f"There is no file {file}.") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _bad(f"{file} does not give every painting's genre and stylization_weight.") from error
    if len(found) < fewest:
        raise _bad(f"{file} names {len(found)} paintings, and {fewest} are the fewest.")
    if not all(math.isfinite(label.weight) and label.weight > 0 for label in found.values()):
        raise _bad(f"A stylization_weight in {file} is not above 0.")
    return found


def _bad(sentence: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNREADABLE_FILE,
        sentence,
        f"Give --paintings a folder with 0.jpg, 1.jpg and so on; train-stylization needs {LABELS} beside them.",
    )
