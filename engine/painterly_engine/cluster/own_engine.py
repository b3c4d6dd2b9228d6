"""An engine of one's own for as long as one's work takes: ``painterly batch --backend ray``.

A batch needs nothing of a cluster that an engine does not know already: jobs begun anew where a node goes down, workers
kept busy, cancels. So it starts one in a folder of its own, and speaks with it as with any other.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from painterly_protocol.client import EngineClient
from painterly_protocol.errors import PainterlyError
from painterly_protocol.launcher import ensure_engine

IDLE_EXIT_S = "60"  # where nobody is left to stop it
CLIENT = "painterly-batch"


class OwnEngine:
    """
    Args:
        options: of ``painterly serve``.
        on_wait: as ``ensure_engine``'s.
    """

    def __init__(self, options: Sequence[str], on_wait: Callable[[float], None]) -> None:
        self._command = [sys.executable, "-m", "painterly_engine.service", "--idle-exit", IDLE_EXIT_S, *options]
        self._on_wait = on_wait

    def __enter__(self) -> OwnEngine:
        self._folder = Path(tempfile.mkdtemp(prefix="painterly-own-"))
        return self

    def connect(self) -> EngineClient:
        """To the engine, started where there is none (any more).

        Raises:
            PainterlyError: as ``ensure_engine``.
        """
        return ensure_engine(self._command, self._folder, on_wait=self._on_wait, client=CLIENT)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(PainterlyError):
            self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _stop(self) -> None:
        from painterly_protocol.client import connect

        with connect(self._folder, client=CLIENT) as client:
            client.shutdown()
            while True:  # until it hangs up, which raises
                client.events(1.0)
