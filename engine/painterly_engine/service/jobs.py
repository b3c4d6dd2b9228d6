"""Which job runs, which wait, and how the last ones ended: plain data, no sockets, no clock."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Failure, Progress, Result, Submit

Outcome = Result | Failure


@dataclass
class Job:
    """``client`` is the connection that gets the job's messages: the latest that submitted it."""

    client: bytes
    submit: Submit
    progress: Progress | None = None
    cancelled: bool = False

    @property
    def job_id(self) -> str:
        return self.submit.job_id


class JobQueue:
    """First in, first out, one at a time, at most ``capacity`` waiting."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: list[Job] = []
        self.running: Job | None = None

    @property
    def waiting(self) -> tuple[Job, ...]:
        return tuple(self._waiting)

    def everyone(self) -> tuple[Job, ...]:
        """The running job, then the waiting ones in order."""
        return (*([self.running] if self.running else []), *self._waiting)

    def find(self, job_id: str) -> Job | None:
        return next((job for job in self.everyone() if job.job_id == job_id), None)

    def add(self, job: Job) -> None:
        """Put ``job``, whose id must be new, at the end.

        Raises:
            PainterlyError: QUEUE_FULL.
        """
        assert self.find(job.job_id) is None
        if len(self._waiting) >= self._capacity:
            raise PainterlyError(
                ErrorCode.QUEUE_FULL,
                f"The engine is busy: {len(self._waiting)} jobs are waiting already.",
                "Wait for one to end, or cancel one.",
            )
        self._waiting.append(job)

    def position(self, job: Job) -> int:
        """0: next to run."""
        return self._waiting.index(job)

    def start_next(self) -> Job | None:
        """Make the first waiting job the running one, if none is."""
        if self.running is not None or not self._waiting:
            return None
        self.running = self._waiting.pop(0)
        return self.running

    def remove_waiting(self, job: Job) -> None:
        self._waiting.remove(job)

    def finish(self) -> None:
        self.running = None


class Outcomes:
    """How the last jobs ended, so that one submitted again after its end gets its answer and never runs twice.

    Keeps at most ``count`` outcomes and ``max_bytes`` of pictures; of older jobs only ``remembered`` ids.
    """

    def __init__(self, count: int = 32, max_bytes: int = 256 * 2**20, remembered: int = 4096) -> None:
        self._count, self._max_bytes, self._remembered = count, max_bytes, remembered
        self._kept: OrderedDict[str, Outcome] = OrderedDict()
        self._forgotten: OrderedDict[str, None] = OrderedDict()

    def keep(self, outcome: Outcome) -> None:
        self._kept[outcome.job_id] = outcome
        while len(self._kept) > self._count or sum(map(_size, self._kept.values())) > self._max_bytes:
            job_id, _ = self._kept.popitem(last=False)
            self._forgotten[job_id] = None
        while len(self._forgotten) > self._remembered:
            self._forgotten.popitem(last=False)

    def get(self, job_id: str) -> Outcome | None:
        """The outcome, or a Failure that says it is no longer kept, or None for a job never ended here."""
        if job_id in self._forgotten:
            return Failure(
                job_id,
                ErrorCode.BAD_REQUEST.value,
                "This job has already run, and its result is no longer kept.",
                "Submit it as a new job.",
            )
        return self._kept.get(job_id)


def _size(outcome: Outcome) -> int:
    return memoryview(outcome.picture.data).nbytes if isinstance(outcome, Result) else 0
