"""What computes, as the foreman sees it: a pool of workers, each of which takes one job at a time.

Two pools exist: ``supervisor.LocalPool``, processes of this machine, and ``cluster.pool.RayPool``, actors anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from painterly_protocol import wire
from painterly_protocol.messages import Failure, Preview, Progress, Result

WorkerMessage = Progress | Preview | Result | Failure


class WorkerState(str, Enum):
    ABSENT = "absent"
    STARTING = "starting"  # importing torch; takes no job yet
    IDLE = "idle"
    BUSY = "busy"


@dataclass(frozen=True)
class Death:
    """How a worker ended.

    Attributes:
        of_machine: its machine went with it, which no job is to blame for.
        hung: it was ended for saying nothing: what hung once would hang again, and be waited for as long.
    """

    how: str
    of_machine: bool = False
    hung: bool = False


class Worker(Protocol):
    """A place for one worker. None of the methods waits for it."""

    @property
    def state(self) -> WorkerState: ...

    @property
    def pid(self) -> int | None:
        """Of the process that computes, on its machine."""

    @property
    def machine(self) -> str | None:
        """The address of another machine that it is on."""

    def start(self) -> None:
        """Have a worker, which is STARTING and some time later IDLE; no-op when there is one.

        Raises:
            PainterlyError: WORKER_DIED when none can be had.
        """

    def assign(self, submit: Sequence[wire.Buffer]) -> None:
        """Give the idle worker a Submit, as frames.

        Raises:
            PainterlyError: WORKER_DIED.
        """

    def cancel(self, job_id: str) -> None:
        """Ask it to leave the job."""

    def receive(self) -> Iterator[tuple[WorkerMessage, list[wire.Buffer]]]:
        """What it has said about its job, and as which frames.

        Raises:
            PainterlyError: when what it said cannot be understood.
        """

    def found_dead(self) -> Death | None:
        """How it ended, once, if it has ended by itself; it is then absent."""

    def kill(self) -> None:
        """End it now; it holds nothing that could be lost."""


@dataclass(frozen=True)
class Bounds:
    """How many workers there are: ``first`` from the engine's start on, ``most`` when enough jobs wait.

    One that has idled for long ends, unless fewer than ``warm`` would be left.
    """

    first: int = 1
    most: int = 1
    warm: int = 0


class Pool(Protocol):
    @property
    def bounds(self) -> Bounds: ...

    @property
    def workers(self) -> Sequence[Worker]:
        """``bounds.most`` places."""

    def close(self) -> None:
        """The engine ends; every worker has been killed."""
