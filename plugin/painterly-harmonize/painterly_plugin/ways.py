"""How the plug-in reaches the engine: by ZeroMQ where GIMP's Python can load pyzmq, else through the engine's own."""

from __future__ import annotations

import contextlib
import importlib
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from painterly_plugin import programs
from painterly_plugin.config import Config
from painterly_protocol import paths, remote
from painterly_protocol.bridge import is_answer, read_message, write_message
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.failures import failure_error
from painterly_protocol.messages import (
    Cancel,
    ClientMessage,
    EngineMessage,
    Failure,
    Shutdown,
    Status,
    StatusQuery,
    Submit,
    Welcome,
)
from painterly_protocol.request import HarmonizeRequest

CLIENT = "gimp-plug-in"
TICK_S = 0.1
START_S = 75.0
STATUS_S = 5.0
FAREWELL_S = 1.0

OnWait = Callable[[float], None]


class Client(Protocol):
    """What the plug-in needs of a connection to the engine."""

    def submit(self, request: HarmonizeRequest) -> str: ...
    def events(self, timeout_s: float = 0.0) -> list[EngineMessage]: ...
    def cancel(self, job_id: str) -> None: ...
    def status(self) -> Status: ...
    def shutdown(self) -> None: ...
    def __enter__(self) -> Client: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def has_zmq() -> bool:
    """Whether this Python can load pyzmq: a wheel made for another Python is there and yet cannot."""
    try:
        importlib.import_module("zmq")
    except (ImportError, OSError):
        return False
    return True


def ensure_engine(config: Config, on_wait: OnWait) -> Client:
    """Connect to the engine, starting it if need be.

    Raises:
        PainterlyError: what the launcher raises, or ENGINE_START_FAILED where the engine's Python cannot be run.
    """
    if not has_zmq():
        return BridgedClient(config, on_wait)
    from painterly_protocol import launcher

    return launcher.ensure_engine(config.engine_command, config.runtime_dir, on_wait=on_wait, client=CLIENT)


def connect(config: Config) -> Client:
    """Connect to the running engine.

    Raises:
        PainterlyError: ENGINE_ABSENT where none runs, and what else the protocol's ``connect`` raises.
    """
    if not has_zmq():
        return BridgedClient(config, start=False)
    from painterly_protocol import client

    return client.connect(config.runtime_dir, client=CLIENT)


def elsewhere(config: Config) -> str:
    """HOST:PORT of the engine on another machine that a ticket leads to; "" where it is this machine's own.

    A ticket that cannot be used leads nowhere: whoever tries to connect by it is told.
    """
    try:
        ticket = remote.in_use(config.runtime_dir or paths.runtime_dir())
    except PainterlyError:
        return ""
    return "" if ticket is None else ticket.endpoint.removeprefix("tcp://")


def _ignore(_seconds: float) -> None:
    return


class BridgedClient:
    """A connection through ``painterly_protocol.bridge``, run by the engine's own Python.

    Raises:
        PainterlyError: what the bridge says, or ENGINE_START_FAILED.
    """

    def __init__(self, config: Config, on_wait: OnWait = _ignore, *, start: bool = True) -> None:
        self._inbox: queue.Queue[EngineMessage | PainterlyError] = queue.Queue()
        self._process = _bridge(config, start)
        threading.Thread(target=self._read, name="painterly-bridge", daemon=True).start()
        try:
            self.welcome = self._greeting(on_wait)
        except BaseException:
            self.close()
            raise

    def submit(self, request: HarmonizeRequest) -> str:
        """Send a job; returns its id."""
        job_id = uuid.uuid4().hex
        self._send(Submit(job_id, request))
        return job_id

    def events(self, timeout_s: float = 0.0) -> list[EngineMessage]:
        """All messages that have arrived, waiting up to ``timeout_s`` for the first.

        Raises:
            PainterlyError: ENGINE_GONE, or what else ended the conversation, when nothing more will arrive.
        """
        messages: list[EngineMessage] = []
        try:
            item = self._inbox.get(timeout=timeout_s) if timeout_s > 0 else self._inbox.get_nowait()
            while not isinstance(item, PainterlyError):
                messages.append(item)
                item = self._inbox.get_nowait()
        except queue.Empty:
            return messages
        self._inbox.put(item)  # it stays the last word
        if not messages:
            raise item
        return messages

    def cancel(self, job_id: str) -> None:
        self._send(Cancel(job_id))

    def status(self) -> Status:
        """Ask and wait; other messages that arrive meanwhile are lost."""
        self._send(StatusQuery())
        deadline = time.monotonic() + STATUS_S
        while time.monotonic() < deadline:
            for message in self.events(TICK_S):
                if isinstance(message, Status):
                    return message
        raise _gone()

    def shutdown(self) -> None:
        """Ask the engine to stop."""
        self._send(Shutdown())

    def close(self) -> None:
        """Hang up. The engine drops this client's jobs."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it may have ended already
            self._process.stdin.close()
        try:
            self._process.wait(FAREWELL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> BridgedClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _greeting(self, on_wait: OnWait) -> Welcome:
        began = time.monotonic()
        while (waited := time.monotonic() - began) < START_S:
            for message in self.events(TICK_S):
                if isinstance(message, Welcome):
                    return message
                if isinstance(message, Failure):
                    raise failure_error(message)
            on_wait(waited)
        raise _gone()

    def _send(self, message: ClientMessage) -> None:
        assert self._process.stdin is not None
        try:
            write_message(self._process.stdin, message)  # type: ignore[arg-type]
        except (OSError, ValueError) as error:
            raise _gone() from error

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while (message := read_message(self._process.stdout)) is not None:  # type: ignore[arg-type]
                if is_answer(message):
                    self._inbox.put(message)  # type: ignore[arg-type]
        except (PainterlyError, OSError, ValueError) as error:
            self._inbox.put(error if isinstance(error, PainterlyError) else _gone())
        self._inbox.put(_gone())


def _bridge(config: Config, start: bool) -> subprocess.Popen[bytes]:
    place = [] if config.runtime_dir is None else ["--runtime-dir", str(config.runtime_dir)]
    options = [*place, "--client", CLIENT, *([] if start else ["--no-start"]), "--", *config.engine_command]
    return programs.start(
        config, "-m", "painterly_protocol.bridge", *options, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _gone() -> PainterlyError:
    return PainterlyError(
        ErrorCode.ENGINE_GONE,
        "The engine has stopped in the middle of the conversation.",
        "Try again, it will be started anew; if it happens twice, look into its log with “painterly doctor”.",
    )
