"""Keeps one worker process: starts it, talks to it, notices its death, replaces it."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

import zmq

from painterly_engine.service.line import Line, open_line
from painterly_engine.service.log import event
from painterly_engine.service.runner import DEFAULT_FACTORY
from painterly_protocol import paths, wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Listener, choose_transport
from painterly_protocol.messages import Cancel, Failure, Hello, Message, Preview, Progress, Result

STDERR_FILE = "worker-stderr.log"
WorkerMessage = Progress | Preview | Result | Failure
_log = logging.getLogger(__name__)


class WorkerState(str, Enum):
    ABSENT = "absent"
    STARTING = "starting"  # importing torch; takes no job yet
    IDLE = "idle"
    BUSY = "busy"


class Supervisor:
    """One worker at most.

    Args:
        poller: wakes the server's loop when the worker has said something.
        memory: bytes the worker may take; None: what there is.
    """

    def __init__(
        self, listener: Listener, poller: zmq.Poller, runner: str = DEFAULT_FACTORY, memory: int | None = None
    ) -> None:
        self._listener = listener
        self._poller = poller
        self._options = ["--runner", runner, *([] if memory is None else ["--memory", str(memory)])]
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._key = ""
        self.state = WorkerState.ABSENT

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start a worker; no-op when there is one.

        Raises:
            PainterlyError: WORKER_DIED when the operating system will not start it.
        """
        if self.state is not WorkerState.ABSENT:
            return
        folder = self._listener.folder
        line, address = open_line(self._listener.context, self._listener.gate, folder, choose_transport(folder))
        self._line, self._key = line, address.public_key
        self._poller.register(line.socket, zmq.POLLIN)
        try:
            self._process = self._spawn()
            assert self._process.stdin is not None
            self._process.stdin.write(address.to_json())
            self._process.stdin.flush()
        except OSError as error:
            self.kill()
            raise PainterlyError(
                ErrorCode.WORKER_DIED, f"The engine's worker could not be started: {error}.", "Restart the engine."
            ) from error
        self.state = WorkerState.STARTING

    def _spawn(self) -> subprocess.Popen[bytes]:
        stderr = os.open(_stderr_file(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "painterly_engine.service.worker", *self._options],
                stdin=subprocess.PIPE,
                stdout=stderr,
                stderr=stderr,
            )
        finally:
            os.close(stderr)

    def assign(self, submit: Sequence[wire.Buffer]) -> None:
        """Give the worker a Submit, as frames.

        Raises:
            PainterlyError: WORKER_DIED.
        """
        assert self.state is WorkerState.IDLE and self._line is not None
        self.state = WorkerState.BUSY
        self._line.send_frames(submit)

    def cancel(self, job_id: str) -> None:
        if self._line is not None and self.state is WorkerState.BUSY:
            with contextlib.suppress(PainterlyError):  # a dead worker needs no cancel; its death is noticed soon
                self._line.send(Cancel(job_id))

    def receive(self) -> Iterator[tuple[WorkerMessage, list[wire.Buffer]]]:
        """What the worker has said about its job, and as which frames; its Hello only changes ``state``.

        Raises:
            PainterlyError: when what it said cannot be understood.
        """
        while self._line is not None and (received := self._line.receive_frames()) is not None:
            message, frames = received
            self._follow(message)
            if isinstance(message, Progress | Preview | Result | Failure):
                yield message, frames

    def _follow(self, message: Message) -> None:
        if isinstance(message, Hello):
            event(_log, "worker-ready", worker=self.pid)
        if isinstance(message, Hello | Result | Failure):
            self.state = WorkerState.IDLE

    def found_dead(self) -> str | None:
        """How the worker ended, once, if it has ended by itself; it is then absent."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._clear()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        event(_log, "worker-ended", logging.ERROR, how=how, last_words=last_words(_stderr_file()))
        return how

    def kill(self) -> None:
        """End the worker now; it holds nothing that could be lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._clear()

    def _clear(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        if self._line is not None:
            self._poller.unregister(self._line.socket)
            self._line.close()
            self._listener.gate.dismiss(self._key)
            self._line = None
        self.state = WorkerState.ABSENT


def _stderr_file() -> Path:
    return paths.log_dir() / STDERR_FILE


def last_words(file: Path, lines: int = 5) -> str:
    """The end of a log file, for another log."""
    try:
        return " | ".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "unknown"
