"""The parts of a run's page that show its results on the way: pictures, masks, nearest-neighbour fields."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from painterly_engine.pictures.files import Bytes
from painterly_engine.report import markup
from painterly_engine.report.close_up import INSIDE, Box, crop
from painterly_engine.report.images import Inlined, field_colours, field_picture, inline_drawing, inline_photograph
from painterly_engine.report.record import Record, Stage

THUMBNAIL = 520  # px
GREY, SHOWN_OUTSIDE = 118, 0.25
OF_THE_PAINTING = "imitated"  # a mask with this in its name lies on the painting, the others on the composite


def stages_section(pictures: Sequence[tuple[str, Bytes]], record: Record, close: Box | None) -> str:
    """Named pictures in the order of making, from near where there is a close-up."""
    tiles = []
    for name, pixels in pictures:
        near = pixels if close is None else crop(pixels, close, record.mask.shape)
        tiles.append(_tile(inline_photograph(near, THUMBNAIL, record.profile), name))
    return markup.section("From pasted to painted", _gallery(tiles))


def masks_section(record: Record) -> str:
    """Each mask as what it lets through."""
    tiles = []
    for stage in record.stages:
        if stage.kind == "mask":
            below = record.painting if OF_THE_PAINTING in stage.name else record.composite
            tiles.append(_tile(inline_photograph(_lit(below, stage.data), THUMBNAIL, record.profile), stage.name))
    return markup.section(
        "Masks",
        _gallery(tiles),
        lead="Grey is outside. The tight mask is the object, the loose mask is where pixels may change, and the "
        "imitated places are the parts of the painting that the object learns from.",
    )


def fields_section(record: Record, close: Box | None) -> str:
    """Each field as colours and as what it fetches, from near where there is a close-up; the key is of everything."""
    fields = [stage for stage in record.stages if stage.kind == "field"]
    if not fields:
        return ""
    height, width = fields[-1].data.shape[1:]
    y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    key = inline_drawing(field_colours(np.stack([y, x])), THUMBNAIL)
    painting = inline_photograph(record.painting, THUMBNAIL, record.profile)
    tiles = [_pair(key, painting, "the key: each place of the painting has a colour")]
    for stage in fields:
        colours, fetched = _near(stage, record, close)
        photograph = inline_photograph(fetched, THUMBNAIL, record.profile)
        tiles.append(_pair(inline_drawing(colours, THUMBNAIL), photograph, stage.name))
    return markup.section(
        "Which places of the painting were imitated",
        _gallery(tiles, "pairs"),
        lead="Left, each spot of the object has the colour that its model has in the key; greyed around it, the "
        "painting mostly imitates itself. Right, the pieces of the painting that are there.",
    )


def _near(stage: Stage, record: Record, close: Box | None) -> tuple[Bytes, Bytes]:
    """The field's colours and its pieces of the painting, both of the same positions."""
    size = stage.data.shape[1:]
    rows, columns = _positions(close, record.mask.shape, size)
    share = max((rows.stop - rows.start) / size[0], (columns.stop - columns.start) / size[1])
    pieces = field_picture(stage.data, record.painting, min(round(THUMBNAIL / share), max(record.mask.shape)))
    piece = pieces.shape[0] // size[0]
    fine = [slice(part.start * piece, part.stop * piece) for part in (rows, columns)]
    return _where(stage, record)[rows, columns], pieces[fine[0], fine[1]]


def _positions(close: Box | None, whole: tuple[int, ...], size: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a field that the close-up, in pixels of the whole, touches."""
    top, bottom, left, right = close or (0, whole[0], 0, whole[1])
    return (
        slice(top * size[0] // whole[0], -(-bottom * size[0] // whole[0])),
        slice(left * size[1] // whole[1], -(-right * size[1] // whole[1])),
    )


def _where(stage: Stage, record: Record) -> Bytes:
    """The field's colours (h, w, 3), greyed outside the object."""
    height, width = stage.data.shape[1:]
    inside = Image.fromarray(record.mask).resize((width, height), Image.Resampling.BOX)
    return _dimmed(field_colours(stage.data), np.where(np.asarray(inside) > INSIDE, 255, 0).astype(np.uint8))


def _lit(picture: Bytes, mask: Bytes) -> Bytes:
    """A thumbnail of the picture (H, W, 3), greyed outside the mask (h, w)."""
    small = Image.fromarray(picture)
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    coarse = max(mask.shape) < max(small.size)
    scaled = Image.fromarray(mask).resize(small.size, Image.Resampling.NEAREST if coarse else Image.Resampling.BOX)
    return _dimmed(np.asarray(small), np.asarray(scaled))


def _dimmed(picture: Bytes, mask: Bytes) -> Bytes:
    share = SHOWN_OUTSIDE + (1 - SHOWN_OUTSIDE) * mask[..., None].astype(np.float32) / 255
    samples: Bytes = np.rint(share * picture + (1 - share) * GREY).astype(np.uint8)
    return samples


def _tile(image: Inlined, caption: str) -> str:
    return markup.figure(markup.picture(image, caption), caption)


def _pair(left: Inlined, right: Inlined, caption: str) -> str:
    images = markup.picture(left, caption) + markup.picture(right, f"{caption}: what is there in the painting")
    return markup.figure(f'<div class="pair">{images}</div>', caption)


def _gallery(tiles: Sequence[str], style: str = "") -> str:
    return f'<div class="gallery {style}">{"".join(tiles)}</div>' if tiles else ""
