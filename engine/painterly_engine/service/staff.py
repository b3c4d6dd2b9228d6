"""The workers there are, and those there should be: hires, lets go, gives up waiting for one that never comes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from painterly_engine.service.clock import AwakeClock
from painterly_engine.service.jobs import Job
from painterly_engine.service.log import event
from painterly_engine.service.pool import Death, Pool, Worker, WorkerState
from painterly_engine.service.settings import Settings
from painterly_engine.service.states import Event, Lifecycle
from painterly_engine.service.tally import Tally
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import EngineState

REST_S = 30.0  # before a place whose worker could not start is tried again, where others work
_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Place:
    """
    Attributes:
        job: what it computes.
        quiet_until: when the worker has been deaf or mute about its job for too long.
        born_by: when a starting worker must be ready.
        idle_since: on the engine's clock, as the others.
        rests_until: no new worker before.
    """

    worker: Worker
    job: Job | None = None
    quiet_until: float = 0.0
    born_by: float = 0.0
    idle_since: float = 0.0
    rests_until: float = 0.0

    @property
    def state(self) -> WorkerState:
        return self.worker.state


class Staff:
    """The pool's workers in their places. Nothing here waits."""

    def __init__(self, pool: Pool, settings: Settings, clock: AwakeClock, life: Lifecycle, tally: Tally) -> None:
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._life = life
        self._tally = tally
        self.places = [Place(worker) for worker in pool.workers]

    @property
    def busy(self) -> list[Place]:
        """The places where a job runs."""
        return [place for place in self.places if place.job is not None]

    def idle(self) -> Place | None:
        """A place whose worker waits for a job."""
        return next((place for place in self.places if place.state is WorkerState.IDLE), None)

    def of(self, job: Job) -> Place:
        """Where the running ``job`` runs."""
        return next(place for place in self.places if place.job is job)

    def at_work(self, but: Place | None = None) -> bool:
        """Whether any worker is there and ready, not counting one place."""
        ready = (WorkerState.IDLE, WorkerState.BUSY)
        return any(place.state in ready for place in self.places if place is not but)

    def hopeless(self) -> bool:
        """Whether no worker is there or on its way."""
        return all(place.state is WorkerState.ABSENT for place in self.places)

    # ------------------------------------------------------------ coming

    def open(self) -> Iterator[PainterlyError]:
        """Those the engine starts with; as ``hire``."""
        return self._start(self.places[: self._pool.bounds.first])

    def hire(self, waiting: int) -> Iterator[PainterlyError]:
        """Start workers for so many waiting jobs, as far as there are places; yields what kept one from starting
        where none is left to hope for."""
        coming = sum(place.state in (WorkerState.STARTING, WorkerState.IDLE) for place in self.places)
        rested = (p for p in self.places if p.state is WorkerState.ABSENT and p.rests_until <= self._clock.now)
        return self._start([place for place, _ in zip(rested, range(waiting - coming), strict=False)])

    def replace(self, place: Place) -> Iterator[PainterlyError]:
        """A new worker in the place of one that was there; as ``hire``."""
        return self._start([place])

    def _start(self, places: list[Place]) -> Iterator[PainterlyError]:
        for place in places:
            if not self.at_work(but=place):
                self._life.happen(Event.WORKER_STARTS)
            place.born_by = self._clock.now + self._settings.start_s
            self._tally.workers += 1
            try:
                place.worker.start()
            except PainterlyError as error:
                yield from self.blame(place, error)

    def welcome(self, place: Place) -> None:
        """Its worker is ready."""
        place.idle_since = self._clock.now
        if self._life.state is EngineState.STARTING:
            self._life.happen(Event.WORKER_READY)

    def late(self) -> Iterator[Place]:
        """Places whose worker has been starting for too long; it has been killed."""
        for place in self.places:
            if place.state is WorkerState.STARTING and self._clock.now > place.born_by:
                event(_log, "worker-killed", logging.ERROR, worker=place.worker.pid, why="it is not ready in time")
                place.worker.kill()
                yield place

    def blame(self, place: Place, error: PainterlyError) -> Iterator[PainterlyError]:
        """No worker can be had there for now; yields the error where there is none at all."""
        event(_log, "worker-unfit", logging.ERROR, sentence=error.sentence)
        if not self.hopeless():
            place.rests_until = self._clock.now + REST_S
            return
        if self._life.state is EngineState.STARTING:
            self._life.happen(Event.WORKER_UNFIT)
        yield error

    # ------------------------------------------------------------ going

    def dead(self) -> Iterator[tuple[Place, Death, bool]]:
        """Places whose worker has ended by itself, how, and whether it had never been ready."""
        for place in self.places:
            unborn = place.state is WorkerState.STARTING
            death = place.worker.found_dead()
            if death is not None:
                yield place, death, unborn

    def let_go(self) -> None:
        """End workers that have idled for long: memory is given back; the next job waits for a new one."""
        limit = self._settings.idle_unload_s
        if limit is None:
            return
        here = sum(place.state is not WorkerState.ABSENT for place in self.places)
        idle = [p for p in self.places if p.state is WorkerState.IDLE and self._clock.now - p.idle_since > limit]
        for place in idle[: max(0, here - self._pool.bounds.warm)]:
            event(_log, "worker-unloaded", worker=place.worker.pid)
            place.worker.kill()

    def close(self) -> None:
        for place in self.places:
            place.worker.kill()
        self._pool.close()


def stillborn(how: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.WORKER_DIED,
        f"The engine's worker cannot start ({how}).",
        "Run “painterly doctor”; if it finds nothing, run install.py again.",
    )
