"""Picture files: read by the client only, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from painterly_protocol.errors import ErrorCode, PainterlyError

Bytes = NDArray[np.uint8]
QUALITY = 95  # of formats that know it; the others ignore it


@dataclass(frozen=True)
class Picture:
    """An RGB or RGBA picture, (H, W, 3 or 4) uint8, with the colour profile its file carried."""

    pixels: Bytes
    profile: bytes | None = None


def read_rgb(path: Path) -> Picture:
    """(H, W, 3); transparency is dropped, camera orientation applied.

    Raises:
        PainterlyError: UNREADABLE_FILE.
    """
    return _read(path, "RGB")


def read_rgba(path: Path) -> Picture:
    """(H, W, 4); opaque where the file has no transparency."""
    return _read(path, "RGBA")


def read_mask(path: Path) -> Bytes:
    """(H, W) coverage, white inside; a picture with transparency gives its alpha if its colours are all alike."""
    with _opened(path) as image:
        if image.mode.startswith("I;16"):  # Pillow's own conversion to 8 bit clips instead of scaling
            return (np.asarray(image) / 257).astype(np.uint8)
        if "A" in image.getbands():
            *colours, alpha = (np.asarray(band) for band in image.split())
            if all(np.ptp(colour) == 0 for colour in colours):
                return alpha
        return np.asarray(image.convert("L"))


def write(path: Path, picture: Picture) -> None:
    """Write through a temporary file in the same folder, so that an existing file is replaced whole or kept.

    Raises:
        PainterlyError: UNREADABLE_FILE with the system's reason.
    """
    image = Image.fromarray(picture.pixels)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=path.suffix, delete=False) as part:
            temporary = Path(part.name)
        try:
            image.save(temporary, icc_profile=picture.profile, quality=QUALITY)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{path} cannot be written: {error}.", "Choose another place for the result."
        ) from error


def check_writable(path: Path) -> None:
    """Fail before the work rather than after it.

    Raises:
        PainterlyError: BAD_REQUEST for a format that cannot be written, UNREADABLE_FILE for a folder that cannot.
    """
    Image.init()
    if path.suffix.lower() not in Image.EXTENSION or Image.EXTENSION[path.suffix.lower()] not in Image.SAVE:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST, f"{path.name} does not end in a picture format.", "Use .png, .jpg or .tif."
        )
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"The folder {path.parent} cannot be written.", "Create it or choose another."
        )


def _read(path: Path, mode: str) -> Picture:
    with _opened(path) as image:
        return Picture(np.asarray(image.convert(mode)), image.info.get("icc_profile"))


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
            upright.info.setdefault("icc_profile", image.info.get("icc_profile"))
            return upright
    except FileNotFoundError as error:
        raise PainterlyError(ErrorCode.UNREADABLE_FILE, f"There is no file {path}.", "Check the name.") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{path} cannot be read as a picture: {error}.", "Save it as PNG or JPEG."
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
