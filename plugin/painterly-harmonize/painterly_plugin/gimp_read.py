"""What to read: painting, composite and mask of the chosen layers, as the user sees them.

Everything happens in a duplicate of the image, where GIMP itself renders modes, opacities, masks, filters, groups and
offsets. The user's image is never touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402

from painterly_plugin.gimp_choose import Choice, canvas_box, position  # noqa: E402
from painterly_plugin.placement import Box, alpha_plane, covered_box  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402
from painterly_protocol.pixels import Pixels, SampleType  # noqa: E402

# babl's names; an unknown one would end the process, so they are written down once.
RGB_FORMATS = {SampleType.UINT8: "R'G'B' u8", SampleType.UINT16: "R'G'B' u16", SampleType.FLOAT32: "R'G'B' float"}
RGBA_FORMATS = {SampleType.UINT8: "R'G'B'A u8", SampleType.FLOAT32: "R'G'B'A float"}
MASK_FORMATS = {SampleType.UINT8: "Y u8", SampleType.FLOAT32: "Y float"}  # linear coverage: never Y'
EIGHT_BIT = (Gimp.Precision.U8_LINEAR, Gimp.Precision.U8_NON_LINEAR, Gimp.Precision.U8_PERCEPTUAL)


@dataclass(frozen=True)
class Subject:
    """What is sent to the engine, and where it belongs.

    Attributes:
        area: the part of the canvas the pictures show: where there is any painting.
        painting, composite, mask: pictures of ``area``.
        mask_box: the part of the canvas where the mask is not zero.
    """

    area: Box
    painting: Pixels
    composite: Pixels
    mask: Pixels
    mask_box: Box


def read_subject(image: Gimp.Image, choice: Choice) -> Subject:
    """Read the pictures of ``choice`` from ``image``.

    The mask is selection × the object's alpha (its layer mask included); without a selection the alpha alone. The
    composite shows the object, with its own opacity and mode, only where it is selected.

    Raises:
        PainterlyError: BAD_REQUEST where there is no painting, EMPTY_MASK where nothing of the object is selected.
    """
    sample_type = SampleType.UINT8 if image.get_precision() in EIGHT_BIT else SampleType.FLOAT32
    with _duplicate(image) as scratch:
        painting = _painting(scratch, choice)
        cutout = _cutout(scratch, position(choice.object_layer))
        _hide_all(scratch)
        area = _painted_area(painting, canvas_box(image), sample_type, choice)
        mask = _mask(scratch, cutout, area, sample_type)
        covered = covered_box(mask)
        if covered.is_empty:
            raise _empty_mask(image, choice.object_layer)
        paper = _paper(scratch)
        _put_on_top(scratch, paper)
        _put_on_top(scratch, painting)
        painting_pixels = _visible_rgb(scratch, area, sample_type)
        _restore_blending(cutout, choice.object_layer)
        _put_on_top(scratch, cutout)
        composite_pixels = _visible_rgb(scratch, area, sample_type)
    return Subject(area, painting_pixels, composite_pixels, mask, covered.shifted(area.x, area.y))


@contextmanager
def _duplicate(image: Gimp.Image) -> Iterator[Gimp.Image]:
    scratch = image.duplicate()
    try:
        scratch.undo_disable()
        yield scratch
    finally:
        scratch.delete()


def _item_at(image: Gimp.Image, place: tuple[int, ...]) -> Gimp.Layer:
    layers: Sequence[Gimp.Layer] = image.get_layers()
    for step in place[:-1]:
        layers = layers[step].get_children()
    return layers[place[-1]]


def _painting(scratch: Gimp.Image, choice: Choice) -> Gimp.Layer:
    """The painting as one flat layer of canvas size."""
    if choice.painting_layer is not None:
        return _isolated(scratch, position(choice.painting_layer))
    _hide_from(scratch.get_layers(), position(choice.object_layer))
    return Gimp.Layer.new_from_visible(scratch, scratch, "painting")


def _cutout(scratch: Gimp.Image, place: tuple[int, ...]) -> Gimp.Layer:
    """The object as one flat layer of canvas size, its selected part only."""
    cutout = _isolated(scratch, place)
    if not cutout.has_alpha():
        cutout.add_alpha()
    scratch.insert_layer(cutout, None, 0)
    if not Gimp.Selection.is_empty(scratch):
        cutout.add_mask(cutout.create_mask(Gimp.AddMaskType.SELECTION))
    return cutout


def _isolated(scratch: Gimp.Image, place: tuple[int, ...]) -> Gimp.Layer:
    """A layer or group alone, at full opacity, as a flat layer of canvas size: mask and filters applied."""
    # The copy stands outside all groups: theirs are added again by the group the result is inserted in.
    copy = _item_at(scratch, place).copy()
    copy.set_opacity(100.0)
    copy.set_mode(Gimp.LayerMode.NORMAL)
    shown = [layer for layer in scratch.get_layers() if layer.get_visible()]
    _hide_all(scratch)
    _put_on_top(scratch, copy)
    flat = Gimp.Layer.new_from_visible(scratch, scratch, "flat")
    scratch.remove_layer(copy)
    for layer in shown:
        layer.set_visible(True)
    return flat


def _hide_all(scratch: Gimp.Image) -> None:
    for layer in scratch.get_layers():
        layer.set_visible(False)


def _hide_from(layers: Sequence[Gimp.Layer], place: tuple[int, ...]) -> None:
    """Hide the layer at ``place`` and everything drawn above it; what lies below it in its groups stays."""
    for layer in layers[: place[0]]:
        layer.set_visible(False)
    if len(place) > 1:
        _hide_from(layers[place[0]].get_children(), place[1:])
    else:
        layers[place[0]].set_visible(False)


def _painted_area(painting: Gimp.Layer, canvas: Box, sample_type: SampleType, choice: Choice) -> Box:
    alpha = _alpha(painting, canvas, sample_type)
    area = covered_box(alpha)
    if area.is_empty and choice.painting_layer is not None:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"The painting “{choice.painting_layer.get_name()}” shows nothing on the canvas.",
            "Select the layer with the painting as the lower of the two.",
        )
    if area.is_empty:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"There is no painting below the layer “{choice.object_layer.get_name()}”.",
            "Select the object's layer, and keep the painting visible below it.",
        )
    return area


def _mask(scratch: Gimp.Image, cutout: Gimp.Layer, area: Box, sample_type: SampleType) -> Pixels:
    cutout.set_visible(True)
    visible = Gimp.Layer.new_from_visible(scratch, scratch, "mask")
    cutout.set_visible(False)
    return _alpha(visible, area, sample_type)


def _paper(scratch: Gimp.Image) -> Gimp.Layer:
    """White paper under a painting with holes, because the engine knows no transparency."""
    gray = scratch.get_base_type() == Gimp.ImageBaseType.GRAY
    kind = Gimp.ImageType.GRAYA_IMAGE if gray else Gimp.ImageType.RGBA_IMAGE
    size = scratch.get_width(), scratch.get_height()
    paper = Gimp.Layer.new(scratch, "paper", *size, kind, 100.0, Gimp.LayerMode.NORMAL)
    paper.fill(Gimp.FillType.WHITE)
    return paper


def _restore_blending(cutout: Gimp.Layer, original: Gimp.Layer) -> None:
    cutout.set_opacity(original.get_opacity())
    mode = original.get_mode()
    # Only groups pass through; alone on the painting that is the same as normal.
    cutout.set_mode(Gimp.LayerMode.NORMAL if mode == Gimp.LayerMode.PASS_THROUGH else mode)


def _put_on_top(scratch: Gimp.Image, layer: Gimp.Layer) -> None:
    if layer.get_image() is None or layer not in scratch.get_layers():
        scratch.insert_layer(layer, None, 0)
    else:
        scratch.raise_item_to_top(layer)
    layer.set_visible(True)


def _visible_rgb(scratch: Gimp.Image, area: Box, sample_type: SampleType) -> Pixels:
    visible = Gimp.Layer.new_from_visible(scratch, scratch, "visible")
    data = _read(visible, area, RGB_FORMATS[sample_type])
    return Pixels(area.height, area.width, 3, sample_type, data)


def _alpha(layer: Gimp.Layer, box: Box, sample_type: SampleType) -> Pixels:
    rgba = _read(layer, box, RGBA_FORMATS[sample_type])
    return alpha_plane(rgba, box.width, box.height, sample_type)


def _read(layer: Gimp.Layer, box: Box, pixel_format: str) -> bytes:
    """The layer's pixels in a box of the canvas; zeros outside the layer."""
    _ok, x, y = layer.get_offsets()
    rectangle = Gegl.Rectangle.new(box.x - x, box.y - y, box.width, box.height)
    return bytes(layer.get_buffer().get(rectangle, 1.0, pixel_format, Gegl.AbyssPolicy.NONE))


def _empty_mask(image: Gimp.Image, layer: Gimp.Layer) -> PainterlyError:
    name = layer.get_name()
    if Gimp.Selection.is_empty(image):
        return PainterlyError(
            ErrorCode.EMPTY_MASK,
            f"Nothing of the object “{name}” can be seen on the painting.",
            "Select the layer that holds the object, and place it on the painting.",
        )
    return PainterlyError(
        ErrorCode.EMPTY_MASK,
        f"The selection does not touch the object “{name}”.",
        "Select the part of the object to harmonize, or choose Select → None to take all of it.",
    )
