"""The help page that came with the plug-in, in the user's language."""

from __future__ import annotations

import locale
import os
from pathlib import Path

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import Gio, GLib, Gtk  # noqa: E402

from painterly_plugin.config import PLUGIN_FOLDER  # noqa: E402
from painterly_plugin.language import _  # noqa: E402

HELP_FOLDER = PLUGIN_FOLDER / "help"


def help_page(folder: Path = HELP_FOLDER) -> Path:
    """The page in the first of the user's languages that there is one in, else the English one."""
    wanted = os.environ.get("LANGUAGE") or os.environ.get("LC_ALL") or os.environ.get("LANG") or _system_language()
    for language in wanted.split(":"):
        page = folder / f"{language[:2]}.html"
        if page.is_file():
            return page
    return folder / "en.html"


def show_help() -> None:
    """Open the page in the user's browser; the network is not needed."""
    try:
        Gio.AppInfo.launch_default_for_uri(help_page().as_uri(), None)
    except GLib.Error:
        # No browser: the page is still there to be read.
        window = Gtk.MessageDialog(
            text=_("No browser was found to show the help page."), secondary_text=str(help_page()), modal=True
        )
        window.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
        window.run()
        window.destroy()


def help_button() -> Gtk.Button:
    """A button that shows the page."""
    button = Gtk.Button.new_with_mnemonic(_("_Help"))
    button.set_tooltip_text(_("Shows how this works, without the network"))
    button.connect("clicked", lambda _button: show_help())
    return button


def _system_language() -> str:
    return locale.getlocale()[0] or "en"
