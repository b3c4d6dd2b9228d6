"""Rotating log files that only their owner may read; what happens to jobs stands in them as ``name=value`` pairs."""

from __future__ import annotations

import json
import logging
import os
import re
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from painterly_protocol import paths
from painterly_protocol.errors import ErrorCode, PainterlyError

MAX_BYTES = 2 * 2**20
KEPT_FILES = 3
FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
_PLAIN = re.compile(r"[\w.:/+@-]+")


def event(log: logging.Logger, what: str, level: int = logging.INFO, **values: object) -> None:
    """One line, easy to read and to take apart: see ``told``."""
    log.log(level, "%s", told(what, **values))


def told(what: str, **values: object) -> str:
    """``event=job-ends job=3f seconds=1.5 sentence="Out of memory."``.

    A value of None is left out; one that is not a plain word is quoted as JSON, so that no client can write a line of
    its own into the log.
    """
    pairs = {"event": what, **{name: value for name, value in values.items() if value is not None}}
    return " ".join(f"{name}={_quoted(value)}" for name, value in pairs.items())


def _quoted(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


class _PrivateRotatingFile(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(os.fdopen(handle, "ab"), encoding="utf-8")


def log_to_file(name: str) -> Path:
    """Send this process's log to ``name`` in the log folder; returns the file.

    Raises:
        PainterlyError: UNSAFE_FOLDER.
    """
    file = paths.make_private(paths.log_dir()) / name
    try:
        handler = _PrivateRotatingFile(file, maxBytes=MAX_BYTES, backupCount=KEPT_FILES)
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNSAFE_FOLDER,
            f"The log {file} cannot be written: {error.strerror}.",
            "Make room or correct its permissions, or name another folder in PAINTERLY_LOG_DIR.",
        ) from error
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.raiseExceptions = False  # a full disk must not fill stderr as well
    return file
