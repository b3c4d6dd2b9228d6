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
DEEP = "painterly-deep"
MOST_PIXELS = 500_000_000  # three bytes each, within a message's largest frame
Image.MAX_IMAGE_PIXELS = None  # our own limit has its own sentence
QUALITY = 95  # of formats that know it; the others ignore it


@dataclass(frozen=True)
class Picture:
    """
    Attributes:
        pixels: (H, W, 3 or 4) uint8, RGB or RGBA.
        profile: the file's colour profile, if it is one of RGB.
        notes: what the file had that ``pixels`` has not.
    """

    pixels: Bytes
    profile: bytes | None = None
    notes: tuple[str, ...] = ()


def read_rgb(path: Path) -> Picture:
    """(H, W, 3); transparency is dropped, camera orientation applied.

    Raises:
        PainterlyError: UNREADABLE_FILE.
    """
    return _read(path, "RGB")


def read_rgba(path: Path) -> Picture:
    """(H, W, 4); opaque where the file has no transparency."""
    return _read(path, "RGBA")


def read_cutout(path: Path) -> Bytes:
    """(h, w, 4) with an outline.

    Raises:
        PainterlyError: UNREADABLE_FILE; BAD_REQUEST where nothing is transparent.
    """
    pixels = read_rgba(path).pixels
    if pixels[..., 3].min() == 255:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"The object {path} has no transparency, so its outline is unknown.",
            "Cut it out first, for example with 'painterly cutout'.",
        )
    return pixels


def read_mask(path: Path) -> Bytes:
    """(H, W) coverage, white inside; a picture with transparency gives its alpha if its colours are all alike."""
    image = _opened(path)
    if image.has_transparency_data:
        *colours, alpha = (np.asarray(band) for band in image.convert("RGBA").split())
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
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{path} cannot be written: {reason}.", "Choose another place for the result."
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
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE,
            f"The folder {path.parent} cannot be written: {error.strerror}.",
            "Create it or choose another.",
        ) from error
    if path.is_dir():
        raise PainterlyError(ErrorCode.UNREADABLE_FILE, f"{path} is a folder.", "Give the result a name of its own.")


def _read(path: Path, mode: str) -> Picture:
    image = _opened(path)
    profile = image.info.get("icc_profile")
    notes = []
    if image.info[DEEP]:
        notes.append("read with 8 bits a channel")
    if mode == "RGB" and image.has_transparency_data:
        notes.append("its transparency is left out")
    return Picture(np.asarray(image.convert(mode)), profile if _is_of_rgb(profile) else None, tuple(notes))


def _opened(path: Path) -> Image.Image:
    """The picture upright and with 8 bits a channel, in any mode; ``info[DEEP]`` says whether the file has more."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise PainterlyError(
                    ErrorCode.BAD_REQUEST,
                    f"{path} has {image.width * image.height / 1e6:.0f} million pixels, more than can be sent.",
                    "Crop it to the part around the object.",
                )
            deep = any("16" in str(tile[3]) for tile in image.tile)
            image.load()
            upright = _eight_bits(ImageOps.exif_transpose(image), path)
            upright.info.update(icc_profile=image.info.get("icc_profile"))
            upright.info[DEEP] = deep
            return upright
    except FileNotFoundError as error:
        raise PainterlyError(ErrorCode.UNREADABLE_FILE, f"There is no file {path}.", "Check the name.") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{path} cannot be read as a picture: {error}.", "Save it as PNG or JPEG."
        ) from error


def _eight_bits(image: Image.Image, path: Path) -> Image.Image:
    """Grey of 16 bits scaled to 8, which Pillow's own conversion would clip; what has no fixed white is refused."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
    if image.mode in {"I", "F"}:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{path} has samples of 32 bits.", "Save it with 8 or 16 bits a channel."
        )
    return image


def _is_of_rgb(profile: bytes | None) -> bool:
    """A profile of CMYK or grey would make the RGB result unreadable."""
    return profile is not None and profile[16:20] == b"RGB "


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
