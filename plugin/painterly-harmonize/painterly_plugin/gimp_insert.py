"""What to insert: one layer with its mask, in one undo step, once the whole result is here."""

from __future__ import annotations

import zlib

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin.gimp_choose import Choice, is_in  # noqa: E402
from painterly_plugin.gimp_outline import shape_of_mask  # noqa: E402
from painterly_plugin.gimp_read import Subject  # noqa: E402
from painterly_plugin.gimp_scratch import MASK_FORMATS, RGBA_FORMATS, eight_bit, new_layer, write  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.outline import PARASITE_NAME as OUTLINE_NAME  # noqa: E402
from painterly_plugin.outline import Made, Outline, packed  # noqa: E402
from painterly_plugin.placement import Box, alpha_plane, crop, with_alpha  # noqa: E402
from painterly_plugin.settings import PARASITE_NAME  # noqa: E402
from painterly_plugin.steps import Steps  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402
from painterly_protocol.messages import Result  # noqa: E402
from painterly_protocol.pixels import Pixels  # noqa: E402

PARASITE_PERSISTENT = 1  # saved with the image; Gimp.PARASITE_PERSISTENT in C


def insert_result(
    image: Gimp.Image, choice: Choice, subject: Subject, result: Result, note: bytes, hide_object: bool
) -> Steps[Gimp.Layer]:
    """Put the result just above the object, in its group, and return the new layer; the last step alone does that.

    ``note`` becomes its parasite. Where an earlier result is harmonized again, that one is hidden and the new layer
    stands above it.

    Raises:
        PainterlyError: BAD_REQUEST when the image was closed or the object was deleted meanwhile.
    """
    _check_presence(image, choice)
    picture, area = result.picture, subject.area
    box = Box(area.x + result.x, area.y + result.y, picture.width, picture.height)
    layer = _new_layer(image, choice.object_layer, box)
    try:
        mask = layer.create_mask(Gimp.AddMaskType.BLACK)
        layer.add_mask(mask)
        yield from _write(layer, mask, picture)
        made = Made(subject.made_of, (yield from shape_of_mask(mask, box)))
        outline = Outline(subject.mask_box, (yield from _compressed(subject)), made)
        _attach(layer, OUTLINE_NAME, packed(outline))
        yield
        _attach(layer, PARASITE_NAME, note)
        _check_presence(image, choice)
    except BaseException:  # also where the steps are not taken to their end
        if layer.is_valid():  # it goes with its image
            layer.delete()
        raise
    # The image is touched only now that nothing is left that could fail.
    image.undo_group_start()
    try:
        _place(layer, _below(image, choice), box)
        hidden = [choice.object_layer] if hide_object else []
        hidden += [choice.earlier] if is_in(image, choice.earlier) else []
        for below in hidden:
            below.set_visible(False)
        image.set_selected_layers([layer])
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    _tell_what_shows(hidden)
    return layer


def _tell_what_shows(layers: list[Gimp.Layer]) -> None:
    """A locked visibility is the user's wish, and stays; that the layer shows is seen at the result's edge alone."""
    for layer in layers:
        if layer.get_visible():
            sentence = _(
                "The layer “{name}” could not be hidden, because its visibility is locked: it shows at the edge."
            )
            advice = _("Unlock it in the Layers dialog and hide it there.")
            Gimp.message(f"{sentence.format(name=layer.get_name())} {advice}")


def _new_layer(image: Gimp.Image, object_layer: Gimp.Layer, box: Box) -> Gimp.Layer:
    name = _("Harmonized: {name}").format(name=object_layer.get_name())
    layer = new_layer(image, name, box.width, box.height)
    # The engine has judged the soft edge by sRGB's own numbers; GIMP would blend it in linear light, which is lighter.
    layer.set_composite_space(Gimp.LayerColorSpace.RGB_PERCEPTUAL)
    return layer


def _check_presence(image: Gimp.Image, choice: Choice) -> None:
    if not image.is_valid():
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            _("The image was closed while its result was being painted."),
            _("Open it, and run the filter again."),
        )
    if not is_in(image, choice.object_layer):
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            _("The object's layer was deleted while its result was being painted."),
            _("Undo the deletion and run the filter again."),
        )


def _below(image: Gimp.Image, choice: Choice) -> Gimp.Layer:
    """The layer that the new one stands on."""
    return choice.earlier if is_in(image, choice.earlier) else choice.object_layer


def _place(layer: Gimp.Layer, below: Gimp.Layer, box: Box) -> None:
    """Just above ``below``, in its group."""
    image = below.get_image()
    image.insert_layer(layer, below.get_parent(), image.get_item_position(below))
    layer.set_offsets(box.x, box.y)
    # A new mask is what GIMP would paint on next; the user expects the picture.
    layer.set_edit_mask(False)


def _attach(layer: Gimp.Layer, name: str, data: bytes) -> None:
    # Its bytes are signed ones.
    layer.attach_parasite(Gimp.Parasite.new(name, PARASITE_PERSISTENT, list(memoryview(data).cast("b"))))


def _write(layer: Gimp.Layer, mask: Gimp.LayerMask, picture: Pixels) -> Steps[None]:
    """The picture's colours into the layer, its alpha into the layer's mask, strip by strip."""
    kind = picture.sample_type
    for strip in Box(0, 0, picture.width, picture.height).strips():
        rgba = bytes(crop(picture, strip).data)
        write(layer, strip, RGBA_FORMATS[kind], with_alpha(rgba, b"\xff" * strip.pixels, kind))
        yield
        write(mask, strip, MASK_FORMATS[kind], bytes(alpha_plane(rgba, strip.width, strip.height, kind).data))
        yield


def _compressed(subject: Subject) -> Steps[bytes]:
    """The mask that was sent, for harmonizing again: the layer's own shows it as the engine has softened it."""
    area, box = subject.area, subject.mask_box
    packer = zlib.compressobj(6)
    parts = []
    for strip in box.shifted(-area.x, -area.y).strips():
        parts.append(packer.compress(eight_bit(crop(subject.mask, strip))))
        yield
    return b"".join([*parts, packer.flush()])
