"""What went wrong, said in a bar inside the dialog, or in a window of its own where there is no dialog yet."""

from __future__ import annotations

from collections.abc import Callable

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import GLib, Gtk  # noqa: E402

from painterly_plugin import engine_room, report, ways  # noqa: E402
from painterly_plugin.config import Config  # noqa: E402
from painterly_plugin.gimp_engine_window import show_engine_window  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.remedies import TEXTS, Remedy, remedies_for  # noqa: E402
from painterly_protocol import paths  # noqa: E402

WIDTH_CHARS = 80
POLL_MS = 100


class TroubleBar:
    """Sentence, advice, and buttons that may help. ``widget`` goes to the top of the dialog.

    No Gtk.InfoBar: in GIMP's dark theme its text cannot be read.
    """

    def __init__(
        self, parent: Gtk.Window, config: Config, try_again: Callable[[], None], try_smaller: Callable[[], None]
    ) -> None:
        self._parent = parent
        self._config = config
        self._try_again = try_again
        self._try_smaller = try_smaller
        self._text = Gtk.Label(wrap=True, xalign=0.0, selectable=True, max_width_chars=WIDTH_CHARS)
        row = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=12, border_width=6)
        row.pack_start(Gtk.Image.new_from_icon_name("dialog-warning", Gtk.IconSize.DND), False, False, 0)
        row.pack_start(self._text, True, True, 0)
        self._buttons = {remedy: Gtk.Button.new_with_mnemonic(text) for remedy, text in TEXTS.items()}
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, valign=Gtk.Align.CENTER)
        for remedy, button in self._buttons.items():
            button.connect("clicked", lambda _button, remedy=remedy: self._help(remedy))
            column.pack_start(button, False, False, 0)
        row.pack_end(column, False, False, 0)
        self.widget = Gtk.Frame(border_width=12)
        self.widget.add(row)
        row.show_all()

    def show(self, error: Exception) -> None:
        """Say what is wrong; the traceback of a surprise goes to the log."""
        self._text.set_text(sentence_of(error))
        offered = remedies_for(error, elsewhere=bool(ways.elsewhere(self._config)))
        for remedy, button in self._buttons.items():
            button.set_visible(remedy in offered)
        self.widget.set_sensitive(True)
        self.widget.show()

    def hide(self) -> None:
        self.widget.hide()

    def _help(self, remedy: Remedy) -> None:
        if remedy is Remedy.SETTINGS:
            show_engine_window(self._config, self._parent)
        elif remedy is Remedy.SMALLER:
            self._try_smaller()
        else:
            self._restart()

    def _restart(self) -> None:
        self.widget.set_sensitive(False)
        self._text.set_text(_("Stopping the engine …"))
        errand = engine_room.Errand(lambda: (engine_room.stop(self._config),))
        GLib.timeout_add(POLL_MS, self._wait, errand)

    def _wait(self, errand: engine_room.Errand[tuple[None]]) -> bool:
        if errand.outcome is None:
            return GLib.SOURCE_CONTINUE
        if isinstance(errand.outcome, Exception):
            self.show(errand.outcome)
        else:
            self._try_again()
        return GLib.SOURCE_REMOVE


def sentence_of(error: Exception) -> str:
    """Sentence and advice in the user's language; its traceback is written to the log."""
    return report.describe(error, report.write_log(error, paths.log_dir()))
