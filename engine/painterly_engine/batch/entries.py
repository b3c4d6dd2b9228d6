"""One line of a batch: which pictures, which settings. Nothing is read before it is its turn."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from painterly_engine.arrays import to_pixels
from painterly_engine.pictures.arrangement import Placement, arrange
from painterly_engine.pictures.files import Picture, read_cutout, read_mask, read_rgb
from painterly_engine.pictures.placement import Pasted
from painterly_protocol.errors import PainterlyError
from painterly_protocol.request import HarmonizeRequest, Parameters


def as_file(name: str) -> str:
    """The same for two names that some system takes for one file: Windows and macOS see no capitals."""
    return unicodedata.normalize("NFC", name).casefold()


@dataclass(frozen=True)
class Entry:
    """Either a composite with its mask, or objects to be pasted in.

    Attributes:
        name: of its result; no other entry of the batch has it, not even ``as_file``.
        style, style_mask: what is imitated, and where in it, as in ``HarmonizeRequest``.
    """

    name: str
    painting: Path
    composite: Path | None = None
    mask: Path | None = None
    objects: tuple[tuple[Path, Placement], ...] = ()
    loose_mask: Path | None = None
    style: Path | None = None
    style_mask: Path | None = None
    parameters: Parameters = field(default_factory=Parameters)

    def files(self) -> Iterator[tuple[str, Path]]:
        """Every file it is made from, by what it is."""
        for role in ("painting", "composite", "mask", "loose_mask", "style", "style_mask"):
            path: Path | None = getattr(self, role)
            if path is not None:
                yield role, path
        for path, _ in self.objects:
            yield "object", path


@dataclass(frozen=True)
class Broken:
    """What should have been an entry, and what is wrong with it. Its name, too, is no other's of the batch."""

    name: str
    error: PainterlyError


@dataclass(frozen=True)
class Pictures:
    """An entry's, as read."""

    painting: Picture
    pasted: Pasted


def read(entry: Entry) -> Pictures:
    """
    Raises:
        PainterlyError: UNREADABLE_FILE, BAD_REQUEST.
    """
    painting = read_rgb(entry.painting)
    if entry.composite is not None and entry.mask is not None:
        return Pictures(painting, Pasted(read_rgb(entry.composite).pixels, read_mask(entry.mask)))
    objects = [(read_cutout(path), placement) for path, placement in entry.objects]
    return Pictures(painting, arrange(painting.pixels, objects))


def request(entry: Entry) -> HarmonizeRequest:
    """
    Raises:
        PainterlyError: as ``read``, and SIZE_MISMATCH.
    """
    pictures = read(entry)
    loose, lends = (
        None if path is None else to_pixels(read_mask(path)) for path in (entry.loose_mask, entry.style_mask)
    )
    return HarmonizeRequest(
        painting=to_pixels(pictures.painting.pixels),
        composite=to_pixels(pictures.pasted.composite),
        mask=to_pixels(pictures.pasted.mask),
        loose_mask=loose,
        parameters=entry.parameters,
        style=None if entry.style is None else to_pixels(read_rgb(entry.style).pixels),
        style_mask=lends,
    )
