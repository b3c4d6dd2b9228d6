"""``EngineClient``: how the plug-in, the command line and the tests talk to a running engine.

No threads, no callbacks from elsewhere: a GLib timer calls ``events()``, which never blocks by default. Needs pyzmq and
msgpack, neither numpy nor torch.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import zmq
from zmq.utils.monitor import recv_monitor_message

from painterly_protocol import keys, paths, runtime, wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.failures import failure_error
from painterly_protocol.messages import (
    PROTOCOL_VERSION,
    Cancel,
    ClientMessage,
    EngineMessage,
    Failure,
    Hello,
    Preview,
    Priority,
    Progress,
    Queued,
    Result,
    Shutdown,
    Status,
    StatusQuery,
    Submit,
    Welcome,
)
from painterly_protocol.request import HarmonizeRequest
from painterly_protocol.runtime import RuntimeInfo

HEARTBEAT_MS = 2_000
HEARTBEAT_LOST_MS = 60_000  # a suspended laptop or a stopped process must be longer away than this to count as gone
RECONNECT_MS = 24 * 3600 * 1000
QUIET_S = 5.0  # without a word from the engine, ask for its status …
SILENT_S = 60.0  # … and after this long without an answer give it up: its process lives but its loop does not
TICK_S = 0.2

_CLOSED_EVENTS = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CLOSED
    | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class EngineClient:
    """A connection to one engine; made by ``connect``. A context manager that closes itself.

    ``welcome`` is the engine's greeting. Every method may raise PainterlyError ENGINE_GONE once the engine has
    vanished; messages that arrived before are handed out first.
    """

    def __init__(self, line: _Line, welcome: Welcome) -> None:
        self._line = line
        self.welcome = welcome
        self._pending: deque[EngineMessage] = deque()
        self._heard = time.monotonic()
        self._asked: float | None = None

    def submit(self, request: HarmonizeRequest, job_id: str | None = None, priority: Priority = Priority.NORMAL) -> str:
        """Send a job; returns its id. Submitting the same job under the same id again never runs it twice.

        Where it waits is told by Queued events, again whenever it moves.
        """
        job_id = job_id or uuid.uuid4().hex
        self._line.send(Submit(job_id, request, priority))
        return job_id

    def events(self, timeout_s: float = 0.0) -> list[EngineMessage]:
        """All messages that have arrived, waiting up to ``timeout_s`` for the first.

        Raises:
            PainterlyError: ENGINE_GONE when nothing has arrived and nothing will; BAD_REQUEST or VERSION_MISMATCH when
                the engine sends what this client does not understand.
        """
        if not self._pending:
            self._receive(timeout_s)
        messages = list(self._pending)
        self._pending.clear()
        return messages

    def cancel(self, job_id: str) -> None:
        """Ask for the job to stop; it ends in a Failure with CANCELLED (or in the Result that was faster)."""
        self._line.send(Cancel(job_id))

    def status(self, timeout_s: float = 5.0) -> Status:
        """Ask and wait. Other messages that arrive meanwhile are kept for ``events``.

        Raises:
            PainterlyError: ENGINE_GONE when no answer comes in time.
        """
        self._line.send(StatusQuery())
        kept: list[EngineMessage] = []
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline:
                arrived = self.events(min(TICK_S, timeout_s))
                answers = [message for message in arrived if isinstance(message, Status)]
                kept.extend(message for message in arrived if not isinstance(message, Status))
                if answers:
                    return answers[-1]
        finally:
            self._pending.extendleft(reversed(kept))
        raise _engine_mute()

    def shutdown(self) -> None:
        """Ask the engine to stop; its jobs, everybody's, end in a Failure with CANCELLED."""
        self._line.send(Shutdown())

    def send(self, message: ClientMessage) -> None:
        """Say ``message`` as it is; what answers it is among the ``events``."""
        self._line.send(message)

    def run(
        self,
        request: HarmonizeRequest,
        on_event: Callable[[EngineMessage], None] = lambda _message: None,
        job_id: str | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> Result:
        """Submit and wait; ``on_event`` gets the job's Queued, Progress and Preview.

        An exception of ``on_event`` (or Ctrl+C) cancels the job and passes through.

        Raises:
            PainterlyError: what the engine's Failure says, or ENGINE_GONE.
        """
        job_id = self.submit(request, job_id, priority)
        try:
            while True:
                for message in self.events(TICK_S):
                    if isinstance(message, Result) and message.job_id == job_id:
                        return message
                    if isinstance(message, Failure) and message.job_id in (job_id, ""):
                        raise failure_error(message)
                    if isinstance(message, Queued | Progress | Preview) and message.job_id == job_id:
                        on_event(message)
        except PainterlyError:
            raise
        except BaseException:
            self.cancel(job_id)
            raise

    def close(self) -> None:
        """Hang up. The engine drops this client's jobs."""
        self._line.close()

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self, timeout_s: float) -> None:
        arrived = self._line.receive(timeout_s)
        if arrived:
            self._heard, self._asked = time.monotonic(), None
            self._pending.extend(arrived)
        elif self._line.lost:
            raise engine_gone()
        else:
            self._check_silence()

    def _check_silence(self) -> None:
        now = time.monotonic()
        # Measured from the question, not from the last word: a client that was itself asleep must ask first.
        if self._asked is not None and now - self._asked > SILENT_S:
            raise _engine_mute()
        if self._asked is None and now - self._heard > QUIET_S:
            self._asked = now
            self._line.send(StatusQuery())


