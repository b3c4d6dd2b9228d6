"""Which layers: the object and the painting, or a sentence that says what to do instead."""

from __future__ import annotations

from dataclasses import dataclass

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin.placement import Box  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402


@dataclass(frozen=True)
class Choice:
    """The object's layer, and the painting's; None: everything visible below the object is the painting."""

    object_layer: Gimp.Layer
    painting_layer: Gimp.Layer | None


def choose_layers(image: Gimp.Image, drawables: list[Gimp.Drawable]) -> Choice:
    """The layers the user means by what is selected.

    Raises:
        PainterlyError: BAD_REQUEST with what to do, where the selected items cannot be used.
    """
    _check_image(image)
    layers = _as_layers(drawables)
    if len(layers) == 1:
        choice = Choice(layers[0], None)
    else:
        upper, lower = sorted(layers, key=position)
        if position(lower)[: len(position(upper))] == position(upper):
            raise _refusal(
                "One of the selected layers is a group that contains the other.",
                "Select the object's layer and a painting layer outside its group.",
            )
        choice = Choice(upper, lower)
    _check_object(image, choice.object_layer)
    return choice


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
            "This image has indexed colours, which cannot hold a painted blend.",
            "Choose Image → Mode → RGB first.",
        )
    if image.get_floating_sel() is not None:
        raise _refusal(
            "The image has a floating selection.",
            "Anchor it (Layer → Anchor Layer) or turn it into a layer (Layer → To New Layer) first.",
        )


def _as_layers(drawables: list[Gimp.Drawable]) -> list[Gimp.Layer]:
    if not drawables:
        raise _refusal(
            "No layer is selected.",
            "Select the object's layer, or the object's and the painting's layers together.",
        )
    if any(isinstance(drawable, Gimp.LayerMask) for drawable in drawables):
        raise _refusal(
            "A layer mask is selected instead of a layer.",
            "Click the layer's own thumbnail in the Layers dialog.",
        )
    if not all(isinstance(drawable, Gimp.Layer) for drawable in drawables):
        raise _refusal("A channel is selected instead of a layer.", "Click the object's layer in the Layers dialog.")
    if len(drawables) > 2:
        raise _refusal(
            f"{len(drawables)} layers are selected.",
            "Select one layer (the object) or two (the object above the painting).",
        )
    return list(drawables)


def _check_object(image: Gimp.Image, layer: Gimp.Layer) -> None:
    _ok, x, y = layer.get_offsets()
    if Box(x, y, layer.get_width(), layer.get_height()).intersect(canvas_box(image)).is_empty:
        raise _refusal(
            f"The object “{layer.get_name()}” lies outside the canvas.",
            "Move it onto the painting first.",
        )
    parent = layer.get_parent()
    while parent is not None:
        if not parent.get_visible():
            raise _refusal(
                f"The object's group “{parent.get_name()}” is hidden, so its result would be too.",
                "Make the group visible first.",
            )
        parent = parent.get_parent()


def _refusal(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
