"""One engine per runtime folder: an exclusive lock that the operating system lets go of when its process dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from painterly_protocol.errors import ErrorCode, PainterlyError

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
        """False when another process holds it. The file itself stays for ever: removing it would let two in.

        Raises:
            PainterlyError: UNSAFE_FOLDER when the file cannot be made.
        """
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise PainterlyError(
                ErrorCode.UNSAFE_FOLDER,
                f"The engine cannot write its lock {self._path}: {error.strerror}.",
                "Make room or correct its permissions, or name another folder in PAINTERLY_RUNTIME_DIR.",
            ) from error
        try:
            _lock(handle)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def is_ours(self) -> bool:
        """Whether the file that others would lock is still the one that this process has locked."""
        try:
            return self._handle is not None and os.path.samestat(os.fstat(self._handle), self._path.stat())
        except OSError:
            return False

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
