"""Where things live on this machine: one home folder for everything, the same for engine, plug-in and command line.

``XDG_*`` variables are deliberately not read: Flatpak and Snap point them (Snap even ``HOME``) at a folder of the
sandbox, so a GIMP in there and an engine outside would look in different places. ``~/.local/share/painterly-harmonize``
is reachable from a GIMP whose sandbox may see the host's files (Flathub's has ``--filesystem=host``).

Each folder can be moved by an environment variable: ``PAINTERLY_RUNTIME_DIR`` (socket and runtime file),
``PAINTERLY_DATA_DIR`` (weights), ``PAINTERLY_LOG_DIR``, ``PAINTERLY_KEYS_DIR``.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from painterly_protocol.errors import ErrorCode, PainterlyError

FOLDER = "painterly-harmonize"
# All folders that must be private are checked here, so all their variables are named.
_ELSEWHERE = (
    "name another folder in PAINTERLY_RUNTIME_DIR (socket), PAINTERLY_LOG_DIR (logs) or PAINTERLY_KEYS_DIR (keys)"
)


def home() -> Path:
    """The user's home folder as programs outside any sandbox see it."""
    real = os.environ.get("SNAP_REAL_HOME")
    return Path(real) if real else Path.home()


def base_dir() -> Path:
    """The folder that holds everything of ours, by platform. Not created here, nor are the others."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else home() / "AppData" / "Local") / FOLDER
    if sys.platform == "darwin":
        return home() / "Library" / "Application Support" / FOLDER
    return home() / ".local" / "share" / FOLDER


def runtime_dir() -> Path:
    """Socket, lock and runtime file of the running engine; owner-only."""
    return _moved("PAINTERLY_RUNTIME_DIR", "run")


def data_dir() -> Path:
    """Weights and what else may be kept for years."""
    return _moved("PAINTERLY_DATA_DIR", "data")


def log_dir() -> Path:
    """The engine's logs; owner-only."""
    return _moved("PAINTERLY_LOG_DIR", "log")


def keys_dir() -> Path:
    """Keys of an engine that listens beyond this machine; owner-only."""
    return _moved("PAINTERLY_KEYS_DIR", "keys")


def _moved(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value).absolute() if value else base_dir() / default


def make_private(folder: Path) -> Path:
    """Create ``folder`` for its owner alone (0700) and verify it.

    Raises:
        PainterlyError: UNSAFE_FOLDER when it cannot be made, is somebody else's or open to others.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNSAFE_FOLDER,
            f"The folder {folder} cannot be made: {error.strerror}.",
            f"Make room or correct its permissions, or {_ELSEWHERE}.",
        ) from error
    check_private(folder)
    return folder


def check_private(path: Path) -> None:
    """Verify that ``path`` belongs to this user and that nobody else may enter, read or write it.

    Windows: nothing is checked, because the user's profile folder already carries such rights.

    Raises:
        PainterlyError: UNSAFE_FOLDER.
        FileNotFoundError: there is no such path.
    """
    if sys.platform == "win32":
        return
    check_private_status(path, path.stat())


def check_private_status(path: Path, status: os.stat_result) -> None:
    """As ``check_private``, for an already opened ``path``."""
    if sys.platform == "win32":
        return
    if status.st_uid != os.geteuid():
        raise PainterlyError(
            ErrorCode.UNSAFE_FOLDER,
            f"{path} belongs to another user.",
            f"Remove it or {_ELSEWHERE}.",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise PainterlyError(
            ErrorCode.UNSAFE_FOLDER,
            f"{path} is open to other users.",
            f"Run “chmod go-rwx '{path}'”.",
        )
