"""Jobs in the engine: always one more than it works on, so that it never waits for a picture to be read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from painterly_engine.batch.work import Done, Job, Tell
from painterly_protocol.client import EngineClient
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.failures import failure_error
from painterly_protocol.messages import EngineMessage, Failure, Priority, Progress, Queued, Result

TICK_S = 0.2
AGAIN_S = 2.0  # until a queue that was full is asked again
AT_ONCE = 2


class InEngine:
    """
    Args:
        connect: to the running engine, or to one started for it.
        at_once: jobs under way or waiting in the engine; as many as it has workers, and one more, keep it busy.
    """

    def __init__(self, connect: Callable[[], EngineClient], at_once: int = AT_ONCE) -> None:
        self._connect, self._at_once = connect, at_once

    def work(self, jobs: Iterable[Job], tell: Tell) -> Iterator[Done]:
        """As ``Crew.work``. An engine that vanishes takes the jobs it had with it; the others go to the next one."""
        waiting = iter(jobs)
        while (first := next(waiting, None)) is not None:
            with self._connect() as client:
                yield from _Turn(client, chain([first], waiting), tell, self._at_once).work()


class _Turn:
    """The jobs of one connection."""

    def __init__(self, client: EngineClient, waiting: Iterator[Job], tell: Tell, at_once: int) -> None:
        self._client, self._waiting, self._tell, self._at_once = client, waiting, tell, at_once
        self._under_way: dict[str, Job] = {}
        self._refused: deque[Job] = deque()
        self._not_before = 0.0

    def work(self) -> Iterator[Done]:
        """Until no job is left, or the engine is gone."""
        try:
            while True:
                yield from self._submit()
                if not self._under_way and not self._refused:
                    return
                for message in self._client.events(TICK_S):
                    yield from self._heard(message)
        except PainterlyError as error:
            if error.code is not ErrorCode.ENGINE_GONE:
                raise
            for job in (*self._under_way.values(), *self._refused):
                yield Done(job.name, error)

    def _submit(self) -> Iterator[Done]:
        while len(self._under_way) < self._at_once and (job := self._next()) is not None:
            try:
                request = job.load()
            except PainterlyError as error:
                yield Done(job.name, error)
                continue
            self._refused.append(job)  # until it is sent: an engine that vanishes now takes it along
            job_id = self._client.submit(request, priority=Priority.BATCH)
            self._refused.pop()
            self._under_way[job_id] = job

    def _next(self) -> Job | None:
        if time.monotonic() < self._not_before:
            return None
        return self._refused.popleft() if self._refused else next(self._waiting, None)

    def _heard(self, message: EngineMessage) -> Iterator[Done]:
        if isinstance(message, Failure) and not message.job_id:
            raise failure_error(message)
        job_id = getattr(message, "job_id", "")
        if job_id not in self._under_way:
            return
        if isinstance(message, Queued | Progress):
            self._tell(self._under_way[job_id].name, message)
        elif isinstance(message, Failure) and message.code == ErrorCode.QUEUE_FULL.value:
            self._refused.append(self._under_way.pop(job_id))
            self._not_before = time.monotonic() + AGAIN_S
        elif isinstance(message, Result):
            yield Done(self._under_way.pop(job_id).name, message)
        elif isinstance(message, Failure):
            yield Done(self._under_way.pop(job_id).name, failure_error(message))
