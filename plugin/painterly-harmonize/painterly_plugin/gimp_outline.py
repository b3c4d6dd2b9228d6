"""The outline that a result layer remembers: found again on the canvas, and attached to a new layer."""

from __future__ import annotations

import zlib

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin.gimp_choose import canvas_box, parasite_data  # noqa: E402
from painterly_plugin.gimp_scratch import MASK_FORMATS, RGBA_FORMATS, box_of, read  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.outline import (  # noqa: E402
    PARASITE_NAME,
    Made,
    Shape,
    checksum_of_rows,
    is_lost,
    place_of,
    rows_to_look_at,
    shown_at,
    unpacked,
)
from painterly_plugin.placement import Box, both, crop, solid  # noqa: E402
from painterly_plugin.steps import Steps  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402
from painterly_protocol.pixels import Pixels, SampleType  # noqa: E402

EIGHT = SampleType.UINT8


def shape_of(object_layer: Gimp.Layer) -> Steps[Shape]:
    """The object as it lies there, without its mask and filters."""
    box = box_of(object_layer)
    rows = []
    for row in rows_to_look_at(box.height):
        rows.append(read(object_layer, Box(box.x, box.y + row, box.width, 1), RGBA_FORMATS[EIGHT]))
        yield
    return Shape(box, checksum_of_rows(rows))


def shape_of_mask(mask: Gimp.LayerMask, box: Box) -> Steps[Shape]:
    """The layer mask of a result that will stand in ``box``, and is not in the image yet."""
    return Shape(box, zlib.crc32((yield from _strips(mask, box.shifted(-box.x, -box.y)))))


def found_again(result: Gimp.Layer, object_layer: Gimp.Layer) -> Steps[tuple[Box, bytes]]:
    """The soft mask of an earlier result, and where on the canvas it belongs now.

    It is what the layer remembers, without what was painted out of its layer mask since; where that fits no longer, the
    layer mask itself, or the layer's alpha.

    Raises:
        PainterlyError: BAD_REQUEST where neither tells where the object is.
    """
    canvas = canvas_box(result.get_image())
    box = box_of(result)
    shown = yield from _shown(result, box)
    now = Made((yield from shape_of(object_layer)), Shape(box, zlib.crc32(shown)))
    data = parasite_data(result, PARASITE_NAME)
    outline = None if data is None else unpacked(data)
    place = None if outline is None else place_of(outline, now)
    coverage = None if outline is None or place is None else outline.coverage(canvas)
    if outline is not None and place is not None and coverage is not None:
        visible_at = shown_at(outline, place, now)
        if visible_at is not None:
            yield
            coverage = both(coverage, solid((yield from _shown(result, visible_at))))
        return _inside(canvas, place, coverage)
    tells_nothing = result.get_mask() is None and shown.count(255) == len(shown)
    if tells_nothing or (outline is not None and is_lost(outline, now)):
        raise outline_lost(object_layer.get_name(), result.get_name())
    return _inside(canvas, box, shown)


def outline_lost(name: str, result: str) -> PainterlyError:
    """That the outline of the layer called ``result`` is not the object's any more."""
    sentence = _("The object “{name}” is not what it was when “{result}” was made of it: its outline does not fit now.")
    return PainterlyError(
        ErrorCode.BAD_REQUEST,
        sentence.format(name=name, result=result),
        _("Select the part of the object to harmonize, or run the filter on the object's own layer."),
    )


def _shown(result: Gimp.Layer, box: Box) -> Steps[bytes]:
    """How much of the result is shown in a box of the canvas: its layer mask, or its alpha; zeros outside it."""
    mask = result.get_mask()
    return (yield from _strips(mask or result, box))


def _strips(drawable: Gimp.Drawable, box: Box) -> Steps[bytes]:
    parts = []
    for strip in box.strips():
        if isinstance(drawable, Gimp.LayerMask):
            parts.append(read(drawable, strip, MASK_FORMATS[EIGHT]))
        else:
            parts.append(read(drawable, strip, RGBA_FORMATS[EIGHT])[3::4])
        yield
    return b"".join(parts)


def _inside(canvas: Box, box: Box, coverage: bytes) -> tuple[Box, bytes]:
    part = box.intersect(canvas)
    if part == box or part.is_empty:
        return part, coverage if part == box else b""
    return part, bytes(crop(Pixels(box.height, box.width, 1, EIGHT, coverage), part.shifted(-box.x, -box.y)).data)
