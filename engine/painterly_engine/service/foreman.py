"""Brings jobs and workers together: who runs, who waits, what follows when either breaks down."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from painterly_engine.service.accounts import OWN, Accounts
from painterly_engine.service.clock import AwakeClock
from painterly_engine.service.jobs import Job, JobQueue
from painterly_engine.service.log import event
from painterly_engine.service.outcomes import Outcome, Outcomes
from painterly_engine.service.pool import Death, Pool, WorkerMessage, WorkerState
from painterly_engine.service.settings import Settings
from painterly_engine.service.staff import Place, Staff, stillborn
from painterly_engine.service.states import Event, Lifecycle
from painterly_engine.service.tally import Tally
from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.failures import failure_of
from painterly_protocol.listener import Listener, Peer
from painterly_protocol.messages import Failure, Progress, Queued, Result, Submit

MOST_MOVES = 5  # machines that may go down under a job
_log = logging.getLogger(__name__)


class Foreman:
    """Runs as many jobs at a time as the pool has workers. ``turn`` is to be called often; nothing here waits."""

    def __init__(self, listener: Listener, pool: Pool, settings: Settings, clock: AwakeClock) -> None:
        self._listener = listener
        self._settings = settings
        self._clock = clock
        self._queue = JobQueue(settings.room)
        self._outcomes = Outcomes()
        self._told: dict[str, int] = {}  # what place in the queue each waiting job's client was told
        self._last_job: Mapping[str, object] = {}
        self._accounts = Accounts(settings.quota)
        self.tally = Tally()
        self.life = Lifecycle()
        self._staff = Staff(pool, settings, clock, self.life, self.tally)

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return bool(self._queue)

    def running(self, asker: Peer) -> str | None:
        """The job that has run for longest, of those that ``asker`` may know of."""
        known = (job.job_id for job in self._queue.running if asker.name in ("", job.client.name))
        return next(known, None)

    @property
    def queued(self) -> int:
        return self._queue.length

    def details(self, asker: Peer) -> Mapping[str, object]:
        """For a Status: msgpack-plain. A guest learns nothing of others."""
        first = self._staff.places[0]
        users = self._accounts.facts(self._queue.running, self._queue.waiting, self._clock.now)
        if asker.name:
            return {"worker": first.state.value, "users": {asker.name: users.get(asker.name, {})}}
        return {
            "worker_pid": first.worker.pid,
            "worker": first.state.value,
            **({"workers": [_facts(place) for place in self._staff.places]} if len(self._staff.places) > 1 else {}),
            "last_job": self._last_job,
            **({"users": users} if users.keys() - {OWN} else {}),
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
        if client.name:
            self._settings.limits.check_guest(submit)
        self._accounts.check(client.name, submit, self._clock.now)
        job = Job(client, submit, frames, self._clock.now)
        self._queue.add(job)
        self._accounts.taken(job, self._clock.now)
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
        self._staff.close()

    # ------------------------------------------------------------ the loop

    def open(self) -> None:
        """Have the workers that the engine starts with."""
        self._tell_all(self._staff.open())

    def turn(self) -> None:
        self._hear_workers()
        self._mourn_workers()
        self._end_patience()
        self._staff.let_go()
        self._run_next()

    def _run_next(self) -> None:
        """Give each idle worker a job, and have more workers where too few are idle."""
        started = False
        while self._queue.length and (place := self._staff.idle()) is not None:
            self._start(place)
            started = True
        if started:
            self._tell_places()
        if self._queue.length:
            self._tell_all(self._staff.hire(self._queue.length))

    def _start(self, place: Place) -> None:
        if not self._queue.running:
            self.life.happen(Event.JOB_STARTS)
        place.job = job = self._queue.start_next()
        assert job is not None
        job.started = self._clock.now
        self._told.pop(job.job_id, None)
        self.tally.started(job.started - job.arrived)
        event(_log, "job-starts", job=job.job_id, waited=job.started - job.arrived, worker=place.worker.pid)
        place.quiet_until = job.started + self._settings.stall_s
        try:
            place.worker.assign(job.frames)
        except PainterlyError as error:
            place.worker.kill()
            self._end(place, failure_of(error, job.job_id))

    def _abandon(self, job: Job, verdict: Failure) -> None:
        """A waiting job ends at once; a running one when the worker has left it or been killed for not doing so."""
        if job not in self._queue.running:
            self._queue.remove_waiting(job)
            self._conclude(job, verdict)
            self._tell_places()
        elif job.verdict is None:
            place, job.verdict = self._staff.of(job), verdict
            place.quiet_until = self._clock.now + self._settings.cancel_grace_s
            place.worker.cancel(job.job_id)

    def _lose_client(self, job: Job) -> None:
        event(_log, "client-lost", job=job.job_id)
        job.lost = True
        self._abandon(job, cancelled(job.job_id))

    def _end(self, place: Place, how: Result | Failure, frames: Sequence[wire.Buffer] | None = None) -> None:
        """The job that runs in ``place`` has ended."""
        job = self._leave(place)
        self._queue.finish(job)
        self._rest()
        self._conclude(job, how, frames)

    def _leave(self, place: Place) -> Job:
        job, place.job, place.idle_since = place.job, None, self._clock.now
        assert job is not None
        return job

    def _rest(self) -> None:
        if not self._queue.running:
            self.life.happen(Event.JOB_ENDS)

    def _conclude(self, job: Job, how: Result | Failure, frames: Sequence[wire.Buffer] | None = None) -> None:
        name = how.code if isinstance(how, Failure) else "done"
        ran = None if job.started is None else self._clock.now - job.started
        event(_log, "job-ends", job=job.job_id, outcome=name, ran=ran)
        self.tally.ended(name, ran)
        self._accounts.ended(job, name, self._clock.now)
        self._last_job = {"job_id": job.job_id, "outcome": name}
        self._told.pop(job.job_id, None)
        outcome = Outcome(job.job_id, job.client, wire.fingerprint(job.frames), frames or wire.encode(how))
        if not job.lost:
            self._outcomes.keep(outcome)
        self._listener.forward(job.client, outcome.frames)

    def _tell_places(self) -> None:
        """Tell the clients of waiting jobs whose place has changed."""
        for place, job in enumerate(self._queue.waiting):
            if self._told.get(job.job_id) != place:
                self._told[job.job_id] = place
                self._listener.send(job.client, Queued(job.job_id, place))

    def _tell_where_it_is(self, job: Job) -> bool:
        """Queued or the latest Progress to the job's client; False when that one is gone."""
        if job.progress is None:
            return self._listener.send(job.client, Queued(job.job_id, self._told.get(job.job_id, 0)))
        return self._listener.forward(job.client, job.progress)

    # ------------------------------------------------------------ the workers

    def _hear_workers(self) -> None:
        for place in self._staff.places:
            unborn = place.state is WorkerState.STARTING
            try:
                for message, frames in place.worker.receive():
                    self._pass_on(place, message, frames)
            except PainterlyError as error:
                _log.error("the worker sent what is no message: %s", error)
                place.worker.kill()
                self._lose_worker(place, Death("it spoke gibberish"), unborn)
            if unborn and place.state is WorkerState.IDLE:
                self._staff.welcome(place)

    def _pass_on(self, place: Place, message: WorkerMessage, frames: Sequence[wire.Buffer]) -> None:
        job = place.job
        if job is None or message.job_id != job.job_id:
            return
        if isinstance(message, Result | Failure):
            if job.verdict is not None:
                self._end(place, job.verdict)
            else:
                self._end(place, message, frames)
            return
        if isinstance(message, Progress):
            job.progress = frames
        if job.verdict is not None:
            return
        place.quiet_until = self._clock.now + self._settings.stall_s
        if not self._listener.forward(job.client, frames):
            self._lose_client(job)

    def _mourn_workers(self) -> None:
        for place, death, unborn in self._staff.dead():
            self._lose_worker(place, death, unborn)

    def _lose_worker(self, place: Place, death: Death, unborn: bool = False) -> None:
        """The worker is gone: a new one comes, unless it never was there. Its job is tried once more, then fails."""
        if unborn:
            self._tell_all(self._staff.blame(place, stillborn(death.how)))
            return
        job = place.job
        if job is not None and job.verdict is not None:
            self._end(place, job.verdict)
        elif job is not None and (job.tried or death.hung or job.moves >= MOST_MOVES):
            self._end(place, failure_of(_worker_died(death.how, job.tried), job.job_id))
        elif job is not None:
            self._retry(place, death)
        self._tell_all(self._staff.replace(place))

    def _retry(self, place: Place, death: Death) -> None:
        job = self._leave(place)
        event(_log, "job-retried", job=job.job_id)
        job.started, job.progress = None, None
        if death.of_machine:
            job.moves += 1
        else:
            job.tried = True
        self.tally.retried += 1
        self._queue.put_back(job)
        self._rest()
        self._tell_places()

    def _tell_all(self, errors: Iterable[PainterlyError]) -> None:
        """No worker can be had. Whoever waits is told; the next job tries again."""
        for error in errors:
            for job in self._queue.waiting:
                self._queue.remove_waiting(job)
                self._conclude(job, failure_of(error, job.job_id))

    def _end_patience(self) -> None:
        """Kill workers that are deaf, mute or not born in time; abandon jobs that take too long."""
        now = self._clock.now
        for place in self._staff.busy:
            assert place.job is not None
            if now > place.quiet_until:
                event(
                    _log,
                    "worker-killed",
                    logging.WARNING,
                    job=place.job.job_id,
                    worker=place.worker.pid,
                    why="it hangs",
                )
                place.worker.kill()
                self._lose_worker(place, Death("it had stopped computing", hung=True))
            elif self._overdue(place.job):
                self._abandon(place.job, failure_of(self._settings.limits.too_long(), place.job.job_id))
        for place in self._staff.late():
            how = f"it was not ready after {self._settings.start_s:g} s"
            self._tell_all(self._staff.blame(place, stillborn(how)))

    def _overdue(self, job: Job) -> bool:
        most = self._settings.limits.seconds
        return most is not None and job.started is not None and self._clock.now - job.started > most


def cancelled(job_id: str, sentence: str = "The job was cancelled.") -> Failure:
    return Failure(job_id, ErrorCode.CANCELLED.value, sentence)


def _same(same: bool) -> None:
    if not same:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST, "Another job has this id already.", "Submit it under an id of its own."
        )


def _worker_died(how: str, again: bool) -> PainterlyError:
    # Two whole sentences, since the plug-in translates whole ones.
    sentence = f"The engine's worker ended in the middle of the job ({how})."
    if again:
        sentence = f"The engine's worker ended in the middle of the job, twice ({how})."
    return PainterlyError(
        ErrorCode.WORKER_DIED,
        sentence,
        "The engine has started a new one: try again, with a smaller size if memory may have run out.",
    )


def _facts(place: Place) -> Mapping[str, object]:
    worker, job = place.worker, place.job
    return {
        "state": worker.state.value,
        "pid": worker.pid,
        "machine": worker.machine,
        "job": job.job_id if job else None,
    }
