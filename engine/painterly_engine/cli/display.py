"""Progress for people: a bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol

from tqdm import tqdm

from painterly_protocol.messages import EngineMessage, Phase, Progress, Queued

PHASE_NAMES = {
    Phase.LOADING: "loading the network",
    Phase.PREPARING: "preparing",
    Phase.PASS_ONE: "first pass",
    Phase.MATCHING: "matching",
    Phase.PASS_TWO: "second pass",
    Phase.FINISHING: "finishing",
}


class Display(Protocol):
    """A context manager that shows events."""

    def show(self, event: EngineMessage) -> None: ...

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def display(names: Mapping[Phase, str] = PHASE_NAMES) -> Display:
    """What fits standard error; ``names`` says what the phases are called."""
    return Bar(names) if sys.stderr.isatty() else Lines(names)


class Bar:
    """One bar for the whole job."""

    def __init__(self, names: Mapping[Phase, str] = PHASE_NAMES) -> None:
        self._names = names

    def __enter__(self) -> Bar:
        self._bar = tqdm(total=100.0, bar_format="{desc:<22} {percentage:3.0f}% |{bar}| {postfix}", leave=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def show(self, event: EngineMessage) -> None:
        if isinstance(event, Queued):
            self._bar.set_description_str(f"waiting, {event.position} before this" if event.position else "waiting")
        elif isinstance(event, Progress):
            self._bar.set_description_str(self._names[event.phase], refresh=False)
            self._bar.set_postfix_str(_time_left(event.seconds_left), refresh=False)
            self._bar.n = min(99.0, 100 * event.fraction)
            self._bar.refresh()


class Lines:
    """A line for each phase and each quarter of it."""

    def __init__(self, names: Mapping[Phase, str] = PHASE_NAMES) -> None:
        self._names = names

    def __enter__(self) -> Lines:
        self._last: tuple[Phase, int] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, event: EngineMessage) -> None:
        if isinstance(event, Queued) and event.position:
            print(f"waiting: {event.position} before this one", file=sys.stderr, flush=True)
        elif isinstance(event, Progress):
            quarter = 4 * event.iteration // event.iterations if event.iterations else -1
            if (event.phase, quarter) == self._last:
                return
            self._last = (event.phase, quarter)
            iteration = f", iteration {event.iteration} of {event.iterations}" if event.iterations else ""
            print(f"{100 * event.fraction:3.0f}% {self._names[event.phase]}{iteration}", file=sys.stderr, flush=True)


def _time_left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"
