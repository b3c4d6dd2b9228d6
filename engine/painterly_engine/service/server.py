"""The I/O loop: answers everybody at once, runs one job at a time in the worker, never computes anything itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zmq

from painterly_engine import __version__
from painterly_engine.service.jobs import Job, JobQueue, Outcome, Outcomes
from painterly_engine.service.runner import DEFAULT_FACTORY
from painterly_engine.service.supervisor import Supervisor, WorkerMessage, WorkerState
from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Listener
from painterly_protocol.messages import (
    Cancel,
    EngineMessage,
    EngineState,
    Failure,
    Hello,
    Progress,
    Queued,
    Result,
    Shutdown,
    Status,
    StatusQuery,
    Submit,
    Welcome,
)

TURN_MS = 100  # how soon a dead worker or a signal is noticed
PROBE_EVERY_S = 5.0
JOB_ID_LENGTH = 64
FAREWELL_MS = 1000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What can be chosen when the engine starts.

    Attributes:
        capacity: jobs that may wait.
        cancel_grace_s: how long a worker may go on after a cancel before it is killed.
        start_s: how long a worker may import and load before it counts as hung and is killed.
        stall_s: how long a worker may say nothing about its job before it counts as hung and is killed.
        idle_exit_s: end after so long without a job or a message; None: never.
        runner: what the worker runs, see ``runner``.
    """

    capacity: int = 16
    cancel_grace_s: float = 10.0
    start_s: float = 120.0
    stall_s: float = 1800.0
    idle_exit_s: float | None = None
    runner: str = DEFAULT_FACTORY


