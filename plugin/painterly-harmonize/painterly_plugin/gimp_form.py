"""The settings in the dialog: pickers for the layers, then the procedure's arguments as GIMP's own widgets."""

from __future__ import annotations

from collections.abc import Callable

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gimp, GimpUi, GObject, Gtk  # noqa: E402

from painterly_plugin.gimp_choose import Choice, all_layers  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.settings import NUMBER, new_seed  # noqa: E402

USUAL = ("preset", "strength", "detail", "genre", "stylization", "mask-growth", "edge-softness", "seed", "hide-object")
EXPERT = ("method", "size", "iterations", "weights")
PERCENT = ("strength", "detail")
SLIDERS = ("mask-growth", "edge-softness")
# Numbers whose 0 leaves the choice to the engine, and by how much + and − go on from there.
NOTHING_ASKED = {"size": 32, "iterations": 10}
EVERYTHING_BELOW = ALL_OF_IT = "0"
LONGEST_NAME = 28  # characters


def settings_box(dialog: GimpUi.ProcedureDialog, arguments: Gimp.ProcedureConfig, *buttons: Gtk.Button) -> Gtk.Box:
    """All arguments, those for experts folded away; ``buttons`` stand below."""
    for name in PERCENT:
        dialog.get_spin_scale(name, 100.0).set_digits(0)
    for name in SLIDERS:
        dialog.get_spin_scale(name, 1.0)
    for name, step in NOTHING_ASKED.items():
        spin = dialog.get_widget(name, GObject.TYPE_NONE).get_spin_button()
        spin.set_increments(step, 10 * step)
        _show_zero_as(spin, _("as the quality says"))
    dialog.set_sensitive("stylization", arguments.get_property("genre") == NUMBER, None, None, False)
    arguments.connect("notify::genre", lambda *_: _follow_genre(dialog, arguments))
    box = dialog.fill_box("settings", list(USUAL))
    box.set_spacing(6)
    _add_dice(dialog, arguments)
    expander = Gtk.Expander.new_with_mnemonic(_("_More"))
    experts = dialog.fill_box("experts", list(EXPERT))
    experts.set_spacing(6)
    expander.add(experts)
    expander.connect("notify::expanded", lambda *_: _fit(dialog, expander))
    box.pack_start(expander, False, False, 0)
    row = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=6)
    for button in reversed(buttons):
        row.pack_end(button, False, False, 0)
    box.pack_end(row, False, False, 0)
    return box


class LayerPickers:
    """Which layer is the object, which the painting, and what of it to imitate. ``widget`` goes into the dialog."""

    def __init__(self, image: Gimp.Image, choice: Choice, on_change: Callable[[], None]) -> None:
        self._layers = {str(layer.get_id()): layer for layer, _depth in all_layers(image)}
        self._object = Gtk.ComboBoxText()
        self._painting = Gtk.ComboBoxText()
        self._painting.append(EVERYTHING_BELOW, _("Everything visible below"))
        for layer, depth in all_layers(image):
            name = "    " * depth + _shortened(layer.get_name())
            self._object.append(str(layer.get_id()), name)
            self._painting.append(str(layer.get_id()), name)
        painting = choice.painting_layer
        self._object.set_active_id(str(choice.object_layer.get_id()))
        self._painting.set_active_id(EVERYTHING_BELOW if painting is None else str(painting.get_id()))
        self._object.set_tooltip_text(_("The layer that was pasted into the painting"))
        self._painting.set_tooltip_text(_("The painting that the object shall fit into, whose style is imitated"))
        self._style = self._style_picker(image, choice)
        self.widget = Gtk.Grid(row_spacing=6, column_spacing=12)
        pickers = {_("Ob_ject"): self._object, _("P_ainting"): self._painting, _("Style source"): self._style}
        for row, (text, combo) in enumerate(pickers.items()):
            label = Gtk.Label(label=text, use_underline=True, mnemonic_widget=combo, xalign=0.0)
            combo.set_hexpand(True)
            combo.connect("changed", lambda _combo: on_change())
            self.widget.attach(label, 0, row, 1, 1)
            self.widget.attach(combo, 1, row, 1, 1)

    def _style_picker(self, image: Gimp.Image, choice: Choice) -> Gtk.ComboBoxText:
        channels = {str(channel.get_id()): channel for channel in image.get_channels()}
        self._lenders: dict[str, Gimp.Drawable] = {**channels, **self._layers}
        combo = Gtk.ComboBoxText()
        combo.append(ALL_OF_IT, _("All of the painting"))
        for key, channel in channels.items():
            combo.append(key, _("Channel “{name}”").format(name=_shortened(channel.get_name())))
        for layer, depth in all_layers(image):
            combo.append(str(layer.get_id()), "    " * depth + _shortened(layer.get_name()))
        combo.set_active_id(ALL_OF_IT if choice.style is None else str(choice.style.get_id()))
        combo.set_tooltip_text(
            _("What the object shall look like: all of the painting, a saved channel's part of it, or another layer")
        )
        return combo

    def picked(self) -> tuple[Gimp.Layer, Gimp.Layer | None, Gimp.Drawable | None]:
        """(object, painting, style); None: everything visible below the object, all of the painting."""
        painting, style = self._painting.get_active_id(), self._style.get_active_id()
        return self._layers[self._object.get_active_id()], self._layers.get(painting), self._lenders.get(style)


def _follow_genre(dialog: GimpUi.ProcedureDialog, arguments: Gimp.ProcedureConfig) -> None:
    dialog.set_sensitive("stylization", arguments.get_property("genre") == NUMBER, None, None, False)


def _fit(dialog: GimpUi.ProcedureDialog, expander: Gtk.Expander) -> None:
    """Let the dialog shrink to what it holds; by itself it only grows."""
    if not expander.get_expanded():
        dialog.resize(dialog.get_size()[0], 1)


def _add_dice(dialog: GimpUi.ProcedureDialog, arguments: Gimp.ProcedureConfig) -> None:
    """A button beside the seed that takes another one."""
    row = dialog.get_widget("seed", GObject.TYPE_NONE)
    button = Gtk.Button.new_from_icon_name("view-refresh-symbolic", Gtk.IconSize.BUTTON)
    button.set_tooltip_text(_("Takes another seed: other brush strokes of the same kind"))
    button.get_accessible().set_name(_("Another seed"))
    button.connect("clicked", lambda _button: arguments.set_property("seed", new_seed()))
    parent = row.get_parent()
    position = parent.get_children().index(row)
    parent.remove(row)
    line = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=6)
    line.pack_start(row, True, True, 0)
    line.pack_start(button, False, False, 0)
    line.show_all()
    parent.pack_start(line, False, False, 0)
    parent.reorder_child(line, position)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _show_zero_as(spin: Gtk.SpinButton, text: str) -> None:
    """Let a number that leaves the choice to the engine say so."""

    def show(spin: Gtk.SpinButton) -> bool:
        if spin.get_value() != 0:
            return False
        if spin.get_text() != text:
            spin.set_text(text)
        return True

    spin.set_width_chars(len(text))
    # Typed letters count as 0, so the text can be read back by GTK itself.
    spin.set_numeric(False)
    spin.connect("output", show)
    spin.update()