def connect(
    runtime_dir: Path | None = None, timeout_s: float = 5.0, client: str = "painterly_protocol"
) -> EngineClient:
    """Connect to the engine that ``runtime_dir`` (default: this user's) leads to, and greet it.

    Raises:
        PainterlyError: ENGINE_ABSENT when none is there (a stale runtime file counts as none), ENGINE_GONE when one is
            but gives no answer within ``timeout_s``, VERSION_MISMATCH, NOT_ADMITTED when an engine elsewhere does not
            know our key, UNSAFE_FOLDER, UNREADABLE_FILE for a damaged ticket.
    """
    folder = runtime_dir or paths.runtime_dir()
    info = runtime.find(folder)
    line = _Line(info, info.address(folder))
    try:
        if info.protocol_version != PROTOCOL_VERSION:
            _meet(line, info, timeout_s)
            raise wire.version_mismatch(engine=info.protocol_version, client=PROTOCOL_VERSION)
        return EngineClient(line, _greet(line, info, client, timeout_s))
    except BaseException:
        line.close()
        raise


def stop_whatever_version(runtime_dir: Path | None = None, timeout_s: float = 15.0) -> bool:
    """Stop this user's engine even where it speaks another version of the protocol; True once it has hung up.

    Raises:
        PainterlyError: ENGINE_ABSENT when none runs, UNSAFE_FOLDER.
    """
    folder = runtime_dir or paths.runtime_dir()
    info = runtime.read(folder)
    line = _Line(info, info.address(folder))
    try:
        _meet(line, info, timeout_s)
        line.send_frames(wire.encode_for(info.protocol_version, Shutdown()))
        deadline = time.monotonic() + timeout_s
        while not line.lost and time.monotonic() < deadline:
            line.await_change(TICK_S)
        return line.lost
    finally:
        line.close()


def engine_gone() -> PainterlyError:
    return PainterlyError(
        ErrorCode.ENGINE_GONE,
        "The engine has stopped in the middle of the conversation.",
        "Try again, it will be started anew; if it happens twice, look into its log with “painterly doctor”.",
    )


def _engine_mute() -> PainterlyError:
    return PainterlyError(
        ErrorCode.ENGINE_GONE,
        "The engine is running but does not answer.",
        "Stop it with “painterly stop” (or end its process) and try again.",
    )


def _greet(line: _Line, info: RuntimeInfo, client: str, timeout_s: float) -> Welcome:
    line.send(Hello(client))
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for message in line.receive(min(TICK_S, timeout_s)):
            if isinstance(message, Failure):
                raise failure_error(message)
            if isinstance(message, Welcome):
                return message
        if line.lost:
            raise _nobody(line, info)
    raise _engine_mute() if line.met else _nobody(line, info)


def _meet(line: _Line, info: RuntimeInfo, timeout_s: float) -> None:
    """Wait until somebody with the right keys is at the other end, whatever language it speaks.

    Raises:
        PainterlyError: ENGINE_ABSENT.
    """
    deadline = time.monotonic() + timeout_s
    while not line.met:
        line.await_change(min(TICK_S, timeout_s))
        if line.lost or time.monotonic() > deadline:
            raise _nobody(line, info)


