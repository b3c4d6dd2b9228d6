"""Which part of each frame is painted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from painterly_engine.pictures.files import Bytes, read_mask
from painterly_engine.pictures.names import SUFFIXES, by_number
from painterly_engine.video.files import Frame
from painterly_protocol.errors import ErrorCode, PainterlyError

Masks = Callable[[Frame], Bytes]
"""(H, W) uint8 for a frame (H, W, 3). May raise PainterlyError."""


def everywhere(frame: Frame) -> Bytes:
    """All of it."""
    return np.full(frame.pixels.shape[:2], 255, np.uint8)


def masks_in(path: Path) -> Masks:
    """Of a folder, its pictures in the order of their numbers, one a frame; of a picture, itself for every frame.

    Raises:
        PainterlyError: UNREADABLE_FILE where there is none.
    """
    if not path.is_dir():
        mask = read_mask(path)
        return lambda frame: _fitting(mask, frame, path)
    found = (file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    files = sorted(found, key=lambda file: by_number(file.name))
    if not files:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE,
            f"There are no masks in {path}.",
            "Put a picture for each frame there: 000000.png …",
        )

    def of(frame: Frame) -> Bytes:
        if frame.number >= len(files):
            raise PainterlyError(
                ErrorCode.SIZE_MISMATCH,
                f"There are {len(files)} masks in {path}, but the video has more frames.",
                "Give a mask for each frame; a black one where nothing is to be painted.",
            )
        return _fitting(read_mask(files[frame.number]), frame, files[frame.number])

    return of


def _fitting(mask: Bytes, frame: Frame, path: Path) -> Bytes:
    height, width = frame.pixels.shape[:2]
    if mask.shape != (height, width):
        raise PainterlyError(
            ErrorCode.SIZE_MISMATCH,
            f"The mask {path} is {mask.shape[1]}×{mask.shape[0]} px, the video {width}×{height} px.",
            "Give masks of the video's size.",
        )
    return mask
