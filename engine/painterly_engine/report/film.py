"""A picture's coming into being, as a film or a strip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from painterly_engine.pictures.files import Bytes, Picture, write
from painterly_engine.pictures.sheet import contact_sheet
from painterly_protocol.errors import ErrorCode, PainterlyError

FILMS = (".gif", ".png", ".apng")
STRIPS = (".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
EACH_MS, LAST_MS = 120, 2500
SHOWN = 8
"""Pictures in a strip."""
HEIGHT = 240

Frame = tuple[int, Bytes]
"""The iteration and the picture (h, w, 3)."""


def check_film(path: Path) -> None:
    """Fail before the work rather than after it: raises PainterlyError BAD_REQUEST for a name of no such kind."""
    if path.suffix.lower() not in (*FILMS, *STRIPS):
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"{path.name} does not end in a film's format.",
            "Use .gif or .png for a film, .jpg for a strip.",
        )


def write_film(path: Path, frames: Sequence[Frame]) -> None:
    """An animated GIF or PNG, or a strip of a few captioned pictures, by the file's ending.

    Raises:
        PainterlyError: UNREADABLE_FILE with the system's reason.
    """
    if path.suffix.lower() in STRIPS:
        write(path, Picture(strip(frames)))
        return
    size = frames[-1][1].shape[1], frames[-1][1].shape[0]
    images = [Image.fromarray(np.ascontiguousarray(picture)).resize(size) for _, picture in frames]
    times = [EACH_MS] * (len(images) - 1) + [LAST_MS]
    part = path.with_name(f".{path.name}.part{path.suffix}")
    kind = "GIF" if path.suffix.lower() == ".gif" else "PNG"
    try:
        images[0].save(part, kind, save_all=True, append_images=images[1:], duration=times, loop=0)
        part.replace(path)
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{path} cannot be written: {error}.", "Choose another place for it."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def strip(frames: Sequence[Frame]) -> Bytes:
    """The first, the last and some between, closer together at the start, where most happens."""
    count = min(SHOWN, len(frames))
    places = sorted({round((len(frames) - 1) * (k / max(1, count - 1)) ** 2) for k in range(count)})
    return contact_sheet([(f"after {frames[place][0]}", frames[place][1]) for place in places], HEIGHT)
