"""The engine, its networks and its log: what is there, what can be fetched, and a report to copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, Gimp, GimpUi, Gio, GLib, Gtk  # noqa: E402

from painterly_plugin import engine_room, report, ways  # noqa: E402
from painterly_plugin.config import Config  # noqa: E402
from painterly_plugin.engine_room import Download, Errand, Network  # noqa: E402
from painterly_plugin.gimp_help import help_button  # noqa: E402
from painterly_plugin.language import _, said  # noqa: E402
from painterly_protocol import paths  # noqa: E402
from painterly_protocol.errors import PainterlyError  # noqa: E402
from painterly_protocol.messages import Status  # noqa: E402

POLL_MS = 200
REFRESH_MS = 3000
SIZE = (640, 520)
LINES_LOOKED_AT, LINES_SHOWN = 200, 15  # of each log
STATES = {
    "absent": _("The engine is not running. It starts by itself when it is needed."),
    "starting": _("The engine is starting."),
    "ready": _("The engine is ready."),
    "busy": _("The engine is painting."),
    "draining": _("The engine is stopping."),
    "failed": _("The engine's worker could not start: the log says why."),
}


def show_engine_window(config: Config, parent: Gtk.Window | None = None) -> None:
    """Show the window until it is closed."""
    window = EngineWindow(config, parent)
    try:
        window.run()
    finally:
        window.close()


class EngineWindow:
    """Everything in it is asked for in threads, so that it stays alive while the engine thinks."""

    def __init__(self, config: Config, parent: Gtk.Window | None) -> None:
        self._config = config
        self._is_open = True
        self._device = self._place = ""
        self._is_asked_for = False  # device and networks, which are this machine's
        self._rows: dict[str, NetworkRow] = {}
        self._dialog = GimpUi.Dialog(title=_("Painterly Harmonize: Engine and Networks"), role="painterly-engine")
        if parent is not None:
            self._dialog.set_transient_for(parent)
        self._dialog.set_default_size(*SIZE)
        self._dialog.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
        self._state = Gtk.Label(label=_("Asking the engine …"), xalign=0.0, wrap=True, selectable=True)
        self._stop = Gtk.Button.new_with_mnemonic(_("_Stop the engine"))
        self._stop.set_tooltip_text(_("Frees its memory. It starts again by itself when it is needed."))
        self._networks = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._networks_elsewhere = Gtk.Label(
            label=_("They are on the engine's machine; its keeper downloads them there."), xalign=0.0, wrap=True
        )
        self._log = Gtk.TextView(editable=False, cursor_visible=False, monospace=True)
        self._build()

    def run(self) -> None:
        self._look_where()
        self._ask_state()
        self._show_log()
        GLib.timeout_add(REFRESH_MS, self._refresh)
        self._dialog.run()

    def close(self) -> None:
        self._is_open = False
        for row in self._rows.values():
            row.cancel()
        self._dialog.destroy()

    def _build(self) -> None:
        self._stop.connect("clicked", lambda _button: self._end_engine())
        self._stop.set_sensitive(False)
        line = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=12)
        line.pack_start(self._state, True, True, 0)
        line.pack_end(self._stop, False, False, 0)
        scrolled = Gtk.ScrolledWindow(hexpand=True, vexpand=True, shadow_type=Gtk.ShadowType.IN)
        scrolled.add(self._log)
        self._networks.pack_start(Gtk.Label(label=_("Asking for the networks …"), xalign=0.0), False, False, 0)
        networks = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        networks.pack_start(self._networks, False, False, 0)
        networks.pack_start(self._networks_elsewhere, False, False, 0)
        buttons = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=6)
        for text, tip, action in (
            (_("C_opy report"), _("Copies versions, state and log, without your name and folders"), self._copy_report),
            (_("Open log _folder"), _("Shows the folder that holds the logs"), self._open_logs),
        ):
            button = Gtk.Button.new_with_mnemonic(text)
            button.set_tooltip_text(tip)
            button.connect("clicked", action)
            buttons.pack_start(button, False, False, 0)
        buttons.pack_end(help_button(), False, False, 0)
        rows = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, border_width=12)
        for title, widget, grows in (
            (_("Engine"), line, False),
            (_("Networks"), networks, False),
            (_("Log"), scrolled, True),
        ):
            heading = Gtk.Label(xalign=0.0)
            heading.set_markup(f"<b>{GLib.markup_escape_text(title)}</b>")
            rows.pack_start(heading, False, False, 0)
            rows.pack_start(widget, grows, True, 0)
        rows.pack_start(buttons, False, False, 0)
        self._dialog.get_content_area().pack_start(rows, True, True, 0)
        rows.show_all()

    # ------------------------------------------------------------ the engine

    def _refresh(self) -> bool:
        if self._is_open:
            self._look_where()
            self._ask_state()
            self._show_log()
        return self._is_open

    def _look_where(self) -> None:
        """An engine on another machine is its keeper's to stop and to give networks to."""
        self._place = ways.elsewhere(self._config)
        self._stop.set_visible(not self._place)
        self._networks.set_visible(not self._place)
        self._networks_elsewhere.set_visible(bool(self._place))
        if not self._place and not self._is_asked_for:
            self._is_asked_for = True
            self._ask_networks()
            self._send(lambda: engine_room.device(self._config), self._note_device)

    def _note_device(self, answer: str | Exception) -> None:
        if isinstance(answer, str):
            self._device = answer
            self._ask_state()

    def _ask_state(self) -> None:
        # A tuple, because None as an outcome means that there is none yet.
        self._send(lambda: (engine_room.status(self._config),), self._show_state)

    def _show_state(self, answer: tuple[Status | None] | Exception) -> None:
        if isinstance(answer, Exception):
            self._state.set_text(_sentence_of(answer))
            self._stop.set_sensitive(True)
            return
        lines = engine_room.describe_status(answer[0])
        text = STATES.get(lines["state"], lines["state"])
        if self._place:
            where = _("It is on another machine, {place}: your pictures are sent there. Only its keeper can stop it.")
            text = f"{text} {where.format(place=self._place)}"
        details = [self._device] if self._device and not self._place else []
        if "engine_version" in lines and "pid" in lines:
            details.append(
                _("version {version}, process {pid}").format(version=lines["engine_version"], pid=lines["pid"])
            )
        self._state.set_text("\n".join(filter(None, [text, " · ".join(details)])))
        self._stop.set_sensitive(answer[0] is not None)

    def _end_engine(self) -> None:
        self._stop.set_sensitive(False)
        self._state.set_text(_("Stopping the engine …"))
        self._send(lambda: (engine_room.stop(self._config),), lambda _done: self._ask_state())

    # ------------------------------------------------------------ the networks

    def _ask_networks(self) -> None:
        self._send(lambda: engine_room.networks(self._config), self._show_networks)

    def _show_networks(self, answer: list[Network] | Exception) -> None:
        if not self._rows:
            for child in self._networks.get_children():
                self._networks.remove(child)
        if isinstance(answer, Exception):
            if not self._rows:
                trouble = Gtk.Label(label=_sentence_of(answer), xalign=0.0, wrap=True, visible=True)
                self._networks.pack_start(trouble, False, False, 0)
            return
        for network in answer:
            self._show_network(network)

    def _show_network(self, network: Network) -> None:
        """In the row it has: that may be downloading."""
        row = self._rows.get(network.name)
        if row is None:
            row = self._rows[network.name] = NetworkRow(self._config, network.name, self._ask_networks)
            self._networks.pack_start(row.widget, False, False, 0)
        row.show(network)

    # ------------------------------------------------------------ log and report

    def _show_log(self) -> None:
        lines: list[str] = []
        for name in engine_room.log_names(self._place):
            found = engine_room.readable(engine_room.last_lines(paths.log_dir() / name, LINES_LOOKED_AT))
            lines += found[-LINES_SHOWN:]
        text = engine_room.redacted("\n".join(lines)) or _("The log is empty.")
        buffer = self._log.get_buffer()
        if buffer.get_text(buffer.get_start_iter(), buffer.get_end_iter(), False) != text:
            buffer.set_text(text)

    def _copy_report(self, button: Gtk.Button) -> None:
        button.set_sensitive(False)
        version = Gimp.version()
        self._send(lambda: engine_room.report(self._config, version), lambda text: self._copied(button, text))

    def _copied(self, button: Gtk.Button, text: str | Exception) -> None:
        clipboard = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD)
        clipboard.set_text(str(text), -1)
        clipboard.store()
        button.set_label(_("Report copied"))
        button.set_sensitive(True)

    def _open_logs(self, _button: Gtk.Button) -> None:
        folder = Path(paths.log_dir())
        try:
            Gio.AppInfo.launch_default_for_uri(folder.as_uri(), None)
        except GLib.Error:
            self._state.set_text(_("The logs are in {folder}.").format(folder=folder))

    def _send(self, work: Callable[[], Any], on_answer: Callable[[Any], None]) -> None:
        """Do ``work`` in a thread and hand its outcome to ``on_answer`` here, while the window is open."""
        errand: Errand[Any] = Errand(work)

        def look() -> bool:
            if not self._is_open:
                return GLib.SOURCE_REMOVE
            if errand.outcome is None:
                return GLib.SOURCE_CONTINUE
            on_answer(errand.outcome)
            return GLib.SOURCE_REMOVE

        GLib.timeout_add(POLL_MS, look)


