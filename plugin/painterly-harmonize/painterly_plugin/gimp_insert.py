"""What to insert: one layer with its mask, in one undo step, once the whole result is here."""

from __future__ import annotations

from dataclasses import dataclass

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin.gimp_choose import Choice  # noqa: E402
from painterly_plugin.gimp_read import MASK_FORMATS, RGBA_FORMATS, Subject, write  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.placement import (  # noqa: E402
    Box,
    crop,
    different,
    eight_bit,
    either,
    leading_bytes,
    opaque,
    pasted,
    solid,
)
from painterly_plugin.settings import COVERAGE_NAME, PARASITE_NAME, is_blended, pack_coverage  # noqa: E402
from painterly_plugin.steps import Steps  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402
from painterly_protocol.messages import Result  # noqa: E402
from painterly_protocol.pixels import Pixels, SampleType  # noqa: E402

PARASITE_PERSISTENT = 1  # saved with the image; Gimp.PARASITE_PERSISTENT in C


def insert_result(
    image: Gimp.Image, choice: Choice, subject: Subject, result: Result, note: bytes, hide_object: bool
) -> Steps[Gimp.Layer]:
    """Put the result just above the object, in its group, and return the new layer; the last step alone does that.

    ``note`` becomes its parasite. Where an earlier result is harmonized again, that one is hidden and the new layer
    stands above it.

    Raises:
        PainterlyError: BAD_REQUEST when the object was deleted meanwhile.
    """
    made = _made_of(subject, result)
    layer = _new_layer(image, choice.object_layer, made.box)
    try:
        yield from _write(layer, Box(0, 0, made.box.width, made.box.height), made.picture)
        mask = layer.create_mask(Gimp.AddMaskType.BLACK)
        layer.add_mask(mask)
        yield from _write(mask, Box(0, 0, made.box.width, made.box.height), made.mask)
        if made.coverage:
            _attach(layer, COVERAGE_NAME, made.coverage)
        _attach(layer, PARASITE_NAME, note)
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
        _place(layer, _below(image, choice), made.box)
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


@dataclass(frozen=True)
class _Made:
    """What the new layer holds.

    Attributes:
        box: its place on the canvas.
        picture, mask: of that size.
        coverage: the soft mask for harmonizing again, where ``mask`` is another one; b"" where it is not.
    """

    box: Box
    picture: Pixels
    mask: Pixels
    coverage: bytes = b""


def _made_of(subject: Subject, result: Result) -> _Made:
    """The soft mask's box with that mask; or, blended by the engine already, all that it has changed."""
    area, box = subject.area, subject.mask_box
    in_area = box.shifted(-area.x, -area.y)
    mask = crop(subject.mask, in_area)
    if not is_blended(result.metadata):
        return _Made(box, _picture(subject, result, in_area), mask)
    changed = Box(result.x, result.y, result.picture.width, result.picture.height)
    whole = in_area.union(changed.intersect(Box(0, 0, area.width, area.height)))
    picture = _picture(subject, result, whole)
    shown = either(different(picture, crop(subject.painting, whole)), solid(leading_bytes(crop(subject.mask, whole))))
    coverage = pack_coverage(box.x, box.y, box.width, box.height, eight_bit(mask))
    hard = Pixels(whole.height, whole.width, 1, SampleType.UINT8, shown)
    return _Made(whole.shifted(area.x, area.y), picture, hard, coverage)


def _picture(subject: Subject, result: Result, box: Box) -> Pixels:
    """The result's pixels in a box of the area, and the painting's where the result does not reach."""
    changed = Box(result.x, result.y, result.picture.width, result.picture.height)
    common = changed.intersect(box)
    if common == box:
        return crop(result.picture, box.shifted(-changed.x, -changed.y))
    painting = crop(subject.painting, box)
    if common.is_empty or painting.sample_type is not result.picture.sample_type:
        return painting
    part = crop(result.picture, common.shifted(-changed.x, -changed.y))
    return pasted(painting, part, common.x - box.x, common.y - box.y)


def _attach(layer: Gimp.Layer, name: str, data: bytes) -> None:
    # Its bytes are signed ones.
    layer.attach_parasite(Gimp.Parasite.new(name, PARASITE_PERSISTENT, list(memoryview(data).cast("b"))))


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
