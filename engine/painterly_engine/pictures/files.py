"""Pictures of all kinds as 8 bits of RGB or as a mask; their files, written whole or not at all."""

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
    return rgb_of(_opened(path))


def read_rgba(path: Path) -> Picture:
    """(H, W, 4); opaque where the file has no transparency."""
    return rgba_of(_opened(path))


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
    """(H, W) coverage, white inside; a picture that is transparent somewhere gives its alpha if its colours are all
    alike."""
    return mask_of(_opened(path))


def rgb_of(image: Image.Image) -> Picture:
    """What ``read_rgb`` makes of an ``upright`` picture."""
    return _converted(image, "RGB")


def rgba_of(image: Image.Image) -> Picture:
    """What ``read_rgba`` makes of an ``upright`` picture."""
    return _converted(image, "RGBA")


def mask_of(image: Image.Image) -> Bytes:
    """What ``read_mask`` makes of an ``upright`` picture."""
    if image.has_transparency_data:
        *colours, alpha = (np.asarray(band) for band in image.convert("RGBA").split())
        if alpha.min() < 255 and all(np.ptp(colour) == 0 for colour in colours):
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


def upright(image: Image.Image, name: object = "The picture") -> Image.Image:
    """With its camera's orientation applied and 8 bits a channel, in any mode; ``info[DEEP]`` says whether it had more.

    Args:
        name: what it is called in a sentence.

    Raises:
        PainterlyError: UNREADABLE_FILE.
    """
    deep = any("16" in str(tile[3]) for tile in getattr(image, "tile", ())) or image.mode.startswith("I;16")
    try:
        image.load()
        found = _eight_bits(ImageOps.exif_transpose(image), name)
    except (OSError, ValueError, SyntaxError) as error:
        raise _unreadable(name, error) from error
    found.info.update({"icc_profile": image.info.get("icc_profile"), DEEP: deep})
    return found


def profile_of(image: Image.Image) -> bytes | None:
    """Its colour profile, if it is one of RGB: one of CMYK or grey would make the RGB result unreadable."""
    profile: bytes | None = image.info.get("icc_profile")
    return profile if profile is not None and profile[16:20] == b"RGB " else None


def _converted(image: Image.Image, mode: str) -> Picture:
    notes = []
    if image.info[DEEP]:
        notes.append("read with 8 bits a channel")
    if mode == "RGB" and image.has_transparency_data:
        notes.append("its transparency is left out")
    return Picture(np.asarray(image.convert(mode)), profile_of(image), tuple(notes))


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise PainterlyError(
                    ErrorCode.BAD_REQUEST,
                    f"{path} has {image.width * image.height / 1e6:.0f} million pixels, more than can be sent.",
                    "Crop it to the part around the object.",
                )
            return upright(image, path)
    except FileNotFoundError as error:
        raise PainterlyError(ErrorCode.UNREADABLE_FILE, f"There is no file {path}.", "Check the name.") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def _unreadable(name: object, error: Exception) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNREADABLE_FILE, f"{name} cannot be read as a picture: {error}.", "Save it as PNG or JPEG."
    )


def _eight_bits(image: Image.Image, name: object) -> Image.Image:
    """Grey of 16 bits scaled to 8, which Pillow's own conversion would clip; what has no fixed white is refused."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
    if image.mode in {"I", "F"}:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{name} has samples of 32 bits.", "Save it with 8 or 16 bits a channel."
        )
    return image


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
