"""The worker as an actor on some node: computes in a thread of its own, so that it can be asked and told meanwhile.

What travels are frames of the protocol, as (N,) uint8 arrays: Ray keeps those in its object store and copies none
between processes of one machine.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from painterly_engine import __version__
from painterly_engine.device import VARIABLE
from painterly_engine.service.log import log_to_file
from painterly_engine.service.memory import bound_memory
from painterly_engine.service.runner import load_factory
from painterly_engine.service.worker import LOG_FILE, answer
from painterly_protocol import wire
from painterly_protocol.messages import Cancel, Message, Submit

HEAR_S = 5.0  # the longest silence before ``hear`` returns all the same
GATHER_S = 0.4
MOMENT_S = 0.005  # a job that takes no longer is told of in one go
END = "end"
Frames = list[NDArray[np.uint8]]
_log = logging.getLogger(__name__)


def to_arrays(frames: Sequence[wire.Buffer]) -> Frames:
    """Without a copy."""
    return [np.frombuffer(frame, np.uint8) for frame in frames]


class Painter:
    """
    Args:
        factory: of the runner, see ``service.runner``.
        memory: bytes that it may take; None: what there is.
        device: what it computes on; None: what its node says.
    """

    def __init__(self, factory: str, memory: int | None, device: str | None = None) -> None:
        if device is not None:
            os.environ[VARIABLE] = device
        self._todo: SimpleQueue[list[wire.Buffer]] = SimpleQueue()
        self._said: SimpleQueue[tuple[str, Frames]] = SimpleQueue()
        self._unwanted: set[str] = set()
        self._told_at = 0.0
        self._born = threading.Event()
        self._ill: str | None = None
        # One thread for everything: torch's settings are the thread's that made them.
        threading.Thread(target=self._live, args=(factory, memory), daemon=True).start()

    def ready(self) -> dict[str, object]:
        """Waits until it can compute; who it is.

        Raises:
            RuntimeError: it never can.
        """
        self._born.wait()
        if self._ill is not None:
            raise RuntimeError(self._ill)
        return {"pid": os.getpid(), "machine": socket.gethostname(), "version": __version__}

    def live(self) -> None:
        """Never returns."""
        threading.Event().wait()

    def begin(self, frames: Frames) -> tuple[bool, list[Frames]]:
        """Take a Submit; the first that there is to say of it, as ``hear``."""
        self._todo.put([frame.data for frame in frames])
        return self.hear()

    def cancel(self, job_id: str) -> None:
        """Leave the job at the next look, even if it has not begun."""
        self._unwanted.add(job_id)

    def hear(self) -> tuple[bool, list[Frames]]:
        """Waits a little for what there is to say: whether the job has ended with it, and the messages.

        Each call costs the driver a millisecond, and one driver has many actors: what comes within ``GATHER_S`` comes
        together, the latest of each kind, but a job's end at once.
        """
        said: dict[str, Frames] = {}
        until, over = time.monotonic() + HEAR_S, False
        while not over:
            try:
                what, frames = self._said.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                break
            if not said:
                until = max(time.monotonic() + MOMENT_S, self._told_at + GATHER_S)
            said[what], over = frames, what == END
        self._told_at = time.monotonic()
        return over, list(said.values())

    # ------------------------------------------------------------ its own thread

    def _live(self, factory: str, memory: int | None) -> None:
        try:
            log_to_file(LOG_FILE)
            runner = load_factory(factory)()
            if memory is not None:
                bound_memory(memory)
        except BaseException as error:  # a SystemExit too: whoever waits must be told
            self._ill = f"{type(error).__name__}: {error}"
            return
        finally:
            self._born.set()
        while True:
            frames = self._todo.get()
            submit = wire.peek(frames)
            assert isinstance(submit, Submit)
            ending = answer(runner, submit, frames, _Channel(submit.job_id, self._said, self._unwanted))
            self._unwanted.discard(submit.job_id)
            self._said.put((END, to_arrays(ending)))


class _Channel:
    """What the job says and hears, see ``service.observer``."""

    def __init__(self, job_id: str, said: SimpleQueue[tuple[str, Frames]], unwanted: set[str]) -> None:
        self._job_id, self._said, self._unwanted = job_id, said, unwanted

    def send(self, message: Message) -> None:
        self._said.put((type(message).__name__, to_arrays(wire.encode(message))))

    def receive(self) -> Message | None:
        if self._job_id not in self._unwanted:
            return None
        self._unwanted.discard(self._job_id)
        return Cancel(self._job_id)
