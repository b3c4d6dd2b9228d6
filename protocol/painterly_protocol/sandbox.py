"""Starting programs of this computer from a GIMP that lives in a Flatpak, whose ``/usr`` is another than the host's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

# Flatpak puts it into every sandbox, and nowhere else.
MARK = Path("/.flatpak-info")
OURS = "PAINTERLY_"
ADVICE = (
    "GIMP comes from Flatpak and may not start it. Start it with “painterly serve” in a terminal, or allow it once "
    "with “flatpak override --user --talk-name=org.freedesktop.Flatpak org.gimp.GIMP” and restart GIMP."
)


def is_flatpak() -> bool:
    """Whether this process lives in a Flatpak."""
    return MARK.exists()


def on_host(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """``command`` as the host is asked to run it where this process lives in a Flatpak; elsewhere as it is.

    It gets the environment of the user's session, and of ``environment`` our own variables. It outlives the sandbox.
    """
    if not is_flatpak() or not command:
        return list(command)
    ours = [f"--env={name}={value}" for name, value in environment.items() if name.startswith(OURS)]
    return ["flatpak-spawn", "--host", "--directory=/", *ours, *command]
