"""What a user reads when something went wrong; the traceback goes to the log only.

Imports nothing beyond the standard library: it must work when everything else is missing.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

LOG_FILE = "plug-in.log"


def describe(error: BaseException, log: Path | None) -> str:
    """Sentence and advice for ``error``; ``log`` is where its traceback was written, None where that failed."""
    if isinstance(error, ModuleNotFoundError):
        return (
            f"The Python module “{error.name}”, which the plug-in needs, is not there for GIMP's Python "
            f"({sys.executable}). Run “python3 install.py” in the Painterly Harmonize folder again, then restart GIMP."
        )
    if hasattr(error, "sentence") or type(error).__name__ == "ConfigError":
        return str(error)
    where = f"The details are in {log}." if log else "Its log could not be written."
    return f"Something unexpected happened in the plug-in ({type(error).__name__}: {error}). {where}"


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
