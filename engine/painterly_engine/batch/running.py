"""A batch from its entries to its results: what is finished is skipped, what fails is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import partial

from painterly_engine.batch.entries import Broken, Entry, request
from painterly_engine.batch.ledger import Ledger, key_of
from painterly_engine.batch.work import Crew, Job, Tell
from painterly_engine.pictures.files import Picture, read_rgb
from painterly_engine.pictures.placement import apply
from painterly_engine.pictures.sparing import spare
from painterly_protocol.errors import PainterlyError
from painterly_protocol.messages import Result


class State(Enum):
    """How an entry has ended."""

    MADE = "made"
    FINISHED = "finished before"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """
    Attributes:
        reason: why it failed, in sentences; "" where it did not.
        notes: what of a picture was not used.
    """

    name: str
    state: State
    reason: str = ""
    notes: tuple[str, ...] = ()


Ended = Callable[[Outcome], None]


def run_batch(entries: Sequence[Entry | Broken], ledger: Ledger, crew: Crew, tell: Tell, ended: Ended) -> list[Outcome]:
    """
    Args:
        tell: hears what happens to a job.
        ended: hears every outcome once, as soon as it is known.

    Returns:
        Outcomes in the entries' order.

    Raises:
        PainterlyError: what keeps every job from running.
    """
    outcomes: dict[str, Outcome] = {}

    def note(outcome: Outcome) -> None:
        outcomes[outcome.name] = outcome
        ended(outcome)

    waiting: dict[str, tuple[Entry, str]] = {}
    for entry in entries:
        found = _looked_at(entry, ledger)
        if isinstance(found, Outcome):
            note(found)
        elif isinstance(entry, Entry):
            waiting[entry.name] = (entry, found)
    jobs = (Job(name, partial(request, entry)) for name, (entry, _) in waiting.items())
    for done in crew.work(jobs, tell):
        entry, key = waiting[done.name]
        note(_kept(entry, key, done.outcome, ledger))
    return [outcomes[entry.name] for entry in entries]


def _looked_at(entry: Entry | Broken, ledger: Ledger) -> Outcome | str:
    """Its outcome where it has one already, else its key."""
    if isinstance(entry, Broken):
        return _failed(entry.name, entry.error)
    try:
        spare([ledger.result(entry.name)], (path for _, path in entry.files()))
        key = key_of(entry)
        return Outcome(entry.name, State.FINISHED) if ledger.is_finished(entry.name, key) else key
    except PainterlyError as error:
        return _failed(entry.name, error)


def _kept(entry: Entry, key: str, result: Result | PainterlyError, ledger: Ledger) -> Outcome:
    if isinstance(result, PainterlyError):
        return _failed(entry.name, result)
    try:
        painting = read_rgb(entry.painting)
        picture = Picture(apply(result, painting.pixels), painting.profile)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        ledger.keep(entry.name, key, picture, now, result.metadata)
    except PainterlyError as error:
        return _failed(entry.name, error)
    warnings = result.metadata.get("warnings")
    return Outcome(
        entry.name,
        State.MADE,
        notes=(*painting.notes, *(map(str, warnings) if isinstance(warnings, list) else ())),
    )


def _failed(name: str, error: PainterlyError) -> Outcome:
    return Outcome(name, State.FAILED, str(error))