class Server:
    """Serves ``listener`` until ``stop`` is called, a client says Shutdown, or it has idled long enough."""

    def __init__(self, listener: Listener, settings: Settings) -> None:
        self._listener = listener
        self._settings = settings
        self._poller = zmq.Poller()
        self._supervisor = Supervisor(listener, self._poller, settings.runner)
        self._queue = JobQueue(settings.capacity)
        self._outcomes = Outcomes()
        self._stopping = False
        self._failed = False  # the last worker did not live to say Hello
        self._kill_at: float | None = None  # when the running job's worker has been deaf or mute for too long
        self._born_by = 0.0  # when a starting worker must have said Hello
        self._probe_at = 0.0
        self._started = self._active = time.monotonic()
        self._last_job: Mapping[str, object] = {}

    def serve(self) -> None:
        """Raises PainterlyError UNSAFE_FOLDER when the runtime file cannot be written."""
        self._listener.register(self._poller)
        try:
            self._listener.publish()
            _log.info("engine %s listens at %s", __version__, self._listener.info.endpoint)
            self._start_worker()
            while not self._stopping and not self._idled():
                self._turn()
        finally:
            self._drain()

    def stop(self) -> None:
        """End after the current turn; safe in a signal handler."""
        self._stopping = True

    # ------------------------------------------------------------ the loop

    def _turn(self) -> None:
        self._poller.poll(TURN_MS)
        self._listener.answer_gate()
        for client, frames in self._listener.receive():
            self._active = time.monotonic()
            self._receive(client, frames)
        self._hear_worker()
        self._mourn_worker()
        self._kill_overdue_worker()
        self._probe_clients()
        self._run_next()

    def _idled(self) -> bool:
        if self._queue.everyone():
            self._active = time.monotonic()
        limit = self._settings.idle_exit_s
        return limit is not None and time.monotonic() - self._active > limit

    def _drain(self) -> None:
        _log.info("engine stops")
        self._listener.withdraw()
        for job in self._queue.everyone():
            self._listener.send(job.client, _cancelled(job, "The engine was stopped."))
        self._supervisor.kill()
        self._listener.close(FAREWELL_MS)

    # ------------------------------------------------------------ clients

    def _receive(self, client: bytes, frames: Sequence[wire.Buffer]) -> None:
        try:
            message = wire.decode(frames)
            handler: Callable[[bytes, Any], None] | None = self._handlers.get(type(message))
            if handler is None:
                raise PainterlyError(ErrorCode.BAD_REQUEST, "A client sent a message that only an engine may send.")
            handler(client, message)
        except PainterlyError as error:
            _log.warning("refused a message: %s", error)
            self._send(client, _failure("", error))

    @property
    def _handlers(self) -> Mapping[type, Callable[[bytes, Any], None]]:
        return {
            Hello: self._greet,
            Submit: self._submit,
            Cancel: self._cancel,
            StatusQuery: self._tell_status,
            Shutdown: self._shut_down,
        }

    def _greet(self, client: bytes, hello: Hello) -> None:
        _log.info("%s connects", hello.client[:JOB_ID_LENGTH])
        self._send(client, Welcome(__version__, self._listener.info.pid))

    def _submit(self, client: bytes, submit: Submit) -> None:
        if not 0 < len(submit.job_id) <= JOB_ID_LENGTH:
            raise PainterlyError(ErrorCode.BAD_REQUEST, f"A job id has 1 to {JOB_ID_LENGTH} characters.")
        ended = self._outcomes.get(submit.job_id)
        if ended is not None:
            self._send(client, ended)
            return
        job = self._queue.find(submit.job_id)
        if job is not None:
            job.client = client
            self._tell_where_it_is(job)
            return
        try:
            self._queue.add(Job(client, submit))
        except PainterlyError as error:
            self._send(client, _failure(submit.job_id, error))
            return
        _log.info("job %s is queued", submit.job_id)
        self._tell_where_it_is(self._queue.waiting[-1])

    def _cancel(self, client: bytes, cancel: Cancel) -> None:
        job = self._queue.find(cancel.job_id)
        if job is None:
            ended = self._outcomes.get(cancel.job_id)
            if ended is None:
                sentence = "There is no such job to cancel."
                ended = Failure(cancel.job_id, ErrorCode.BAD_REQUEST.value, sentence)
            self._send(client, ended)
        elif job.client != client:
            sentence, advice = "Only the client that submitted a job may cancel it.", "Cancel it there."
            self._send(client, Failure(cancel.job_id, ErrorCode.BAD_REQUEST.value, sentence, advice))
        else:
            self._abandon(job)

    def _tell_status(self, client: bytes, _query: StatusQuery) -> None:
        running = self._queue.running
        self._send(
            client,
            Status(self._state(), running.job_id if running else None, len(self._queue.waiting), self._details()),
        )

    def _state(self) -> EngineState:
        if self._failed:
            return EngineState.FAILED
        if self._queue.everyone():
            return EngineState.BUSY
        return EngineState.STARTING if self._supervisor.state is WorkerState.STARTING else EngineState.READY

    def _details(self) -> Mapping[str, object]:
        return {
            "engine_version": __version__,
            "pid": self._listener.info.pid,
            "worker_pid": self._supervisor.pid,
            "worker": self._supervisor.state.value,
            "endpoint": self._listener.info.endpoint,
            "uptime_s": round(time.monotonic() - self._started, 1),
            "last_job": self._last_job,
        }

    def _shut_down(self, _client: bytes, _shutdown: Shutdown) -> None:
        self.stop()

    def _send(self, client: bytes, message: EngineMessage) -> None:
        """To a client whose absence does not matter here: if it has jobs, the probe will find it gone."""
        self._listener.send(client, message)

    def _tell_where_it_is(self, job: Job) -> bool:
        """Queued or the latest Progress to the job's client; False when that one is gone."""
        if job is not self._queue.running:
            return self._listener.send(job.client, Queued(job.job_id, self._queue.position(job)))
        return self._listener.send(job.client, job.progress or Queued(job.job_id, 0))

    def _probe_clients(self) -> None:
        """Drop the jobs of clients that are gone. A lost connection does not say whose it was: sending does."""
        now = time.monotonic()
        if not self._listener.disconnections() and now < self._probe_at:
            return
        self._probe_at = now + PROBE_EVERY_S
        for job in self._queue.everyone():
            if not job.cancelled and not self._tell_where_it_is(job):
                _log.info("the client of job %s is gone", job.job_id)
                self._abandon(job)

    # ------------------------------------------------------------ jobs

    def _run_next(self) -> None:
        if not self._queue.waiting or self._queue.running:
            return
        if self._supervisor.state is WorkerState.ABSENT:
            self._start_worker()
        if self._supervisor.state is not WorkerState.IDLE:
            return
        job = self._queue.start_next()
        assert job is not None
        _log.info("job %s runs", job.job_id)
        for waiting in self._queue.waiting:
            self._tell_where_it_is(waiting)
        self._kill_at = time.monotonic() + self._settings.stall_s
        try:
            self._supervisor.assign(job.submit)
        except PainterlyError as error:
            self._supervisor.kill()
            self._end(job, _failure(job.job_id, error))

    def _abandon(self, job: Job) -> None:
        """A waiting job ends at once; a running one when the worker has left it or been killed for not doing so."""
        if job is not self._queue.running:
            self._queue.remove_waiting(job)
            self._conclude(job, _cancelled(job))
            for waiting in self._queue.waiting:
                self._tell_where_it_is(waiting)
        elif not job.cancelled:
            job.cancelled = True
            self._kill_at = time.monotonic() + self._settings.cancel_grace_s
            self._supervisor.cancel(job.job_id)

    def _end(self, job: Job, outcome: Outcome) -> None:
        """The running job has ended."""
        self._queue.finish()
        self._kill_at = None
        self._conclude(job, outcome)

    def _conclude(self, job: Job, outcome: Outcome) -> None:
        name = outcome.code if isinstance(outcome, Failure) else "done"
        _log.info("job %s ends: %s", job.job_id, name)
        self._last_job = {"job_id": job.job_id, "outcome": name}
        self._outcomes.keep(outcome)
        self._send(job.client, outcome)

    # ------------------------------------------------------------ the worker

    def _start_worker(self) -> None:
        self._born_by = time.monotonic() + self._settings.start_s
        try:
            self._supervisor.start()
        except PainterlyError as error:
            _log.error("%s", error)
            self._blame_worker(error)

    def _hear_worker(self) -> None:
        try:
            for message in self._supervisor.receive():
                self._pass_on(message)
        except PainterlyError as error:
            _log.error("the worker sent what is no message: %s", error)
            self._supervisor.kill()
            self._lose_worker("it spoke gibberish")
        if self._supervisor.state is WorkerState.IDLE:
            self._failed = False

    def _pass_on(self, message: WorkerMessage) -> None:
        job = self._queue.running
        if job is None or message.job_id != job.job_id:
            return
        if isinstance(message, Result | Failure):
            self._end(job, message)
            return
        if isinstance(message, Progress):
            job.progress = message
        if not job.cancelled:
            self._kill_at = time.monotonic() + self._settings.stall_s
        if not job.cancelled and not self._listener.send(job.client, message):
            _log.info("the client of job %s is gone", job.job_id)
            self._abandon(job)

    def _mourn_worker(self) -> None:
        unborn = self._supervisor.state is WorkerState.STARTING
        how = self._supervisor.found_dead()
        if how is None:
            return
        if unborn:
            self._blame_worker(_stillborn(how))
        else:
            self._lose_worker(how)

    def _blame_worker(self, error: PainterlyError) -> None:
        """No worker can be had. Whoever waits is told; the next job tries again."""
        self._failed = True
        for job in self._queue.waiting:
            self._queue.remove_waiting(job)
            self._conclude(job, _failure(job.job_id, error))

    def _lose_worker(self, how: str) -> None:
        """The worker is gone: its job fails, a new worker comes."""
        job = self._queue.running
        if job is not None and job.cancelled:
            self._end(job, _cancelled(job))
        elif job is not None:
            error = PainterlyError(
                ErrorCode.WORKER_DIED,
                f"The engine's worker ended in the middle of the job ({how}).",
                "The engine has started a new one: try again, with a smaller size if memory may have run out.",
            )
            self._end(job, _failure(job.job_id, error))
        self._start_worker()

    def _kill_overdue_worker(self) -> None:
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            _log.warning("worker %s has ignored a cancel or hangs, and is killed", self._supervisor.pid)
            self._supervisor.kill()
            self._lose_worker("it had stopped computing")
        elif self._supervisor.state is WorkerState.STARTING and time.monotonic() > self._born_by:
            _log.error("worker %s hangs while it starts, and is killed", self._supervisor.pid)
            self._supervisor.kill()
            self._blame_worker(_stillborn(f"it was not ready after {self._settings.start_s:g} s"))


def _stillborn(how: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.WORKER_DIED,
        f"The engine's worker cannot start ({how}).",
        "Run “painterly doctor”; if it finds nothing, run install.py again.",
    )


def _failure(job_id: str, error: PainterlyError) -> Failure:
    return Failure(job_id, error.code.value, error.sentence, error.advice)


def _cancelled(job: Job, sentence: str = "The job was cancelled.") -> Failure:
    return Failure(job.job_id, ErrorCode.CANCELLED.value, sentence)
