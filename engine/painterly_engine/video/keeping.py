"""Finished frames on disk, by what they were made from: a video that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from painterly_engine.pictures.files import Bytes
from painterly_protocol.errors import ErrorCode, PainterlyError

OURS = re.compile(r"\.?\d{6,}-[0-9a-f]{24}\.(png|state)(\.part)?")


def chained(before: str, *parts: bytes | memoryview) -> str:
    """A key made of the one before it and of these bytes."""
    digest = hashlib.sha256(before.encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


class Keeper:
    """
    Args:
        folder: of the frames; made if need be.

    Raises:
        PainterlyError: UNREADABLE_FILE.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def picture(self, number: int, key: str) -> Bytes | None:
        """A frame (H, W, 3) that was kept; None where none is, or it cannot be read."""
        try:
            with Image.open(self._file(number, key, "png")) as image:
                return np.asarray(image.convert("RGB"))
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
            return None

    def state(self, number: int, key: str) -> dict[str, Tensor] | None:
        """What its painter remembered then."""
        try:
            return load(self._file(number, key, "state").read_bytes())
        except (OSError, SafetensorError, ValueError):
            return None

    def keep(self, number: int, key: str, picture: Bytes, state: Mapping[str, Tensor]) -> None:
        """First what is remembered, then the frame, each whole or not at all. Every frame's memory stays: whichever
        frame is changed later, the video goes on from the one before it.

        Raises:
            PainterlyError: UNREADABLE_FILE.
        """
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "png", compress_level=1)
        remembered = {name: values.cpu().contiguous() for name, values in state.items()}
        try:
            self._write(self._file(number, key, "state"), save(remembered))
            self._write(self._file(number, key, "png"), buffer.getvalue())
        except OSError as error:
            raise _unwritable(self._folder, error) from error

    def files(self, numbers: Collection[int]) -> dict[str, bytes]:
        """All that is kept of these frames, by name, for a keeper elsewhere."""
        ours = (file for file in self._folder.iterdir() if OURS.fullmatch(file.name) and file.suffix != ".part")
        return {file.name: file.read_bytes() for file in ours if int(file.name.partition("-")[0]) in numbers}

    def take(self, files: Mapping[str, bytes]) -> None:
        """Keep what a keeper elsewhere has kept, states first.

        Raises:
            PainterlyError: UNREADABLE_FILE, BAD_REQUEST for files that are none of a keeper's.
        """
        if not all(OURS.fullmatch(name) and not name.endswith(".part") for name in files):
            raise PainterlyError(ErrorCode.BAD_REQUEST, "A machine sent files that belong to no video.")
        try:
            for name in sorted(files, key=lambda name: not name.endswith(".state")):
                self._write(self._folder / name, files[name])
        except OSError as error:
            raise _unwritable(self._folder, error) from error

    def clear(self) -> None:
        """Remove what was kept, and the folder if it held nothing else."""
        for file in self._folder.iterdir():
            if OURS.fullmatch(file.name):
                file.unlink(missing_ok=True)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _file(self, number: int, key: str, suffix: str) -> Path:
        return self._folder / f"{number:06}-{key[:24]}.{suffix}"

    def _write(self, path: Path, data: bytes) -> None:
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        part.replace(path)


def _unwritable(folder: Path, error: OSError) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNREADABLE_FILE,
        f"The finished frames cannot be kept in {folder}: {error.strerror}.",
        "Choose another folder with --work.",
    )
