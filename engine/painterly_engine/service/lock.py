"""One engine per runtime folder."""

from __future__ import annotations

from pathlib import Path

from painterly_engine.file_lock import FileLock
from painterly_protocol.errors import ErrorCode, PainterlyError

LOCK_FILE = "engine.lock"


class EngineLock(FileLock):
    """The lock of a runtime folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / LOCK_FILE)

    def try_acquire(self) -> bool:
        """False when another process holds it.

        Raises:
            PainterlyError: UNSAFE_FOLDER when the file cannot be made.
        """
        try:
            return super().try_acquire()
        except OSError as error:
            raise PainterlyError(
                ErrorCode.UNSAFE_FOLDER,
                f"The engine cannot write its lock {self._path}: {error.strerror}.",
                "Make room or correct its permissions, or name another folder in PAINTERLY_RUNTIME_DIR.",
            ) from error
