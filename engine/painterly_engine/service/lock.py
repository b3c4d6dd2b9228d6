"""One engine per runtime folder: an exclusive lock that the operating system lets go of when its process dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

LOCK_FILE = "engine.lock"

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class EngineLock:
    """Held from a successful ``try_acquire`` until ``release`` or the process's end, however it comes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._handle: int | None = None

    def try_acquire(self) -> bool:
        """False when another process holds it. The file itself stays for ever: removing it would let two in."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(handle)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
