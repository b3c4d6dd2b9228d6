"""What went wrong, said in a bar inside the dialog, or in a window of its own where there is no dialog yet."""

from __future__ import annotations

from collections.abc import Callable

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import GLib, Gtk  # noqa: E402

from painterly_plugin import engine_room, report  # noqa: E402
from painterly_plugin.config import Config  # noqa: E402
from painterly_plugin.gimp_engine_window import show_engine_window  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.remedies import TEXTS, Remedy, remedies_for  # noqa: E402
from painterly_protocol import paths  # noqa: E402
from painterly_protocol.errors import PainterlyError  # noqa: E402

WIDTH_CHARS = 80
POLL_MS = 100


class TroubleBar:
    """Sentence, advice, and buttons that may help. ``widget`` goes to the top of the dialog."""

    def __init__(self, parent: Gtk.Window, config: Config, try_again: Callable[[], None]) -> None:
        self._parent = parent
        self._config = config
        self._try_again = try_again
        self._text = Gtk.Label(wrap=True, xalign=0.0, selectable=True, max_width_chars=WIDTH_CHARS)
        self._text.show()
        self.widget = Gtk.InfoBar(message_type=Gtk.MessageType.WARNING, no_show_all=True)
        self.widget.get_content_area().add(self._text)
        self._buttons = {remedy: self.widget.add_button(text, number) for number, (remedy, text) in _numbered()}
        self.widget.connect("response", self._help)

    def show(self, error: Exception) -> None:
        """Say what is wrong; the traceback of a surprise goes to the log."""
        self._text.set_text(sentence_of(error))
        offered = remedies_for(error)
        for remedy, button in self._buttons.items():
            button.set_visible(remedy in offered)
        self.widget.set_sensitive(True)
        self.widget.show()

    def hide(self) -> None:
        self.widget.hide()

    def _help(self, _bar: Gtk.InfoBar, number: int) -> None:
        remedy = dict(_numbers())[number]
        if remedy is Remedy.SETTINGS:
            show_engine_window(self._config, self._parent)
            return
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
    """Sentence and advice in the user's language; a surprise is written to the log."""
    log = report.write_log(error, paths.log_dir())
    if isinstance(error, PainterlyError):
        return f"{_(error.sentence)} {_(error.advice)}".strip()
    return report.describe(error, log)


def _numbers() -> list[tuple[int, Remedy]]:
    return list(enumerate(TEXTS, start=1))


def _numbered() -> list[tuple[int, tuple[Remedy, str]]]:
    return [(number, (remedy, TEXTS[remedy])) for number, remedy in _numbers()]
