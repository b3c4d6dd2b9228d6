"""Which layers: the object and the painting, or a sentence that says what to do instead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.placement import Box  # noqa: E402
from painterly_plugin.settings import PARASITE_NAME, Note, Trace, read_note  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402


@dataclass(frozen=True)
class Choice:
    """What a run works on.

    Attributes:
        object_layer: what is harmonized.
        painting_layer: the painting; None: everything visible below the object.
        earlier: the layer of an earlier result, where that is harmonized again: its mask says where, and the new
            result takes its place.
        note: what the earlier result remembers.
        style: what is imitated: a layer, or the part of the painting that a channel selects; None: all of the painting.
    """

    object_layer: Gimp.Layer
    painting_layer: Gimp.Layer | None
    earlier: Gimp.Layer | None = None
    note: Note | None = None
    style: Gimp.Drawable | None = None


def choose_layers(image: Gimp.Image, drawables: list[Gimp.Drawable], style: Gimp.Drawable | None = None) -> Choice:
    """The layers the user means by what is selected; ``style`` is what the user wants to have imitated.

    Raises:
        PainterlyError: BAD_REQUEST with what to do, where the selected items cannot be used.
    """
    _check_image(image)
    layers = _as_layers(drawables)
    if len(layers) == 1:
        choice = _again(image, layers[0]) or Choice(layers[0], None)
    else:
        choice = Choice(*sorted(layers, key=position))
    return checked(image, choice if style is None else replace(choice, style=style))


def checked(image: Gimp.Image, choice: Choice) -> Choice:
    """``choice`` itself.

    Raises:
        PainterlyError: BAD_REQUEST where its layers cannot be object and painting, or are there no more.
    """
    _check_presence(image, choice)
    if choice.painting_layer is not None:
        one, other = position(choice.object_layer), position(choice.painting_layer)
        shorter = min(len(one), len(other))
        if one[:shorter] == other[:shorter]:
            raise _refusal(
                _("One of the selected layers is a group that contains the other."),
                _("Select the object's layer and a painting layer outside its group."),
            )
    _check_object(image, choice.object_layer)
    _check_style(image, choice.style)
    return choice


def all_layers(image: Gimp.Image) -> list[tuple[Gimp.Layer, int]]:
    """Every layer from the top with its depth: 0 outside all groups."""

    def walk(layers: list[Gimp.Layer], depth: int) -> list[tuple[Gimp.Layer, int]]:
        found = []
        for layer in layers:
            found.append((layer, depth))
            found += walk(layer.get_children(), depth + 1) if layer.is_group() else []
        return found

    return walk(image.get_layers(), 0)


def note_of(layer: Gimp.Layer) -> Note | None:
    """What a result of ours remembers; None for any other layer."""
    data = parasite_data(layer, PARASITE_NAME)
    return None if data is None else read_note(data)


def parasite_data(layer: Gimp.Layer, name: str) -> bytes | None:
    """What is attached to the layer under ``name``; None where nothing is."""
    parasite = layer.get_parasite(name)
    # Its bytes may come as signed ones.
    return None if parasite is None else bytes(value & 0xFF for value in parasite.get_data())


def _again(image: Gimp.Image, layer: Gimp.Layer) -> Choice | None:
    """The layers an earlier result was made from, where they are still there."""
    note = note_of(layer)
    if note is None:
        return None
    object_layer, painting = _found(image, note.made_of), _found(image, note.painting)
    if not isinstance(object_layer, Gimp.Layer) or object_layer == layer:
        return None
    below = painting if isinstance(painting, Gimp.Layer) else None
    return Choice(object_layer, below, earlier=layer, note=note, style=_found(image, note.style))


def _found(image: Gimp.Image, trace: Trace) -> Gimp.Drawable | None:
    """The layer or channel, where it is still there.

    Names may be changed, but a copy of an image has the old names and other tattoos.
    """
    if not trace.tattoo:
        return None
    # No tattoo is both a layer's and a channel's.
    marked = image.get_layer_by_tattoo(trace.tattoo) or image.get_channel_by_tattoo(trace.tattoo)
    if not trace.name or (marked is not None and marked.get_name() == trace.name):
        return marked
    return image.get_layer_by_name(trace.name) or image.get_channel_by_name(trace.name) or marked


def position(item: Gimp.Item) -> tuple[int, ...]:
    """Where an item stands in the layer tree, from the top: (2, 0) is the first child of the third item.

    Of two items the one with the smaller position is drawn above the other.
    """
    image = item.get_image()
    places: list[int] = []
    step: Gimp.Item | None = item
    while step is not None:
        places.insert(0, image.get_item_position(step))
        step = step.get_parent()
    return tuple(places)


def canvas_box(image: Gimp.Image) -> Box:
    return Box(0, 0, image.get_width(), image.get_height())


def _check_image(image: Gimp.Image) -> None:
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        raise _refusal(
            _("This image has indexed colours, which cannot hold a painted blend."),
            _("Choose Image → Mode → RGB first."),
        )
    if image.get_floating_sel() is not None:
        raise _refusal(
            _("The image has a floating selection."),
            _("Anchor it (Layer → Anchor Layer) or turn it into a layer (Layer → To New Layer) first."),
        )


def _as_layers(drawables: list[Gimp.Drawable]) -> list[Gimp.Layer]:
    if not drawables:
        raise _refusal(
            _("No layer is selected."),
            _("Select the object's layer, or the object's and the painting's layers together."),
        )
    if any(isinstance(drawable, Gimp.LayerMask) for drawable in drawables):
        raise _refusal(
            _("A layer mask is selected instead of a layer."),
            _("Click the layer's own thumbnail in the Layers dialog."),
        )
    if not all(isinstance(drawable, Gimp.Layer) for drawable in drawables):
        raise _refusal(
            _("A channel is selected instead of a layer."), _("Click the object's layer in the Layers dialog.")
        )
    if len(drawables) > 2:
        raise _refusal(
            _("{count} layers are selected.").format(count=len(drawables)),
            _("Select one layer (the object) or two (the object above the painting)."),
        )
    return list(drawables)


def is_in(image: Gimp.Image, item: Gimp.Item | None) -> bool:
    """Whether there is such an item in the image; undoing brings a deleted one back."""
    return item is not None and item.is_valid() and item.get_image() == image


def _check_presence(image: Gimp.Image, choice: Choice) -> None:
    """What was chosen may be gone by now."""
    if not image.is_valid():
        raise _refusal(_("The image was closed."), _("Open it, and run the filter again."))
    if not is_in(image, choice.object_layer):
        raise _refusal(_("The object's layer was deleted."), _("Undo the deletion, or choose another layer."))
    if choice.painting_layer is not None and not is_in(image, choice.painting_layer):
        raise _refusal(_("The painting's layer was deleted."), _("Undo the deletion, or choose another layer."))
    # With a selection its outline is not needed.
    if choice.earlier is not None and not is_in(image, choice.earlier) and Gimp.Selection.is_empty(image):
        raise _refusal(
            _("The earlier result, whose outline counts, was deleted."),
            _("Undo the deletion, or select the part of the object to harmonize."),
        )


def _check_object(image: Gimp.Image, layer: Gimp.Layer) -> None:
    _ok, x, y = layer.get_offsets()
    if Box(x, y, layer.get_width(), layer.get_height()).intersect(canvas_box(image)).is_empty:
        raise _refusal(
            _("The object “{name}” lies outside the canvas.").format(name=layer.get_name()),
            _("Move it onto the painting first."),
        )
    parent = layer.get_parent()
    while parent is not None:
        if not parent.get_visible():
            raise _refusal(
                _("The object's group “{name}” is hidden, so its result would be too.").format(name=parent.get_name()),
                _("Make the group visible first."),
            )
        parent = parent.get_parent()


def _check_style(image: Gimp.Image, style: Gimp.Drawable | None) -> None:
    if style is None:
        return
    if not (is_in(image, style) and (isinstance(style, Gimp.Layer) or style in image.get_channels())):
        raise _refusal(
            _("What is to be imitated is not in this image."),
            _("Choose one of its layers or channels, or all of the painting."),
        )


def _refusal(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
