"""The progress of work done in this process, shown on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from painterly_engine.cli.display import PHASE_NAMES, Display, display
from painterly_engine.progress import Observer
from painterly_engine.soundness import check_losses
from painterly_protocol.messages import Phase, Progress

NAMES = {**PHASE_NAMES, Phase.PASS_ONE: "painting"}
TELLING = 0.03
"""Below this fraction, a forecast would be noise."""


class Shown(Observer):
    """Of work that has one long phase. ``report`` raises PainterlyError NOT_FINITE for losses that are no numbers."""

    def __init__(self, shown: Display) -> None:
        self._display = shown
        self.begin()

    def begin(self) -> None:
        """Something new."""
        self._started, self._fraction = time.monotonic(), 0.0

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        check_losses(losses or {})
        if phase is Phase.PASS_ONE:
            self._fraction = max(self._fraction, fraction)
        left = None
        if self._fraction > TELLING:
            left = (time.monotonic() - self._started) * (1 - self._fraction) / self._fraction
        self._display.show(Progress("", phase, self._fraction, left, iteration, iterations, losses or {}))


@contextmanager
def shown() -> Iterator[Shown]:
    with display(NAMES) as screen:
        yield Shown(screen)
