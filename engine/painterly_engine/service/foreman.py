"""Brings jobs and the worker together: who runs, who waits, what follows when either breaks down."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from painterly_engine.service.clock import AwakeClock
from painterly_engine.service.jobs import Job, JobQueue
from painterly_engine.service.log import event
from painterly_engine.service.outcomes import Outcome, Outcomes
from painterly_engine.service.settings import Settings
from painterly_engine.service.states import Event, Lifecycle
from painterly_engine.service.supervisor import Supervisor, WorkerMessage, WorkerState
from painterly_engine.service.tally import Tally
from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Listener, Peer
from painterly_protocol.messages import Failure, Progress, Queued, Result, Submit

_log = logging.getLogger(__name__)


class Foreman:
    """Runs one job at a time in the worker. ``turn`` is to be called often; nothing here waits."""

    def __init__(self, listener: Listener, supervisor: Supervisor, settings: Settings, clock: AwakeClock) -> None:
        self._listener = listener
        self._supervisor = supervisor
        self._settings = settings
        self._clock = clock
        self._queue = JobQueue(settings.room)
        self._outcomes = Outcomes()
        self._places: dict[str, int] = {}  # what waiting jobs' clients were told
        self._quiet_until = 0.0  # when the running job's worker has been deaf or mute for too long
        self._born_by = 0.0  # when a starting worker must have said Hello
        self._idle_since = 0.0
        self._last_job: Mapping[str, object] = {}
        self.tally = Tally()
        self.life = Lifecycle()

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return bool(self._queue)

    @property
    def running(self) -> str | None:
        return self._queue.running.job_id if self._queue.running else None

    @property
    def queued(self) -> int:
        return len(self._queue.waiting)

    def details(self) -> Mapping[str, object]:
        """For a Status: msgpack-plain."""
        return {
            "worker_pid": self._supervisor.pid,
            "worker": self._supervisor.state.value,
            "last_job": self._last_job,
            **self.tally.numbers(),
        }

    # ------------------------------------------------------------ what clients ask for

    def submit(self, client: Peer, submit: Submit, frames: Sequence[wire.Buffer]) -> None:
        """A new job, or one that is known: then its client is told where it is, or how it ended.

        Raises:
            PainterlyError: OVER_LIMIT, QUEUE_FULL, BAD_REQUEST for an id that is another job's.
        """
        ended = self._outcomes.get(submit.job_id)
        if ended is not None:
            _same(ended.client.name == client.name and ended.fingerprint == wire.fingerprint(frames))
            self._listener.forward(client, ended.frames)
            return
        job = self._queue.find(submit.job_id)
        if job is not None:
            _same(job.client.name == client.name and wire.fingerprint(job.frames) == wire.fingerprint(frames))
            job.client = client
            self._tell_where_it_is(job)
            return
        self._settings.limits.check(submit)
        self._queue.add(Job(client, submit, frames, self._clock.now))
        event(_log, "job-queued", job=submit.job_id, client=client.name or None, priority=submit.priority.value)
        self._tell_places()

    def cancel(self, client: Peer, job_id: str) -> None:
        job = self._queue.find(job_id)
        if job is None:
            ended = self._outcomes.get(job_id)
            if ended is None or ended.client.name != client.name:
                failure = Failure(job_id, ErrorCode.BAD_REQUEST.value, "There is no such job to cancel.")
                self._listener.send(client, failure)
            elif ended.client != client:  # else its outcome, which was faster, is on its way already
                self._listener.forward(client, ended.frames)
        elif job.client != client:
            sentence, advice = "Only the client that submitted a job may cancel it.", "Cancel it there."
            self._listener.send(client, Failure(job_id, ErrorCode.BAD_REQUEST.value, sentence, advice))
        else:
            self._abandon(job, cancelled(job_id))

    def drop_lost(self) -> None:
        """Abandon the jobs of clients that are gone, or whose key is. A lost connection does not say whose it was:
        sending does."""
        for job in self._queue.everyone():
            known = self._listener.still_knows(job.client)
            if job.verdict is None and not (known and self._tell_where_it_is(job)):
                self._lose_client(job)

    def drain(self) -> None:
        """The engine stops: every job ends in ``cancelled``, the worker at once."""
        self.life.happen(Event.STOP)
        for job in self._queue.everyone():
            self._listener.send(job.client, cancelled(job.job_id, "The engine was stopped."))
        self._supervisor.kill()

    # ------------------------------------------------------------ the loop

    def turn(self) -> None:
        self._hear_worker()
        self._mourn_worker()
        self._end_patience()
        self._unload()
        self._run_next()

    def _run_next(self) -> None:
        if self._queue.running or not self._queue:
            return
        if self._supervisor.state is WorkerState.ABSENT:
            self.start_worker()
        if self._supervisor.state is not WorkerState.IDLE:
            return
        job = self._queue.start_next()
        assert job is not None
        job.started = self._clock.now
        self._places.pop(job.job_id, None)
        self.life.happen(Event.JOB_STARTS)
        self.tally.started(job.started - job.arrived)
        event(_log, "job-starts", job=job.job_id, waited=job.started - job.arrived, worker=self._supervisor.pid)
        self._tell_places()
        self._quiet_until = job.started + self._settings.stall_s
        try:
            self._supervisor.assign(job.frames)
        except PainterlyError as error:
            self._supervisor.kill()
            self._end(job, failure_of(job.job_id, error))

    def _abandon(self, job: Job, verdict: Failure) -> None:
        """A waiting job ends at once; a running one when the worker has left it or been killed for not doing so."""
        if job is not self._queue.running:
            self._queue.remove_waiting(job)
            self._conclude(job, verdict)
            self._tell_places()
        elif job.verdict is None:
            job.verdict = verdict
            self._quiet_until = self._clock.now + self._settings.cancel_grace_s
            self._supervisor.cancel(job.job_id)

    def _lose_client(self, job: Job) -> None:
        event(_log, "client-lost", job=job.job_id)
        job.lost = True
        self._abandon(job, cancelled(job.job_id))

    def _end(self, job: Job, how: Result | Failure, frames: Sequence[wire.Buffer] | None = None) -> None:
        """The running job has ended."""
        self._queue.finish()
        self.life.happen(Event.JOB_ENDS)
        self._idle_since = self._clock.now
        self._conclude(job, how, frames)

    def _conclude(self, job: Job, how: Result | Failure, frames: Sequence[wire.Buffer] | None = None) -> None:
        name = how.code if isinstance(how, Failure) else "done"
        ran = None if job.started is None else self._clock.now - job.started
        event(_log, "job-ends", job=job.job_id, outcome=name, ran=ran)
        self.tally.ended(name, ran)
        self._last_job = {"job_id": job.job_id, "outcome": name}
        self._places.pop(job.job_id, None)
        outcome = Outcome(job.job_id, job.client, wire.fingerprint(job.frames), frames or wire.encode(how))
        if not job.lost:
            self._outcomes.keep(outcome)
        self._listener.forward(job.client, outcome.frames)

    def _tell_places(self) -> None:
        """Tell the clients of waiting jobs whose place has changed."""
        for place, job in enumerate(self._queue.waiting):
            if self._places.get(job.job_id) != place:
                self._places[job.job_id] = place
                self._listener.send(job.client, Queued(job.job_id, place))

    def _tell_where_it_is(self, job: Job) -> bool:
        """Queued or the latest Progress to the job's client; False when that one is gone."""
        if job is not self._queue.running:
            return self._listener.send(job.client, Queued(job.job_id, self._queue.waiting.index(job)))
        if job.progress is None:
            return self._listener.send(job.client, Queued(job.job_id, 0))
        return self._listener.forward(job.client, job.progress)

    # ------------------------------------------------------------ the worker

    def start_worker(self) -> None:
        self.life.happen(Event.WORKER_STARTS)
        self._born_by = self._clock.now + self._settings.start_s
        self.tally.workers += 1
        try:
            self._supervisor.start()
        except PainterlyError as error:
            _log.error("%s", error)
            self._blame_worker(error)

    def _hear_worker(self) -> None:
        unborn = self._supervisor.state is WorkerState.STARTING
        try:
            for message, frames in self._supervisor.receive():
                self._pass_on(message, frames)
        except PainterlyError as error:
            _log.error("the worker sent what is no message: %s", error)
            self._supervisor.kill()
            self._lose_worker("it spoke gibberish", unborn)
        if unborn and self._supervisor.state is WorkerState.IDLE:
            self._idle_since = self._clock.now
            self.life.happen(Event.WORKER_READY)

    def _pass_on(self, message: WorkerMessage, frames: Sequence[wire.Buffer]) -> None:
        job = self._queue.running
        if job is None or message.job_id != job.job_id:
            return
        if isinstance(message, Result | Failure):
            if job.verdict is not None:
                self._end(job, job.verdict)
            else:
                self._end(job, message, frames)
            return
        if isinstance(message, Progress):
            job.progress = frames
        if job.verdict is not None:
            return
        self._quiet_until = self._clock.now + self._settings.stall_s
        if not self._listener.forward(job.client, frames):
            self._lose_client(job)

    def _mourn_worker(self) -> None:
        unborn = self._supervisor.state is WorkerState.STARTING
        how = self._supervisor.found_dead()
        if how is not None:
            self._lose_worker(how, unborn)

    def _lose_worker(self, how: str, unborn: bool = False) -> None:
        """The worker is gone: a new one comes, unless it never was there. Its job is tried once more, then fails."""
        if unborn:
            self._blame_worker(_stillborn(how))
            return
        job = self._queue.running
        if job is not None and job.verdict is not None:
            self._end(job, job.verdict)
        elif job is not None and job.tried:
            self._end(job, failure_of(job.job_id, _worker_died(how)))
        elif job is not None:
            self._retry(job)
        self.start_worker()

    def _retry(self, job: Job) -> None:
        event(_log, "job-retried", job=job.job_id)
        job.tried, job.started, job.progress = True, None, None
        self.tally.retried += 1
        self._queue.put_back()
        self.life.happen(Event.JOB_ENDS)
        self._tell_places()

    def _blame_worker(self, error: PainterlyError) -> None:
        """No worker can be had. Whoever waits is told; the next job tries again."""
        self.life.happen(Event.WORKER_UNFIT)
        for job in self._queue.waiting:
            self._queue.remove_waiting(job)
            self._conclude(job, failure_of(job.job_id, error))

    def _end_patience(self) -> None:
        """Kill a worker that is deaf, mute or not born in time; abandon a job that takes too long."""
        job, now = self._queue.running, self._clock.now
        if job is not None and now > self._quiet_until:
            event(_log, "worker-killed", logging.WARNING, job=job.job_id, worker=self._supervisor.pid, why="it hangs")
            self._supervisor.kill()
            job.tried = True  # what hung once would hang again, and be waited for as long
            self._lose_worker("it had stopped computing")
        elif job is not None and self._overdue(job):
            self._abandon(job, failure_of(job.job_id, self._settings.limits.too_long()))
        elif self._supervisor.state is WorkerState.STARTING and now > self._born_by:
            event(_log, "worker-killed", logging.ERROR, worker=self._supervisor.pid, why="it is not ready in time")
            self._supervisor.kill()
            self._blame_worker(_stillborn(f"it was not ready after {self._settings.start_s:g} s"))

    def _overdue(self, job: Job) -> bool:
        most = self._settings.limits.seconds
        return most is not None and job.started is not None and self._clock.now - job.started > most

    def _unload(self) -> None:
        """Give the network's memory back after a while without a job; the next one waits for a new worker."""
        limit = self._settings.idle_unload_s
        idle = self._supervisor.state is WorkerState.IDLE and not self._queue
        if idle and limit is not None and self._clock.now - self._idle_since > limit:
            event(_log, "worker-unloaded", worker=self._supervisor.pid)
            self._supervisor.kill()


def cancelled(job_id: str, sentence: str = "The job was cancelled.") -> Failure:
    return Failure(job_id, ErrorCode.CANCELLED.value, sentence)


def failure_of(job_id: str, error: PainterlyError) -> Failure:
    return Failure(job_id, error.code.value, error.sentence, error.advice)


def _same(same: bool) -> None:
    if not same:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST, "Another job has this id already.", "Submit it under an id of its own."
        )


def _worker_died(how: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.WORKER_DIED,
        f"The engine's worker ended in the middle of the job, twice ({how}).",
        "The engine has started a new one: try again, with a smaller size if memory may have run out.",
    )


def _stillborn(how: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.WORKER_DIED,
        f"The engine's worker cannot start ({how}).",
        "Run “painterly doctor”; if it finds nothing, run install.py again.",
    )
