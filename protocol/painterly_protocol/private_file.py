"""Files that hold secrets: written in one step and for their owner only, read only when they still are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from painterly_protocol import paths


def write_private(file: Path, text: str) -> None:
    """Write ``file`` (0600), whose folder exists: a reader sees the old one, the new one or none, never half of one.

    Raises:
        OSError: and what was there before stays.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_private(file: Path, most: int) -> bytes:
    """What ``file`` holds, at most ``most`` + 1 bytes; a link is not followed.

    Raises:
        OSError: it cannot be read, or is not there.
        PainterlyError: UNSAFE_FOLDER when others could have written or can read it.
    """
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(handle, "rb") as source:
        if sys.platform != "win32":
            paths.check_private_status(file, os.fstat(handle))
        return source.read(most + 1)
