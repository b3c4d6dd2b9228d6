"""Rotating log files that only their owner may read."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from painterly_protocol import paths

MAX_BYTES = 2 * 2**20
KEPT_FILES = 3
FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


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
    handler = _PrivateRotatingFile(file, maxBytes=MAX_BYTES, backupCount=KEPT_FILES)
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.raiseExceptions = False  # a full disk must not fill stderr as well
    return file
