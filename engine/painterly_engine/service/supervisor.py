"""Keeps worker processes of this machine: starts them, talks to them, notices their deaths."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import zmq

from painterly_engine.service.line import PolledLine
from painterly_engine.service.log import event
from painterly_engine.service.pool import Death, WorkerMessage, WorkerState
from painterly_engine.service.settings import Settings
from painterly_protocol import paths, wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Listener
from painterly_protocol.messages import Cancel, Failure, Hello, Message, Preview, Progress, Result

LOG_FILE, STDERR_FILE = "worker{}.log", "worker{}-stderr.log"
_log = logging.getLogger(__name__)


class LocalPool:
    """Worker processes of this machine, which share out ``settings.devices`` where such are named.

    Args:
        poller: wakes the server's loop when a worker has said something.
    """

    def __init__(self, listener: Listener, poller: zmq.Poller, settings: Settings) -> None:
        self.bounds = settings.workers
        numbers, devices = range(1, self.bounds.most + 1), itertools.cycle(settings.devices or [None])
        self.workers = [
            Supervisor(listener, poller, settings, number, device)
            for number, device in zip(numbers, devices, strict=False)
        ]

    def close(self) -> None:
        """Nothing is left to end."""


class Supervisor:
    """One worker at most.

    Args:
        number: of the worker among all of the engine's, from 1.
        device: which of the machine's graphics cards it sees, as CUDA counts them; None: all.
    """

    machine = None

    def __init__(
        self, listener: Listener, poller: zmq.Poller, settings: Settings, number: int = 1, device: str | None = None
    ) -> None:
        self._listener = listener
        self._poller = poller
        mark = f"-{number}" if number > 1 else ""
        memory = settings.limits.memory
        self._options = ["--runner", settings.runner, "--log", LOG_FILE.format(mark)]
        self._options += [] if memory is None else ["--memory", str(memory)]
        self._stderr = STDERR_FILE.format(mark)
        self._environment = environment(device, settings.workers.most)
        self._process: subprocess.Popen[bytes] | None = None
        self._end: PolledLine | None = None
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
        self._end = PolledLine(self._listener, self._poller)
        try:
            self._process = self._spawn()
            assert self._process.stdin is not None
            self._process.stdin.write(self._end.address.to_json())
            self._process.stdin.flush()
        except OSError as error:
            self.kill()
            raise PainterlyError(
                ErrorCode.WORKER_DIED, f"The engine's worker could not be started: {error}.", "Restart the engine."
            ) from error
        self.state = WorkerState.STARTING

    def _spawn(self) -> subprocess.Popen[bytes]:
        stderr = os.open(self._stderr_file(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "painterly_engine.service.worker", *self._options],
                stdin=subprocess.PIPE,
                stdout=stderr,
                stderr=stderr,
                env=self._environment,
            )
        finally:
            os.close(stderr)

    def assign(self, submit: Sequence[wire.Buffer]) -> None:
        """Give the worker a Submit, as frames.

        Raises:
            PainterlyError: WORKER_DIED.
        """
        assert self.state is WorkerState.IDLE and self._end is not None
        self.state = WorkerState.BUSY
        self._end.line.send_frames(submit)

    def cancel(self, job_id: str) -> None:
        if self._end is not None and self.state is WorkerState.BUSY:
            with contextlib.suppress(PainterlyError):  # a dead worker needs no cancel; its death is noticed soon
                self._end.line.send(Cancel(job_id))

    def receive(self) -> Iterator[tuple[WorkerMessage, list[wire.Buffer]]]:
        """What the worker has said about its job, and as which frames; its Hello only changes ``state``.

        Raises:
            PainterlyError: when what it said cannot be understood.
        """
        while self._end is not None and (received := self._end.line.receive_frames()) is not None:
            message, frames = received
            self._follow(message)
            if isinstance(message, Progress | Preview | Result | Failure):
                yield message, frames

    def _follow(self, message: Message) -> None:
        if isinstance(message, Hello):
            event(_log, "worker-ready", worker=self.pid)
        if isinstance(message, Hello | Result | Failure):
            self.state = WorkerState.IDLE

    def found_dead(self) -> Death | None:
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._clear()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        event(_log, "worker-ended", logging.ERROR, how=how, last_words=last_words(self._stderr_file()))
        return Death(how)

    def kill(self) -> None:
        """End the worker now; it holds nothing that could be lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._clear()

    def _stderr_file(self) -> Path:
        return paths.log_dir() / self._stderr

    def _clear(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        if self._end is not None:
            self._end.close()
            self._end = None
        self.state = WorkerState.ABSENT


def environment(device: str | None, workers: int) -> dict[str, str]:
    """What a worker is started with: one of several has its part of the cores, unless ``OMP_NUM_THREADS`` says
    otherwise, since threads that wait for a core keep all others waiting.

    Args:
        device, workers: which graphics card it sees, and how many there are at most.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = {"OMP_NUM_THREADS": str(max(1, cores // workers))} if workers > 1 else {}
    return {**threads, **os.environ, **({} if device is None else {"CUDA_VISIBLE_DEVICES": device})}


def last_words(file: Path, lines: int = 5) -> str:
    """The end of a log file, for another log."""
    try:
        return " | ".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "unknown"
