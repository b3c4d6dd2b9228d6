"""One job with the engine, in a thread of its own, so that no window waits for a socket.

The thread alone touches the client; nothing in it may touch GIMP, which is not thread-safe.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from painterly_plugin.ways import Client
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.failures import failure_error
from painterly_protocol.messages import EngineMessage, Failure, Preview, Progress, Queued, Result
from painterly_protocol.request import HarmonizeRequest

POLL_S = 0.02  # a cancel waits this long at most before it leaves
FAREWELL_S = 2.0  # how long a cancelled job waits for the engine to confirm
GOODBYE_S = 0.15  # how long a process that ends waits for its cancel to leave: hanging up drops the job as well

Connect = Callable[[Callable[[float], None]], Client]


@dataclass(frozen=True)
class Sketch:
    """A quick result to look at while the real one is painted."""

    result: Result


News = Queued | Progress | Preview | Sketch | Result | Exception


class Conversation:
    """Connects (starting the engine if need be), submits ``request`` and collects what the engine says.

    Where there is a ``sketch``, that job comes first; its result arrives as a Sketch, its failure is nobody's loss.

    ``connect`` is given a function to call while it waits, which raises once the job is cancelled.

    The last item of ``news`` is the Result or an exception (a PainterlyError, save for our own mistakes); after it
    ``is_over`` is true.
    """

    def __init__(self, connect: Connect, request: HarmonizeRequest, sketch: HarmonizeRequest | None = None) -> None:
        self._connect = connect
        self._request = request
        self._sketch = sketch
        self._cancelled = threading.Event()
        self._news: queue.Queue[News] = queue.Queue()
        self.is_over = False
        self._thread = threading.Thread(target=self._talk, name="painterly-conversation", daemon=True)
        self._thread.start()

    def news(self, timeout_s: float = 0.0) -> list[News]:
        """What has arrived since the last call, waiting up to ``timeout_s`` for the first."""
        items: list[News] = []
        try:
            items.append(self._news.get(timeout=timeout_s) if timeout_s > 0 else self._news.get_nowait())
            while True:
                items.append(self._news.get_nowait())
        except queue.Empty:
            pass
        self.is_over = self.is_over or any(isinstance(item, Result | Exception) for item in items)
        return items

    def cancel(self) -> None:
        """Stop the engine's job; returns at once. The last news is then a PainterlyError CANCELLED."""
        self._cancelled.set()

    def wait(self, timeout_s: float = GOODBYE_S) -> None:
        """Wait until the thread has hung up, as it does soon after ``cancel``, or the time is over."""
        self._thread.join(timeout_s)

    def _talk(self) -> None:
        try:
            with self._connect(self._keep_waiting) as client:
                if self._sketch is not None:
                    self._draw(client, self._sketch)
                self._news.put(self._follow(client, client.submit(self._request), self._news.put))
        except Exception as error:
            self._news.put(error)

    def _draw(self, client: Client, sketch: HarmonizeRequest) -> None:
        try:
            self._news.put(Sketch(self._follow(client, client.submit(sketch), self._tell_place)))
        except PainterlyError as error:
            if error.code in (ErrorCode.CANCELLED, ErrorCode.ENGINE_GONE):
                raise

    def _tell_place(self, news: News) -> None:
        """Whose turn comes first; a sketch's progress would be taken for that of the picture."""
        if isinstance(news, Queued):
            self._news.put(news)

    def _follow(self, client: Client, job_id: str, tell: Callable[[News], None]) -> Result:
        deadline = float("inf")
        while time.monotonic() < deadline:
            if self._cancelled.is_set() and deadline == float("inf"):
                client.cancel(job_id)
                deadline = time.monotonic() + FAREWELL_S
            for message in client.events(POLL_S):
                if isinstance(message, Result) and message.job_id == job_id and not self._cancelled.is_set():
                    return message
                self._hear(message, job_id, tell)
        raise _cancelled()

    def _keep_waiting(self, _seconds: float) -> None:
        if self._cancelled.is_set():
            raise _cancelled()

    def _hear(self, message: EngineMessage, job_id: str, tell: Callable[[News], None]) -> None:
        if isinstance(message, Failure) and message.job_id in (job_id, ""):
            raise failure_error(message)
        if isinstance(message, Queued | Progress | Preview) and message.job_id == job_id:
            tell(message)


def _cancelled() -> PainterlyError:
    return PainterlyError(ErrorCode.CANCELLED, "The job was cancelled.")
