"""The engine's side of a cluster: a pool whose workers are actors, and the process that speaks with Ray for it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import zmq

from painterly_engine.cluster import access
from painterly_engine.cluster.options import ClusterOptions
from painterly_engine.service.line import PolledLine
from painterly_engine.service.log import event
from painterly_engine.service.pool import Bounds, Death, WorkerMessage, WorkerState
from painterly_engine.service.supervisor import last_words
from painterly_protocol import paths, wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Listener
from painterly_protocol.messages import Cancel, EngineState, Failure, Preview, Progress, Result, Status

STDERR_FILE = "cluster-stderr.log"
FAREWELL_S = 10.0
_log = logging.getLogger(__name__)


class RayPool:
    """
    Args:
        poller: wakes the server's loop when an actor has said something.

    Raises:
        PainterlyError: BAD_REQUEST where Ray is not installed, NOT_ADMITTED where there is no token for the cluster.
    """

    def __init__(self, listener: Listener, poller: zmq.Poller, bounds: Bounds, options: ClusterOptions) -> None:
        access.check_installed()
        self._options = options
        self._environment = {**os.environ, **access.environment(options.address)}
        self._driver: Driver | None = None
        self.bounds = bounds
        self.workers = [Seat(self, listener, poller) for _ in range(bounds.most)]

    def driver(self) -> Driver:
        """The one there is, or a new one.

        Raises:
            PainterlyError: WORKER_DIED when the operating system will not start it.
        """
        if self._driver is None or self._driver.death() is not None:
            self._driver = Driver(self._options, self._environment)
        return self._driver

    def close(self) -> None:
        if self._driver is not None:
            self._driver.end()


class Driver:
    """A process that speaks with Ray, see ``cluster.driver``; its end is its actors'."""

    def __init__(self, options: ClusterOptions, environment: Mapping[str, str]) -> None:
        stderr = os.open(_stderr_file(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "painterly_engine.cluster.driver", options.to_json()],
                stdin=subprocess.PIPE,
                stdout=stderr,
                stderr=stderr,
                bufsize=0,
                env=environment,
                start_new_session=True,  # Ctrl+C in a terminal is the engine's business, and Ray's processes' never
            )
        except OSError as error:
            raise _unreachable(str(error)) from error
        finally:
            os.close(stderr)
        assert self._process.stdin is not None
        self._orders = self._process.stdin
        os.set_blocking(self._orders.fileno(), False)
        self._death: Death | None = None
        event(_log, "driver-starts", driver=self._process.pid, cluster=options.address or "own")

    def order(self, order: Mapping[str, object]) -> None:
        """Put an actor behind a line, or end one.

        Raises:
            PainterlyError: WORKER_DIED.
        """
        line = json.dumps(order).encode("utf-8") + b"\n"
        try:
            written = 0 if self._orders.closed else self._orders.write(line)
        except OSError as error:
            raise _unreachable(str(error)) from error
        if written != len(line):  # one that has not read for so long never will
            raise _unreachable("it does not listen")

    def death(self) -> Death | None:
        """How it ended, if it has ended by itself; no job is to blame for it."""
        if self._death is None and self._process.poll() is not None:
            self._orders.close()
            event(_log, "driver-ended", logging.ERROR, last_words=last_words(_stderr_file()))
            code = self._process.returncode
            how = last_words(_stderr_file(), lines=1) if code == access.NO_CLUSTER else f"the driver ended with {code}"
            self._death = Death(how, of_machine=True)
        return self._death

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._orders.close()
        try:
            self._process.wait(FAREWELL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Seat:
    """One actor at most, somewhere; a ``service.pool.Worker``."""

    def __init__(self, pool: RayPool, listener: Listener, poller: zmq.Poller) -> None:
        self._pool = pool
        self._listener = listener
        self._poller = poller
        self._end: PolledLine | None = None
        self._driver: Driver | None = None
        self._death: Death | None = None
        self.state = WorkerState.ABSENT
        self.pid: int | None = None
        self.machine: str | None = None

    def start(self) -> None:
        if self.state is not WorkerState.ABSENT:
            return
        self._driver = self._pool.driver()
        self._end = PolledLine(self._listener, self._poller)
        self.state = WorkerState.STARTING
        try:
            self._driver.order({"start": asdict(self._end.address)})
        except PainterlyError:
            self._clear()
            raise

    def assign(self, submit: Sequence[wire.Buffer]) -> None:
        assert self.state is WorkerState.IDLE and self._end is not None
        self.state = WorkerState.BUSY
        self._end.line.send_frames(submit)

    def cancel(self, job_id: str) -> None:
        if self._end is not None and self.state is WorkerState.BUSY:
            with contextlib.suppress(PainterlyError):  # a dead actor needs no cancel; its death is noticed soon
                self._end.line.send(Cancel(job_id))

    def receive(self) -> Iterator[tuple[WorkerMessage, list[wire.Buffer]]]:
        while self._end is not None and (received := self._end.line.receive_frames()) is not None:
            message, frames = received
            if isinstance(message, Status):
                self._follow(message)
            elif isinstance(message, Progress | Preview | Result | Failure):
                if isinstance(message, Result | Failure):
                    self.state = WorkerState.IDLE
                yield message, frames

    def _follow(self, status: Status) -> None:
        details = status.details
        if status.state is EngineState.READY:
            pid, machine = details.get("pid"), details.get("machine")
            self.pid, self.machine = pid if isinstance(pid, int) else None, str(machine)
            self.state = WorkerState.IDLE
            event(_log, "worker-ready", worker=self.pid, machine=self.machine)
        else:
            self._death = Death(str(details.get("how")), bool(details.get("of_machine")))

    def found_dead(self) -> Death | None:
        death = self._death or (self._driver.death() if self._driver is not None else None)
        if death is not None:
            event(_log, "worker-ended", logging.ERROR, worker=self.pid, machine=self.machine, how=death.how)
            self.kill()
        return death

    def kill(self) -> None:
        if self._driver is not None and self._end is not None:
            with contextlib.suppress(PainterlyError):  # a driver that is gone has taken its actors along
                self._driver.order({"stop": self._end.address.address})
        self._clear()

    def _clear(self) -> None:
        if self._end is not None:
            self._end.close()
            self._end = None
        self._driver, self._death, self.pid, self.machine = None, None, None, None
        self.state = WorkerState.ABSENT


def _unreachable(reason: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.WORKER_DIED, f"The cluster's driver could not be told: {reason}.", "Restart the engine."
    )


def _stderr_file() -> Path:
    return paths.log_dir() / STDERR_FILE
