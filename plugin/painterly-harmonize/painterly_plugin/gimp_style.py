"""What of the image is imitated instead of all of the painting: a saved channel's part of it, or another layer."""

from __future__ import annotations

from dataclasses import dataclass

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin.gimp_choose import Choice, checked, position  # noqa: E402
from painterly_plugin.gimp_scratch import (  # noqa: E402
    MASK_FORMATS,
    RGBA_FORMATS,
    box_of,
    hide_all,
    hide_from,
    isolated,
    item_at,
    paper,
    put_on_top,
    read,
    read_visible,
)
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.placement import Box, at_most, both, firm  # noqa: E402
from painterly_plugin.steps import Steps  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402
from painterly_protocol.pixels import Pixels, SampleType  # noqa: E402


@dataclass(frozen=True)
class Style:
    """What is sent to be imitated.

    Attributes:
        picture: at full resolution: strokes are imitated as large as they are.
        mask: of its size, 255 where it may be imitated.
    """

    picture: Pixels
    mask: Pixels


def read_style(image: Gimp.Image, choice: Choice, kind: SampleType) -> Steps[Style | None]:
    """What ``choice`` says is to be imitated, step by step; None where that is all of the painting.

    Raises:
        PainterlyError: BAD_REQUEST where there is nothing to be seen of it.
    """
    if choice.style is None:
        return None
    checked(image, choice)
    scratch = image.duplicate()
    scratch.undo_disable()
    try:
        yield
        lends = _lending(image, scratch, choice)
        box = at_most(lends)
        if box.is_empty:
            raise _nothing_there(choice.style)
        selection = (
            b""
            if isinstance(choice.style, Gimp.Layer)
            else read(scratch.get_selection(), box, MASK_FORMATS[SampleType.UINT8])
        )
        scratch.resize(box.width, box.height, -box.x, -box.y)
        yield
        return (yield from _seen(scratch, choice, selection, kind))
    finally:
        scratch.delete()


def _lending(image: Gimp.Image, scratch: Gimp.Image, choice: Choice) -> Box:
    """The part of the canvas that lends itself; a channel is the scratch image's selection from here on."""
    if isinstance(choice.style, Gimp.Layer):
        return box_of(choice.style)
    channel = scratch.get_channels()[image.get_channels().index(choice.style)]
    scratch.select_item(Gimp.ChannelOps.REPLACE, channel)
    bounds = Gimp.Selection.bounds(scratch)
    return (
        Box(bounds.x1, bounds.y1, bounds.x2 - bounds.x1, bounds.y2 - bounds.y1) if bounds.non_empty else Box(0, 0, 0, 0)
    )


def _seen(scratch: Gimp.Image, choice: Choice, selection: bytes, kind: SampleType) -> Steps[Style]:
    ground = _ground(scratch, choice)
    yield
    whole = Box(0, 0, scratch.get_width(), scratch.get_height())
    alpha = []
    for strip in whole.strips():
        alpha.append(read(ground, strip, RGBA_FORMATS[SampleType.UINT8])[3::4])
        yield
    lends = firm(b"".join(alpha))
    if selection:
        lends = both(lends, firm(selection))
    if not any(lends):
        raise _nothing_there(choice.style)
    hide_all(scratch)
    put_on_top(scratch, paper(scratch))
    put_on_top(scratch, ground)
    yield
    picture = yield from read_visible(scratch, whole, kind)
    return Style(picture, Pixels(whole.height, whole.width, 1, SampleType.UINT8, lends))


def _ground(scratch: Gimp.Image, choice: Choice) -> Gimp.Layer:
    """What lends its style as one flat layer of the scratch image's size."""
    layer = choice.style if isinstance(choice.style, Gimp.Layer) else choice.painting_layer
    if layer is not None:
        return isolated(scratch, item_at(scratch, position(layer)))
    hide_from(scratch.get_layers(), position(choice.object_layer))
    return Gimp.Layer.new_from_visible(scratch, scratch, "painting")


def _nothing_there(style: Gimp.Drawable) -> PainterlyError:
    return PainterlyError(
        ErrorCode.BAD_REQUEST,
        _("There is nothing to imitate in “{name}”.").format(name=style.get_name()),
        _("Choose another layer or channel, or all of the painting."),
    )