def _sentence_of(error: Exception) -> str:
    """Sentence and advice; the traceback of a surprise goes to the log."""
    log = None if isinstance(error, PainterlyError) else report.write_log(error, paths.log_dir())
    return report.describe(error, log)


class NetworkRow:
    """One network: its name, whether it is here, and a button that fetches it."""

    def __init__(self, config: Config, name: str, on_change: Callable[[], None]) -> None:
        self._config = config
        self._name = name
        self._on_change = on_change
        self._download: Download | None = None
        self._button = Gtk.Button(label=_("Download"), no_show_all=True)
        self._button.set_tooltip_text(_("Downloads this network and checks it; nothing of yours is sent"))
        self._button.connect("clicked", lambda _button: self._press())
        self._bar = Gtk.ProgressBar(show_text=True, valign=Gtk.Align.CENTER, no_show_all=True)
        self._state = Gtk.Label(xalign=0.0, wrap=True)
        self.widget = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=12)
        self.widget.pack_start(Gtk.Label(label=name, xalign=0.0, width_chars=10), False, False, 0)
        self.widget.pack_start(self._state, True, True, 0)
        self.widget.pack_start(self._bar, True, True, 0)
        self.widget.pack_end(self._button, False, False, 0)
        self.widget.show_all()

    def show(self, network: Network) -> None:
        """Whether it is here now; while it is being downloaded that is not asked."""
        if self._is_downloading:
            return
        self._state.set_text(_state_of(network))
        self._button.set_visible(not network.is_here)

    def cancel(self) -> None:
        """Stop a download; what has arrived is kept for the next time."""
        if self._download is not None and self._is_downloading:
            self._download.cancel()

    @property
    def _is_downloading(self) -> bool:
        return self._download is not None and self._download.outcome is None

    def _press(self) -> None:
        if self._is_downloading:
            self.cancel()
            return
        self._download = Download(self._config, self._name)
        self._button.set_label(_("Cancel"))
        self._bar.show()
        GLib.timeout_add(POLL_MS, self._follow, self._download)

    def _follow(self, download: Download) -> bool:
        self._bar.set_fraction(download.fraction)
        self._bar.set_text(f"{round(100 * download.fraction)} %")
        if download.outcome is None:
            return GLib.SOURCE_CONTINUE
        self._bar.hide()
        self._button.set_label(_("Download"))
        if download.outcome:
            self._state.set_text(_("not here") if download.is_cancelled else said(download.outcome))
        else:
            self._state.set_text(_("here"))
            self._button.hide()
            self._on_change()
        return GLib.SOURCE_REMOVE


def _state_of(network: Network) -> str:
    """In a few words; of a damaged one what repairs it."""
    if not network.is_here:
        return _("not here")
    return network.state.split(",")[0] if network.state[0].isdigit() else said(network.state)
