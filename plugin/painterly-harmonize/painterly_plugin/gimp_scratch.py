"""A copy of the image to work in: what is read from it, written to it, shown and hidden."""

from __future__ import annotations

from collections.abc import Sequence

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402

from painterly_plugin.placement import Box, without_alpha  # noqa: E402
from painterly_plugin.steps import Steps  # noqa: E402
from painterly_protocol.pixels import Pixels, SampleType  # noqa: E402

# babl's names; an unknown one would end the process, so they are written down once.
RGB_FORMATS = {SampleType.UINT8: "R'G'B' u8", SampleType.UINT16: "R'G'B' u16", SampleType.FLOAT32: "R'G'B' float"}
RGBA_FORMATS = {
    SampleType.UINT8: "R'G'B'A u8",
    SampleType.UINT16: "R'G'B'A u16",
    SampleType.FLOAT32: "R'G'B'A float",
}
MASK_FORMATS = {SampleType.UINT8: "Y u8", SampleType.FLOAT32: "Y float"}  # linear coverage: never Y'


def write(drawable: Gimp.Drawable, box: Box, pixel_format: str, data: bytes) -> None:
    """Replace the pixels of ``box``, counted from the drawable's own corner."""
    buffer = drawable.get_buffer()
    buffer.set(Gegl.Rectangle.new(box.x, box.y, box.width, box.height), pixel_format, bytes(data))
    buffer.flush()
    drawable.update(box.x, box.y, box.width, box.height)


def read(drawable: Gimp.Drawable, box: Box, pixel_format: str) -> bytes:
    """The drawable's pixels in a box of its image; zeros outside the drawable."""
    _ok, x, y = drawable.get_offsets()
    rectangle = Gegl.Rectangle.new(box.x - x, box.y - y, box.width, box.height)
    return bytes(drawable.get_buffer().get(rectangle, 1.0, pixel_format, Gegl.AbyssPolicy.NONE))


def eight_bit(plane: Pixels) -> bytes:
    """A plane of coverage as one byte for each pixel."""
    if plane.sample_type is SampleType.UINT8:
        return bytes(plane.data)
    whole, stored = Gegl.Rectangle.new(0, 0, plane.width, plane.height), MASK_FORMATS[plane.sample_type]
    buffer = Gegl.Buffer.new(stored, 0, 0, plane.width, plane.height)
    buffer.set(whole, stored, bytes(plane.data))
    return bytes(buffer.get(whole, 1.0, MASK_FORMATS[SampleType.UINT8], Gegl.AbyssPolicy.NONE))


def read_visible(scratch: Gimp.Image, area: Box, kind: SampleType) -> Steps[Pixels]:
    """The colours that are visible in a part of the image, step by step."""
    visible = Gimp.Layer.new_from_visible(scratch, scratch, "visible")
    yield
    parts = []
    for strip in area.strips():
        parts.append(without_alpha(read(visible, strip, RGBA_FORMATS[kind]), kind))
        yield
    return Pixels(area.height, area.width, 3, kind, b"".join(parts))


def item_at(image: Gimp.Image, place: tuple[int, ...]) -> Gimp.Layer:
    layers: Sequence[Gimp.Layer] = image.get_layers()
    for step in place[:-1]:
        layers = layers[step].get_children()
    return layers[place[-1]]


def box_of(layer: Gimp.Layer) -> Box:
    _ok, x, y = layer.get_offsets()
    return Box(x, y, layer.get_width(), layer.get_height())


def isolated(scratch: Gimp.Image, layer: Gimp.Layer) -> Gimp.Layer:
    """A layer or group alone, at full opacity, as a flat layer of the image's size: mask and filters applied."""
    # The copy stands outside all groups: theirs are added again by the group the result is inserted in.
    copy = layer.copy()
    copy.set_opacity(100.0)
    copy.set_mode(Gimp.LayerMode.NORMAL)
    hide_all(scratch)
    put_on_top(scratch, copy)
    flat = Gimp.Layer.new_from_visible(scratch, scratch, "flat")
    scratch.remove_layer(copy)
    return flat


def hide_all(scratch: Gimp.Image) -> None:
    for layer in scratch.get_layers():
        layer.set_visible(False)


def hide_from(layers: Sequence[Gimp.Layer], place: tuple[int, ...]) -> None:
    """Hide the layer at ``place`` and everything drawn above it; what lies below it in its groups stays."""
    for layer in layers[: place[0]]:
        layer.set_visible(False)
    if len(place) > 1:
        hide_from(layers[place[0]].get_children(), place[1:])
    else:
        layers[place[0]].set_visible(False)


def new_layer(image: Gimp.Image, name: str, width: int, height: int) -> Gimp.Layer:
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    kind = Gimp.ImageType.GRAYA_IMAGE if gray else Gimp.ImageType.RGBA_IMAGE
    return Gimp.Layer.new(image, name, width, height, kind, 100.0, Gimp.LayerMode.NORMAL)


def nothing(scratch: Gimp.Image) -> Gimp.Layer:
    return new_layer(scratch, "nothing", scratch.get_width(), scratch.get_height())


def paper(scratch: Gimp.Image) -> Gimp.Layer:
    """White paper under a painting with holes, because the engine knows no transparency."""
    sheet = nothing(scratch)
    sheet.fill(Gimp.FillType.WHITE)
    return sheet


def put_on_top(scratch: Gimp.Image, layer: Gimp.Layer) -> None:
    if layer.get_image() is None or layer not in scratch.get_layers():
        scratch.insert_layer(layer, None, 0)
    else:
        scratch.raise_item_to_top(layer)
    layer.set_visible(True)
