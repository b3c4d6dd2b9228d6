"""What to insert: one layer with its mask, in one undo step, once the whole result is here."""

from __future__ import annotations

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin.gimp_choose import Choice  # noqa: E402
from painterly_plugin.gimp_read import MASK_FORMATS, RGBA_FORMATS, Subject, write  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.placement import Box, crop, leading_bytes, opaque, solid  # noqa: E402
from painterly_plugin.settings import PARASITE_NAME, is_blended  # noqa: E402
from painterly_plugin.steps import Steps  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402
from painterly_protocol.messages import Result  # noqa: E402
from painterly_protocol.pixels import Pixels, SampleType  # noqa: E402

PARASITE_PERSISTENT = 1  # saved with the image; Gimp.PARASITE_PERSISTENT in C


def insert_result(
    image: Gimp.Image, choice: Choice, subject: Subject, result: Result, note: bytes, hide_object: bool
) -> Steps[Gimp.Layer]:
    """Put the result just above the object, in its group, and return the new layer; the last step alone does that.

    It covers the mask's box; the mask becomes its layer mask, ``note`` its parasite. Where an earlier result is
    harmonized again, that one is hidden and the new layer stands above it.

    Raises:
        PainterlyError: BAD_REQUEST when the object was deleted meanwhile.
    """
    layer = _new_layer(image, choice.object_layer, subject.mask_box)
    try:
        yield from _paint(layer, subject, result)
        yield from _add_mask(layer, subject, hard=is_blended(result.metadata))
        layer.attach_parasite(Gimp.Parasite.new(PARASITE_NAME, PARASITE_PERSISTENT, list(note)))
        if not _is_in(image, choice.object_layer):
            raise PainterlyError(
                ErrorCode.BAD_REQUEST,
                _("The object's layer was deleted while its result was being painted."),
                _("Undo the deletion and run the filter again."),
            )
    except BaseException:  # also where the steps are not taken to their end
        layer.delete()
        raise
    # The image is touched only now that nothing is left that could fail.
    image.undo_group_start()
    try:
        _place(layer, _below(image, choice), subject.mask_box)
        if hide_object:
            choice.object_layer.set_visible(False)
        if _is_in(image, choice.earlier):
            choice.earlier.set_visible(False)
        image.set_selected_layers([layer])
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return layer


def _new_layer(image: Gimp.Image, object_layer: Gimp.Layer, box: Box) -> Gimp.Layer:
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    kind = Gimp.ImageType.GRAYA_IMAGE if gray else Gimp.ImageType.RGBA_IMAGE
    name = _("Harmonized: {name}").format(name=object_layer.get_name())
    return Gimp.Layer.new(image, name, box.width, box.height, kind, 100.0, Gimp.LayerMode.NORMAL)


def _is_in(image: Gimp.Image, layer: Gimp.Layer | None) -> bool:
    return layer is not None and layer.is_valid() and layer.get_image() == image


def _below(image: Gimp.Image, choice: Choice) -> Gimp.Layer:
    """The layer that the new one stands on."""
    return choice.earlier if _is_in(image, choice.earlier) else choice.object_layer


def _place(layer: Gimp.Layer, below: Gimp.Layer, box: Box) -> None:
    """Just above ``below``, in its group."""
    image = below.get_image()
    image.insert_layer(layer, below.get_parent(), image.get_item_position(below))
    layer.set_offsets(box.x, box.y)
    # A new mask is what GIMP would paint on next; the user expects the picture.
    layer.set_edit_mask(False)


def _paint(layer: Gimp.Layer, subject: Subject, result: Result) -> Steps[None]:
    """The result's pixels, and the painting's where the result does not reach."""
    in_area = subject.mask_box.shifted(-subject.area.x, -subject.area.y)
    picture = result.picture
    changed = Box(result.x, result.y, picture.width, picture.height)
    common = changed.intersect(in_area)
    if common != in_area:
        painting = crop(subject.painting, in_area)
        yield from _write(layer, Box(0, 0, in_area.width, in_area.height), painting)
    if not common.is_empty:
        part = crop(picture, common.shifted(-changed.x, -changed.y))
        place = common.shifted(-in_area.x, -in_area.y)
        yield from _write(layer, place, part)


def _add_mask(layer: Gimp.Layer, subject: Subject, *, hard: bool) -> Steps[None]:
    """The soft mask; all that it covers, where the picture is blended by it already."""
    box = subject.mask_box
    mask = layer.create_mask(Gimp.AddMaskType.BLACK)
    layer.add_mask(mask)
    coverage = crop(subject.mask, box.shifted(-subject.area.x, -subject.area.y))
    if hard:
        coverage = Pixels(box.height, box.width, 1, SampleType.UINT8, solid(leading_bytes(coverage)))
    whole = Box(0, 0, box.width, box.height)
    yield from _write(mask, whole, coverage)


def _write(drawable: Gimp.Drawable, place: Box, picture: Pixels) -> Steps[None]:
    """``picture`` into ``place`` of the drawable, strip by strip."""
    kind = picture.sample_type
    for strip in Box(0, 0, picture.width, picture.height).strips():
        samples = bytes(crop(picture, strip).data)
        at = strip.shifted(place.x, place.y)
        if picture.channels == 3:
            write(drawable, at, RGBA_FORMATS[kind], opaque(samples, kind))
        else:
            write(drawable, at, MASK_FORMATS[kind], samples)
        yield
