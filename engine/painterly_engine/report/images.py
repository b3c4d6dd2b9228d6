"""Pictures as a page holds them: data addresses of a sane size."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from painterly_engine.pictures.files import Bytes

QUALITY = 88
FINEST = 160  # px: what is smaller than this is shown with its samples as squares


@dataclass(frozen=True)
class Inlined:
    """
    Attributes:
        address: "data:image/…;base64,…".
        width, height: of the samples in it.
    """

    address: str
    width: int
    height: int

    @property
    def coarse(self) -> bool:
        """Whether it has so few samples that a browser should not smooth between them."""
        return max(self.width, self.height) <= FINEST


def inline_photograph(pixels: Bytes, longest: int, profile: bytes | None = None) -> Inlined:
    """(H, W, 3) as JPEG without chroma subsampling, scaled down to ``longest`` pixels where it is larger."""
    image = _shrunk(Image.fromarray(pixels), longest, Image.Resampling.LANCZOS)
    return _inlined(image, "jpeg", quality=QUALITY, subsampling=0, optimize=True, icc_profile=profile)


def inline_drawing(pixels: Bytes, longest: int) -> Inlined:
    """(H, W) or (H, W, 3) as PNG, sample for sample unless it is larger than ``longest``."""
    return _inlined(_shrunk(Image.fromarray(pixels), longest, Image.Resampling.BOX), "png", optimize=True)


def field_colours(field: NDArray[Any]) -> Bytes:
    """A field (2, h, w) of places as colours (h, w, 3): every place in the painting has a colour of its own.

    Blended in linear light between four corners that colour-blind people tell apart by lightness or hue.
    """
    corners = _linear(np.array([[(13, 60, 120), (20, 150, 140)], [(190, 50, 90), (250, 220, 90)]], np.float32))
    y, x = field.clip(0, 1)[..., None]
    upper = corners[0, 0] * (1 - x) + corners[0, 1] * x
    lower = corners[1, 0] * (1 - x) + corners[1, 1] * x
    colours = (upper * (1 - y) + lower * y) ** (1 / 2.2) * 255
    samples: Bytes = np.rint(colours).astype(np.uint8)
    return samples


def field_picture(field: NDArray[Any], painting: Bytes, longest: int) -> Bytes:
    """What the field (2, h, w) fetches: a collage of the painting's own pieces, about ``longest`` pixels long."""
    height, width = field.shape[1:]
    piece = max(1, longest // max(height, width))
    small = Image.fromarray(painting).resize((width * piece, height * piece), Image.Resampling.LANCZOS)
    pieces = np.asarray(small).reshape(height, piece, width, piece, 3).swapaxes(1, 2)
    rows, columns = ((field[axis] * side).astype(int).clip(0, side - 1) for axis, side in ((0, height), (1, width)))
    collage: Bytes = pieces[rows, columns].swapaxes(1, 2).reshape(height * piece, width * piece, 3)
    return collage


def _linear(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    linear: NDArray[np.float32] = (colours / 255) ** np.float32(2.2)
    return linear


def _shrunk(image: Image.Image, longest: int, how: Image.Resampling) -> Image.Image:
    factor = longest / max(image.size)
    if factor >= 1:
        return image
    return image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))), how)


def _inlined(image: Image.Image, kind: str, **options: Any) -> Inlined:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Inlined(f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}", image.width, image.height)
