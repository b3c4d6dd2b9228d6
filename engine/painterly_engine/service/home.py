"""The runtime folder of a running engine: what is in it must stay, or nobody finds the engine any more."""

from __future__ import annotations

import logging
from pathlib import Path

from painterly_engine.service.lock import EngineLock
from painterly_engine.service.log import event
from painterly_protocol import runtime
from painterly_protocol.errors import PainterlyError
from painterly_protocol.listener import Listener

LOOK_EVERY_S = 2.0
_log = logging.getLogger(__name__)


class Home:
    """Writes the runtime file anew when it was removed or damaged; notices when the folder itself is gone.

    ``lost`` is then true: new clients can no longer come, and start an engine of their own.
    """

    def __init__(self, listener: Listener, lock: EngineLock) -> None:
        self._listener = listener
        self._lock = lock
        self._look_at = 0.0
        self._complained = False
        self.lost = False

    def look_after(self, now: float) -> None:
        """Every ``LOOK_EVERY_S`` of the engine's clock."""
        if self.lost or now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        if not self._lock.is_ours() or not self._socket_is_there():
            self.lost = True
            event(_log, "runtime-folder-lost", logging.ERROR, folder=self._listener.folder)
        elif not self._is_published():
            self._publish()

    def _socket_is_there(self) -> bool:
        file: Path | None = self._listener.info.socket_file(self._listener.folder)
        return file is None or file.exists()

    def _is_published(self) -> bool:
        try:
            return runtime.read(self._listener.folder) == self._listener.info
        except PainterlyError:
            return False

    def _publish(self) -> None:
        try:
            self._listener.publish()
        except PainterlyError as error:
            # A full disk may have room again later; once in the log is enough.
            if not self._complained:
                _log.error("%s", error)
            self._complained = True
        else:
            self._complained = False
            event(_log, "runtime-file-restored", logging.WARNING)
