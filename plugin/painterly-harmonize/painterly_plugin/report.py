"""What a user reads when something went wrong; the traceback goes to the log only.

Imports nothing beyond the standard library: it must work when everything else is missing.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

from painterly_plugin.config import REPAIR, ConfigError
from painterly_plugin.language import _, said

LOG_FILE = "plug-in.log"


def describe(error: BaseException, log: Path | None) -> str:
    """Sentence and advice for ``error``; ``log`` is where its traceback was written, None where that failed."""
    if isinstance(error, ModuleNotFoundError):
        missing = _("The Python module “{name}”, which the plug-in needs, is not there for GIMP's Python ({python}).")
        return f"{missing.format(name=error.name, python=sys.executable)} {REPAIR}"
    if hasattr(error, "sentence") and hasattr(error, "advice"):
        return f"{said(error.sentence)} {said(error.advice)}".strip()
    if isinstance(error, ConfigError):
        return str(error)
    where = _("The details are in {log}.").format(log=log) if log else _("Its log could not be written.")
    what = _("Something unexpected happened in the plug-in ({error}).").format(error=f"{type(error).__name__}: {error}")
    return f"{what} {where}"


def write_log(error: BaseException, folder: Path) -> Path | None:
    """Append the traceback to the log in ``folder`` (made if need be, owner-only); None where that is impossible."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / LOG_FILE
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8") as stream:
            stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} pid {os.getpid()}\n{text}\n")
    except OSError:
        return None
    return file
