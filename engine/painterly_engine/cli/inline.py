"""A job in this process: no engine, no sockets, the same events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from painterly_engine.progress import Observer
from painterly_engine.report.recorder import Recorder
from painterly_engine.report.watching import Watcher
from painterly_engine.service.observer import JobObserver
from painterly_engine.service.runner import harmonizing_runner
from painterly_protocol.messages import EngineMessage, Message, Preview, Progress, Result, Submit
from painterly_protocol.request import HarmonizeRequest

JOB_ID = "inline"
Listener = Recorder | Watcher


class _Direct:
    """The channel of a job whose client is the same thread; Ctrl+C cancels it, so there is never a Cancel."""

    def __init__(self, on_event: Callable[[EngineMessage], None]) -> None:
        self._on_event = on_event

    def send(self, message: Message) -> None:
        if isinstance(message, Progress | Preview):
            self._on_event(message)

    def receive(self) -> None:
        return None


def run_inline(
    request: HarmonizeRequest, on_event: Callable[[EngineMessage], None], heard_by: Sequence[Listener] = ()
) -> Result:
    """Run the job here; everything the algorithm says is also ``heard_by`` others.

    Raises:
        PainterlyError: as ``job.run_request``.
    """
    observer: Observer = JobObserver(_Direct(on_event), Submit(JOB_ID, request))
    for listener in heard_by:
        listener.inner, observer = observer, listener
    outcome = harmonizing_runner()(request, observer)
    return Result(JOB_ID, outcome.x, outcome.y, outcome.picture, outcome.metadata)
