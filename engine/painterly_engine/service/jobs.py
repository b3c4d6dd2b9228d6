"""Which job runs, which wait, and whose turn is next: plain data, no sockets, no clock."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Peer
from painterly_protocol.messages import Failure, Priority, Submit

PATIENCE = 4  # jobs of higher priority in a row that one of lower priority lets by
REMEMBERED = 1024  # clients whose last turn is known
_RANK = {priority: rank for rank, priority in enumerate(Priority)}
Share = bytes | str


@dataclass(eq=False)
class Job:
    """
    Attributes:
        client: who gets the job's messages: the latest that submitted it.
        frames: what ``submit`` was read from; the worker gets them as they came, seals and all.
        arrived: when, on the engine's clock; as ``started``, which is None while it waits.
        progress: the latest, as frames.
        verdict: what the job ends in once the worker has let go of it; None: in what the worker says.
        tried: a worker died under it, and it gets one more.
        moves: machines that went down under it.
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
    moves: int = 0
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
    """As many jobs run as there are workers to take them. Of those that wait the highest priority is next, the clients
    taking turns, each in its own order.

    After ``PATIENCE`` jobs that overtook one of lower priority, such a one is next: nobody waits for ever.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._jobs: dict[str, Job] = {}  # all of them, by id
        self._waiting: list[Job] = []  # in the order they came
        self._turns: OrderedDict[Share, int] = OrderedDict()  # when each client's last turn was
        self._overtaken = 0
        self._returned: list[Job] = []
        self.running: list[Job] = []

    @property
    def waiting(self) -> tuple[Job, ...]:
        """In the order in which they will run, if no more come."""
        lanes, turns, overtaken = _Lanes(self._waiting), dict(self._turns), self._overtaken
        order, last = list(self._returned), max(turns.values(), default=0)
        while lanes:
            job = lanes.next(turns, overtaken)
            lanes.remove(job)
            overtaken = _overtaken(job, lanes.ranks, overtaken)
            turns[job.share] = last = last + 1
            order.append(job)
        return tuple(order)

    @property
    def length(self) -> int:
        """How many wait."""
        return len(self._returned) + len(self._waiting)

    def everyone(self) -> tuple[Job, ...]:
        """The running jobs, then the waiting ones in order."""
        return (*self.running, *self.waiting)

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def find(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

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
        self._jobs[job.job_id] = job

    def start_next(self) -> Job | None:
        """Make the next job a running one, if one waits."""
        job = self._returned.pop(0) if self._returned else self._take_turn()
        if job is not None:
            self.running.append(job)
        return job

    def _take_turn(self) -> Job | None:
        if not self._waiting:
            return None
        job = _Lanes(self._waiting).next(self._turns, self._overtaken)
        self._waiting.remove(job)
        self._overtaken = _overtaken(job, {_rank(other) for other in self._waiting}, self._overtaken)
        self._turns[job.share] = max(self._turns.values(), default=0) + 1
        self._turns.move_to_end(job.share)
        while len(self._turns) > REMEMBERED:
            self._turns.popitem(last=False)
        return job

    def remove_waiting(self, job: Job) -> None:
        (self._returned if job in self._returned else self._waiting).remove(job)
        del self._jobs[job.job_id]

    def finish(self, job: Job) -> None:
        """The running ``job`` has ended."""
        self.running.remove(job)
        del self._jobs[job.job_id]

    def put_back(self, job: Job) -> None:
        """The running ``job`` waits again, before all others."""
        self.running.remove(job)
        self._returned.append(job)


class _Lanes:
    """Jobs in the order they came, side by side by rank and client, so that whose turn it is costs no look at all."""

    def __init__(self, waiting: Sequence[Job]) -> None:
        self._lanes: dict[int, dict[Share, deque[Job]]] = {}
        for job in waiting:
            self._lanes.setdefault(_rank(job), {}).setdefault(job.share, deque()).append(job)

    def __bool__(self) -> bool:
        return bool(self._lanes)

    @property
    def ranks(self) -> Set[int]:
        return self._lanes.keys()

    def next(self, turns: Mapping[Share, int], overtaken: int) -> Job:
        ranks = sorted(self._lanes)
        rank = ranks[1 if overtaken >= PATIENCE and len(ranks) > 1 else 0]
        share = min(self._lanes[rank], key=lambda share: turns.get(share, 0))
        return self._lanes[rank][share][0]

    def remove(self, job: Job) -> None:
        """``job`` is the first of its lane."""
        shares = self._lanes[_rank(job)]
        shares[job.share].popleft()
        if not shares[job.share]:
            del shares[job.share]
        if not shares:
            del self._lanes[_rank(job)]


def _rank(job: Job) -> int:
    return _RANK[job.submit.priority]


def _overtaken(job: Job, left: Set[int], before: int) -> int:
    """How many in a row have overtaken jobs of lower priority, now that ``job`` runs and ranks ``left`` wait."""
    overtakes = any(rank > _rank(job) for rank in left)
    return before + 1 if overtakes and before < PATIENCE else 0


def _full(sentence: str) -> PainterlyError:
    return PainterlyError(ErrorCode.QUEUE_FULL, sentence, "Wait for one to end, or cancel one.")
