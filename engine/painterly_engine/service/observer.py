"""A running job's side of the conversation: sends PROGRESS and PREVIEW, and notices a CANCEL, all without threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from painterly_engine.progress import Observer
from painterly_engine.service.overall import OverallProgress, shares_of
from painterly_engine.soundness import check_losses
from painterly_protocol.messages import Cancel, Message, Phase, Preview, Progress, Submit

if TYPE_CHECKING:
    from torch import Tensor

PROGRESS_EVERY_S = 0.1
PREVIEW_EVERY_S = 0.7


class JobCancelled(Exception):  # noqa: N818 (not an error: what the user asked for)
    """Raised inside the algorithm, by the observer, to leave it."""


class Channel(Protocol):
    """Where the job's messages go to and its Cancel comes from; ``receive`` never waits."""

    def send(self, message: Message) -> None: ...

    def receive(self) -> Message | None: ...


class JobObserver(Observer):
    """Reports ``submit``'s job over ``line``.

    ``report`` raises JobCancelled once a Cancel for it has arrived, PainterlyError NOT_FINITE for losses that are no
    numbers any more: no iteration leads back from there.

    The last picture of each phase is always sent, the others now and then.

    Attributes:
        begins: called as each phase begins.
    """

    def __init__(self, line: Channel, submit: Submit) -> None:
        self._line = line
        self._job_id = submit.job_id
        self._previews = submit.request.parameters.previews
        self._overall = OverallProgress(time.monotonic(), shares_of(submit.request.parameters))
        self.begins: Callable[[Phase], None] = lambda _phase: None
        self._phase: Phase | None = None
        self._losses: Mapping[str, float] = {}
        self._next_progress = 0.0
        self._next_preview = 0.0
        self._unsent: Callable[[], Tensor] | None = None

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        self.look_for_cancel()
        check_losses(losses or {})
        now = time.monotonic()
        self._losses = losses or (self._losses if phase is self._phase else {})
        if phase is self._phase and now < self._next_progress:
            return
        if phase is not self._phase:
            self.begins(phase)
            if self._unsent is not None:
                self._send_preview(self._unsent)
        self._phase, self._next_progress = phase, now + PROGRESS_EVERY_S
        overall = self._overall.advance(phase, fraction)
        left = self._overall.seconds_left(now)
        self._line.send(Progress(self._job_id, phase, overall, left, iteration, iterations, self._losses))

    def picture(self, make: Callable[[], Tensor]) -> None:
        if not self._previews:
            return
        self._unsent = make
        if time.monotonic() >= self._next_preview:
            self._send_preview(make)

    def _send_preview(self, make: Callable[[], Tensor]) -> None:
        from painterly_engine.service.preview import preview  # torch is in this process once there is a Tensor

        self._unsent, self._next_preview = None, time.monotonic() + PREVIEW_EVERY_S
        self._line.send(Preview(self._job_id, preview(make())))

    def look_for_cancel(self) -> None:
        """Raises JobCancelled once a Cancel for this job has arrived; never waits."""
        while (message := self._line.receive()) is not None:
            if isinstance(message, Cancel) and message.job_id == self._job_id:
                raise JobCancelled
