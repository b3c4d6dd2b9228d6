"""A run on disk: a folder with ``run.json``, PNG pictures and ``fields.npz``; nothing in it is ever executed."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from painterly_engine.pictures.files import Bytes, read_mask, read_rgb
from painterly_protocol.errors import ErrorCode, PainterlyError

FORMAT = "painterly-record-1"
INDEX, FIELDS = "run.json", "fields.npz"


@dataclass(frozen=True)
class Figure:
    """One measure of the result, and of the composite for comparison.

    Attributes:
        name: of the measure, with the network it was taken in where there is one.
        meaning: what it measures and which value is good, in a sentence.
        composite, result: the values; None where there is nothing to measure.
    """

    name: str
    meaning: str
    composite: float | None
    result: float | None


@dataclass(frozen=True)
class LossPoint:
    """The losses of one iteration of a phase, by name."""

    phase: str
    iteration: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Stage:
    """A named result on the way (``Observer.intermediate``).

    Attributes:
        data: a picture (h, w, 3) uint8, a mask (h, w) uint8, or a field (2, h, w) float32 of places in the painting.
    """

    name: str
    data: NDArray[Any]

    @property
    def kind(self) -> str:
        """ "picture", "mask" or "field"."""
        if self.data.ndim == 2:
            return "mask"
        return "picture" if self.data.dtype == np.uint8 else "field"


@dataclass(frozen=True)
class Record:
    """
    Attributes:
        name: what the run is called: its folder's name.
        created: when, as ISO 8601 with the time zone.
        parameters: what was asked for; about: what was done (the result's metadata).
        painting, composite, result: (H, W, 3) at the painting's own size; mask: (H, W).
        profile: the painting's colour profile.
    """

    name: str
    created: str
    parameters: Mapping[str, Any]
    about: Mapping[str, Any]
    figures: Sequence[Figure]
    losses: Sequence[LossPoint]
    stages: Sequence[Stage]
    painting: Bytes
    composite: Bytes
    mask: Bytes
    result: Bytes
    profile: bytes | None = None


def check_free(folder: Path) -> None:
    """Fail before the work rather than after it.

    Raises:
        PainterlyError: UNREADABLE_FILE where the folder holds something already or cannot be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE,
            f"{folder} is there already and is not empty.",
            "Choose a new folder for the record, so that nothing is overwritten.",
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.parent):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def save(record: Record, folder: Path) -> None:
    """Write a record into a folder that is missing or empty: all of it, or nothing.

    Raises:
        PainterlyError: UNREADABLE_FILE with the system's reason.
    """
    check_free(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        part = Path(scratch) / "part"
        part.mkdir()
        try:
            _fill(part, record)
            if folder.exists():
                folder.rmdir()  # an empty one: Windows does not replace folders
            part.replace(folder)
        except OSError as error:
            raise _unwritable(folder, error) from error


def _fill(folder: Path, record: Record) -> None:
    for name in ("painting", "composite", "result"):
        _write(folder / f"{name}.png", getattr(record, name), record.profile)
    _write(folder / "mask.png", record.mask)
    listed, fields = [], {}
    for number, stage in enumerate(record.stages, start=1):
        key = f"stage-{number:02}"
        listed.append({"name": stage.name, "kind": stage.kind, "key": key})
        if stage.kind == "field":
            fields[key] = stage.data
        else:
            _write(folder / f"{key}.png", stage.data)
    if fields:
        with (folder / FIELDS).open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **fields)
    index = {
        "format": FORMAT,
        "created": record.created,
        "parameters": record.parameters,
        "about": record.about,
        "figures": [asdict(figure) for figure in record.figures],
        "losses": [asdict(point) for point in record.losses],
        "stages": listed,
    }
    (folder / INDEX).write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write(path: Path, pixels: Bytes, profile: bytes | None = None) -> None:
    """Compressed quickly: the best compression of a large painting takes longer than a draft of it."""
    Image.fromarray(pixels).save(path, icc_profile=profile, compress_level=1)


def is_record(folder: Path) -> bool:
    """Whether there is an index in it; not whether it can be read."""
    return (folder / INDEX).is_file()


def load(folder: Path) -> Record:
    """Read what ``save`` wrote.

    Raises:
        PainterlyError: UNREADABLE_FILE where something is missing, damaged or of another format.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["format"] != FORMAT:
            raise ValueError(f"its format is {index['format']!r}")
        fields = _load_fields(folder / FIELDS)
        painting = read_rgb(folder / "painting.png")
        record = Record(
            name=folder.resolve().name,
            created=str(index["created"]),
            parameters=dict(index["parameters"]),
            about=dict(index["about"]),
            figures=[Figure(**figure) for figure in index["figures"]],
            losses=[LossPoint(**point) for point in index["losses"]],
            stages=[_load_stage(folder, about, fields) for about in index["stages"]],
            painting=painting.pixels,
            composite=read_rgb(folder / "composite.png").pixels,
            mask=read_mask(folder / "mask.png"),
            result=read_rgb(folder / "result.png").pixels,
            profile=painting.profile,
        )
        _check_sizes(record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE,
            f"The record in {folder} cannot be read: {error}.",
            "Make it again with 'painterly harmonize --record'.",
        ) from error
    return record


def _load_fields(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def _load_stage(folder: Path, about: Mapping[str, str], fields: Mapping[str, NDArray[Any]]) -> Stage:
    name, kind, key = str(about["name"]), about["kind"], about["key"]
    if Path(key).name != key:
        raise ValueError(f"{key!r} is no plain file name")
    if kind == "field":
        return Stage(name, fields[key])
    return Stage(name, read_mask(folder / f"{key}.png") if kind == "mask" else read_rgb(folder / f"{key}.png").pixels)


def _check_sizes(record: Record) -> None:
    for name in ("composite", "mask", "result"):
        if getattr(record, name).shape[:2] != record.painting.shape[:2]:
            raise ValueError(f"its {name} is not of the painting's size")


def _unwritable(folder: Path, error: OSError) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNREADABLE_FILE,
        f"The record {folder} cannot be written: {error.strerror or error}.",
        "Choose another folder for it.",
    )
