"""The I/O loop: answers everybody at once, never computes anything itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import zmq

from painterly_engine import __version__
from painterly_engine.service.clock import AwakeClock
from painterly_engine.service.foreman import Foreman
from painterly_engine.service.home import Home
from painterly_engine.service.log import event
from painterly_engine.service.pool import Pool
from painterly_engine.service.settings import Settings
from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.failures import failure_of
from painterly_protocol.listener import Listener, Peer
from painterly_protocol.messages import (
    PROTOCOL_VERSION,
    Cancel,
    EngineMessage,
    Hello,
    Message,
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


class Server:
    """Serves ``listener`` until ``stop`` is called, a client says Shutdown, or it has idled long enough.

    Args:
        pool: makes the workers, whose words wake the poller.
    """

    def __init__(self, listener: Listener, pool: Callable[[zmq.Poller], Pool], settings: Settings, home: Home) -> None:
        self._listener = listener
        self._settings = settings
        self._home = home
        self._poller = zmq.Poller()
        self._clock = AwakeClock()
        self._foreman = Foreman(listener, pool(self._poller), settings, self._clock)
        self._stopping = False
        self._probe_at = 0.0
        self._active = 0.0
        self._started = time.monotonic()

    def serve(self) -> None:
        """Raises PainterlyError UNSAFE_FOLDER when the runtime file cannot be written."""
        self._listener.register(self._poller)
        try:
            self._listener.publish()
            event(_log, "engine-listens", version=__version__, endpoint=self._listener.info.endpoint)
            self._foreman.open()
            while not self._over():
                self._turn()
        finally:
            self._drain()

    def stop(self) -> None:
        """End after the current turn; safe in a signal handler."""
        self._stopping = True

    # ------------------------------------------------------------ the loop

    def _turn(self) -> None:
        self._poller.poll(TURN_MS)
        self._clock.tick()
        self._listener.answer_gate()
        for client, frames in self._listener.receive():
            self._active = self._clock.now
            self._receive(client, frames)
        self._foreman.turn()
        self._probe_clients()
        self._home.look_after(self._clock.now)

    def _over(self) -> bool:
        if self._foreman.busy:
            self._active = self._clock.now
        limit = self._settings.idle_exit_s
        idled = limit is not None and self._clock.now - self._active > limit
        return self._stopping or idled or (self._home.lost and not self._foreman.busy)

    def _drain(self) -> None:
        event(_log, "engine-stops")
        self._listener.withdraw()
        self._foreman.drain()
        self._listener.close(FAREWELL_MS)

    def _probe_clients(self) -> None:
        if self._listener.disconnections() or self._clock.now >= self._probe_at:
            self._probe_at = self._clock.now + PROBE_EVERY_S
            self._foreman.drop_lost()

    # ------------------------------------------------------------ clients

    def _receive(self, client: Peer, frames: Sequence[wire.Buffer]) -> None:
        try:
            self._handle(client, wire.peek(frames), frames)
        except wire.OtherVersionError as error:
            self._refuse_version(client, error.version)
        except PainterlyError as error:
            self._refuse(client, error)
        # A defect of ours that one message brings to light must not end everybody's engine.
        except Exception:
            _log.exception("event=message-failed")
            sentence = "The engine met an error of its own over a message."
            advice = "Please report it; the details are in its log, which “painterly doctor” finds."
            self._refuse(client, PainterlyError(ErrorCode.INTERNAL, sentence, advice))

    def _handle(self, client: Peer, message: Message, frames: Sequence[wire.Buffer]) -> None:
        if not self._listener.still_knows(client):
            sentence, advice = "Your key to this engine has been removed.", "Ask its keeper for a new one."
            raise PainterlyError(ErrorCode.NOT_ADMITTED, sentence, advice)
        handlers: Mapping[type, Callable[[Peer, Any, Sequence[wire.Buffer]], None]] = {
            Hello: self._greet,
            Submit: self._submit,
            Cancel: self._cancel,
            StatusQuery: self._tell_status,
            Shutdown: self._shut_down,
        }
        handler = handlers.get(type(message))
        if handler is None:
            raise PainterlyError(ErrorCode.BAD_REQUEST, "A client sent a message that only an engine may send.")
        handler(client, message, frames)

    def _refuse(self, client: Peer, error: PainterlyError, job_id: str = "") -> None:
        self._foreman.tally.refused += 1
        event(_log, "refused", logging.WARNING, job=job_id or None, code=error.code.value, sentence=error.sentence)
        self._send(client, failure_of(error, job_id))

    def _refuse_version(self, client: Peer, version: int) -> None:
        """In the client's own version, so that it can show the sentence."""
        self._foreman.tally.refused += 1
        event(_log, "refused-version", logging.WARNING, version=version)
        error = wire.version_mismatch(engine=PROTOCOL_VERSION, client=version)
        self._listener.forward(client, wire.encode_for(version, failure_of(error)))

    def _greet(self, client: Peer, hello: Hello, _frames: object) -> None:
        event(_log, "client-connects", program=hello.client[:JOB_ID_LENGTH], client=client.name or None)
        self._send(client, Welcome(__version__, self._listener.info.pid))

    def _submit(self, client: Peer, submit: Submit, frames: Sequence[wire.Buffer]) -> None:
        if not 0 < len(submit.job_id) <= JOB_ID_LENGTH:
            raise PainterlyError(ErrorCode.BAD_REQUEST, f"A job id has 1 to {JOB_ID_LENGTH} characters.")
        try:
            self._foreman.submit(client, submit, frames)
        except PainterlyError as error:
            self._refuse(client, error, submit.job_id)

    def _cancel(self, client: Peer, cancel: Cancel, _frames: object) -> None:
        self._foreman.cancel(client, cancel.job_id)

    def _tell_status(self, client: Peer, _query: StatusQuery, _frames: object) -> None:
        foreman = self._foreman
        self._send(client, Status(foreman.life.state, foreman.running(client), foreman.queued, self._details(client)))

    def _details(self, asker: Peer) -> Mapping[str, object]:
        return {
            "engine_version": __version__,
            "pid": self._listener.info.pid,
            "endpoint": self._listener.info.endpoint,
            "uptime_s": round(time.monotonic() - self._started, 1),
            "limits": asdict(self._settings.limits),
            "hourly_quota": {name: most for name, most in asdict(self._settings.quota).items() if most is not None},
            **self._foreman.details(asker),
        }

    def _shut_down(self, client: Peer, _shutdown: Shutdown, _frames: object) -> None:
        if client.name:
            sentence, advice = "Only its keeper may stop this engine.", "Ask them."
            raise PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
        self.stop()

    def _send(self, client: Peer, message: EngineMessage) -> None:
        """To a client whose absence does not matter here: if it has jobs, the probe will find it gone."""
        self._listener.send(client, message)
