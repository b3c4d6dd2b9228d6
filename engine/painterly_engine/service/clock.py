"""The engine's own time, in which all its patience is measured."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_TURN_S = 1.0


class AwakeClock:
    """Seconds the I/O loop has been awake: no wall clock, so nothing happens when that is set, and a turn in which the
    process was stopped or its machine asleep counts ``LONGEST_TURN_S``: nobody is given up for silence that the engine
    could not have heard."""

    def __init__(self, source: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._last = source()
        self.now = 0.0

    def tick(self) -> None:
        """Once a turn."""
        last, self._last = self._last, self._source()
        self.now += min(self._last - last, LONGEST_TURN_S)