def _nobody(line: _Line, info: RuntimeInfo) -> PainterlyError:
    if info.pid:
        return runtime.engine_absent("The engine is not running; the last one did not end in an orderly way.")
    place = info.endpoint.removeprefix("tcp://")
    elsewhere = "or run “painterly keys leave” to use this machine's own engine"
    if line.turned_away:
        return PainterlyError(
            ErrorCode.NOT_ADMITTED, f"The engine at {place} does not know this machine's key.",
            f"Ask its keeper for a new ticket (“painterly keys add”), {elsewhere}.",
        )  # fmt: skip
    return PainterlyError(
        ErrorCode.ENGINE_ABSENT, f"The engine at {place} does not answer.", f"Ask its keeper to start it, {elsewhere}."
    )


class _Line:
    """The socket and its monitor: sends, receives, knows when the connection is lost. Never reconnects, because a
    restarted engine would know nothing of our jobs."""

    def __init__(self, info: RuntimeInfo, address: str) -> None:
        self.met = False  # a ZeroMQ peer with the right keys is, or was, at the other end
        self.lost = False
        self.turned_away = False  # the engine does not know our key
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.DEALER)
        try:
            self._configure(info)
            self._monitor = self._socket.get_monitor_socket(_CLOSED_EVENTS | zmq.EVENT_HANDSHAKE_SUCCEEDED)
            self._poller = zmq.Poller()
            self._poller.register(self._socket, zmq.POLLIN)
            self._poller.register(self._monitor, zmq.POLLIN)
            self._socket.connect(address)
        except (zmq.ZMQError, ValueError) as error:
            self._context.destroy(linger=0)
            raise runtime.engine_absent(f"The engine's address in its runtime file cannot be used: {error}.") from error

    def _configure(self, info: RuntimeInfo) -> None:
        self._socket.linger = 0
        # Not -1, "never": libzmq then throws away what has arrived but was not yet read when the connection ends.
        self._socket.reconnect_ivl = RECONNECT_MS
        self._socket.heartbeat_ivl = HEARTBEAT_MS
        self._socket.heartbeat_timeout = HEARTBEAT_LOST_MS
        self._socket.maxmsgsize = wire.MAX_FRAME_BYTES  # of an impostor's, too, before it is found out
        if info.endpoint.startswith(runtime.IPC):
            return
        if not info.server_key:
            raise ValueError("a TCP address without a key")
        self._socket.ipv6 = True  # as well; a name in a ticket may be either
        keys.guard_client(self._socket, info.server_key, keys.KeyPair(info.client_public_key, info.client_secret_key))

    def send(self, message: ClientMessage) -> None:
        self.send_frames(wire.encode(message))

    def send_frames(self, frames: list[wire.Buffer]) -> None:
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
        except zmq.Again as error:
            self.lost = True
            raise engine_gone() from error

    def receive(self, timeout_s: float) -> list[EngineMessage]:
        """Everything that is there, waiting for the first message or the loss of the connection."""
        self.await_change(timeout_s)
        messages: list[EngineMessage] = []
        while self._socket.poll(0, zmq.POLLIN):
            frames = self._socket.recv_multipart(copy=False)
            message = _decoded([frame.buffer for frame in frames])
            if isinstance(message, EngineMessage):
                messages.append(message)
        return messages

    def await_change(self, timeout_s: float) -> None:
        """Wait for a message, or for news of the connection, which are noted."""
        ready = dict(self._poller.poll(max(0, round(timeout_s * 1000))))
        if self._monitor in ready:
            self._follow_connection()

    def _follow_connection(self) -> None:
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            self.met = self.met or event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self.turned_away = self.turned_away or event == zmq.EVENT_HANDSHAKE_FAILED_AUTH
            # What arrived before is still in the socket.
            self.lost = self.lost or event != zmq.EVENT_HANDSHAKE_SUCCEEDED

    def close(self) -> None:
        if not self._context.closed:
            self._socket.disable_monitor()
        self._context.destroy(linger=0)


def _decoded(frames: list[wire.Buffer]) -> object:
    try:
        return wire.decode(frames)
    except wire.OtherVersionError as error:
        raise wire.version_mismatch(engine=error.version, client=PROTOCOL_VERSION) from error
