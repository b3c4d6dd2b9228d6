"""Which job runs, which wait, and whose turn is next: plain data, no sockets, no clock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Peer
from painterly_protocol.messages import Failure, Priority, Submit

PATIENCE = 4  # jobs of higher priority in a row that one of lower priority lets by
REMEMBERED = 1024  # clients whose last turn is known
_RANK = {priority: rank for rank, priority in enumerate(Priority)}
Share = bytes | str


@dataclass
class Job:
    """
    Attributes:
        client: who gets the job's messages: the latest that submitted it.
        frames: what ``submit`` was read from; the worker gets them as they came, seals and all.
        arrived: when, on the engine's clock; as ``started``, which is None while it waits.
        progress: the latest, as frames.
        verdict: what the job ends in once the worker has let go of it; None: in what the worker says.
        tried: a worker died under it, and it gets one more.
        lost: nobody was there to hear how it ends: submitted again, it runs again.
    """

    client: Peer
    submit: Submit
    frames: Sequence[wire.Buffer]
    arrived: float = 0.0
    started: float | None = None
    progress: Sequence[wire.Buffer] | None = None
    verdict: Failure | None = None
    tried: bool = False
    lost: bool = False

    @property
    def job_id(self) -> str:
        return self.submit.job_id

    @property
    def share(self) -> Share:
        """Who takes turns with others: the holder of a key, or one of this user's own programs."""
        return self.client.name or self.client.connection

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(memoryview(frame).nbytes for frame in self.frames)


@dataclass(frozen=True)
class Room:
    """How much may wait: jobs of all, jobs of one client, bytes of all (one job may always wait)."""

    jobs: int = 64
    of_one: int = 16
    size: int = 4 * 2**30


class JobQueue:
    """One job runs. Of those that wait the highest priority is next, the clients taking turns, each in its own order.

    After ``PATIENCE`` jobs that overtook one of lower priority, such a one is next: nobody waits for ever.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._waiting: list[Job] = []  # in the order they came
        self._turns: OrderedDict[Share, int] = OrderedDict()  # when each client's last turn was
        self._overtaken = 0
        self._returned: Job | None = None
        self.running: Job | None = None

    @property
    def waiting(self) -> tuple[Job, ...]:
        """In the order in which they will run, if no more come."""
        order: list[Job] = [] if self._returned is None else [self._returned]
        left, turns, overtaken = list(self._waiting), dict(self._turns), self._overtaken
        while left:
            job = _next(left, turns, overtaken)
            left.remove(job)
            overtaken = _overtaken(job, left, overtaken)
            turns[job.share] = max(turns.values(), default=0) + 1
            order.append(job)
        return tuple(order)

    def everyone(self) -> tuple[Job, ...]:
        """The running job, then the waiting ones in order."""
        return (*([self.running] if self.running else []), *self.waiting)

    def __bool__(self) -> bool:
        return bool(self.running or self._returned or self._waiting)

    def find(self, job_id: str) -> Job | None:
        return next((job for job in self.everyone() if job.job_id == job_id), None)

    def add(self, job: Job) -> None:
        """Let ``job``, whose id must be new, wait.

        Raises:
            PainterlyError: QUEUE_FULL.
        """
        assert self.find(job.job_id) is None
        size = sum(other.size for other in self._waiting)
        own = sum(other.share == job.share for other in self._waiting)
        if own >= self._room.of_one:
            raise _full(f"{own} of your jobs are waiting already.")
        if len(self._waiting) >= self._room.jobs or (self._waiting and size + job.size > self._room.size):
            raise _full(f"The engine is busy: {len(self._waiting)} jobs are waiting already.")
        self._waiting.append(job)

    def start_next(self) -> Job | None:
        """Make the next job the running one, if none is."""
        if self.running is not None or not (self._returned or self._waiting):
            return None
        if self._returned is not None:
            self.running, self._returned = self._returned, None
            return self.running
        job = _next(self._waiting, self._turns, self._overtaken)
        self._waiting.remove(job)
        self._overtaken = _overtaken(job, self._waiting, self._overtaken)
        self._turns[job.share] = max(self._turns.values(), default=0) + 1
        self._turns.move_to_end(job.share)
        while len(self._turns) > REMEMBERED:
            self._turns.popitem(last=False)
        self.running = job
        return job

    def remove_waiting(self, job: Job) -> None:
        if job is self._returned:
            self._returned = None
        else:
            self._waiting.remove(job)

    def finish(self) -> None:
        self.running = None

    def put_back(self) -> None:
        """The running job waits again, before all others."""
        self.running, self._returned = None, self.running


def _next(waiting: Sequence[Job], turns: Mapping[Share, int], overtaken: int) -> Job:
    """Of jobs in the order they came, the one whose turn it is."""
    ranks = {_RANK[job.submit.priority] for job in waiting}
    if overtaken >= PATIENCE and len(ranks) > 1:
        ranks.remove(min(ranks))
    candidates = [job for job in waiting if _RANK[job.submit.priority] == min(ranks)]
    return min(candidates, key=lambda job: turns.get(job.share, 0))


def _overtaken(job: Job, left: Sequence[Job], before: int) -> int:
    """How many in a row have overtaken jobs of lower priority, now that ``job`` runs and ``left`` wait."""
    overtakes = any(_RANK[other.submit.priority] > _RANK[job.submit.priority] for other in left)
    return before + 1 if overtakes and before < PATIENCE else 0


def _full(sentence: str) -> PainterlyError:
    return PainterlyError(ErrorCode.QUEUE_FULL, sentence, "Wait for one to end, or cancel one.")
