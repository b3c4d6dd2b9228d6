"""The seam between what is to be run and who runs it.

Whoever has jobs hands an iterable of ``Job`` to a ``Crew`` and gets an iterator of ``Done``, in the order in which they
end. A crew decides how many run at once and where; it loads no job's pictures before it can run it, so that only the
jobs under way fill the memory. A crew that works elsewhere (several engines, a cluster) is another implementation of
the one method, and nothing before or behind it changes.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from painterly_engine.shortage import is_out_of_memory
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import EngineMessage, Result
from painterly_protocol.request import HarmonizeRequest

Run = Callable[[HarmonizeRequest, Callable[[EngineMessage], None]], Result]
"""Runs one job to its end and tells its events on the way; raises PainterlyError instead of a result."""

Tell = Callable[[str, EngineMessage], None]
"""Hears a job's name and what happens to it: Queued, Progress."""

HOPELESS = {
    ErrorCode.ENGINE_ABSENT,
    ErrorCode.ENGINE_START_FAILED,
    ErrorCode.NOT_ADMITTED,
    ErrorCode.VERSION_MISMATCH,
    ErrorCode.UNSAFE_FOLDER,
}
"""Errors that every other job would end in too."""


@dataclass(frozen=True)
class Job:
    """
    Attributes:
        name: no other job of the same work has it.
        load: reads the pictures. May raise PainterlyError.
    """

    name: str
    load: Callable[[], HarmonizeRequest]


@dataclass(frozen=True)
class Done:
    """How a job has ended: its result, or what kept it from one."""

    name: str
    outcome: Result | PainterlyError


class Crew(Protocol):
    """Whoever runs jobs."""

    def work(self, jobs: Iterable[Job], tell: Tell) -> Iterator[Done]:
        """Run all jobs, and yield each as it ends, in any order.

        A job that fails is a ``Done`` like the others. The jobs are asked for one by one, when there is room for the
        next. Closing the iterator cancels what still runs.

        Raises:
            PainterlyError: what keeps every job from running (``HOPELESS``).
        """
        ...


class OneByOne:
    """A crew of one: every job by ``run``, one after the other."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def work(self, jobs: Iterable[Job], tell: Tell) -> Iterator[Done]:
        for job in jobs:
            yield Done(job.name, self._outcome(job, tell))

    def _outcome(self, job: Job, tell: Tell) -> Result | PainterlyError:
        try:
            return self._run(job.load(), lambda event: tell(job.name, event))
        except PainterlyError as error:
            if error.code in HOPELESS:
                raise
            return error
        # Everything else is a defect or the lack of memory; the job ends, the next one may fare better.
        except Exception as error:
            return _unexpected(error)


def _unexpected(error: Exception) -> PainterlyError:
    if is_out_of_memory(error):
        return PainterlyError(
            ErrorCode.OUT_OF_MEMORY, "There is not enough memory for this job.", "Choose a smaller size."
        )
    traceback.print_exception(error)
    return PainterlyError(
        ErrorCode.INTERNAL,
        f"The engine met an error of its own ({type(error).__name__}: {error}).",
        "Please report it, with what was printed above.",
    )
