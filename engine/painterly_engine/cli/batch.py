"""``painterly batch``: many jobs from a list or a folder; run again, it goes on where it was."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from painterly_engine.batch.description import entries_of
from painterly_engine.batch.entries import Broken, Entry
from painterly_engine.batch.folder import entries_in
from painterly_engine.batch.ledger import Ledger
from painterly_engine.batch.running import Outcome, State, run_batch
from painterly_engine.batch.sheet import contact_sheet
from painterly_engine.batch.work import Crew, OneByOne
from painterly_engine.cli import harmonize
from painterly_engine.cli.display import PHASE_NAMES
from painterly_engine.cli.report import write_page
from painterly_engine.network.naming import network_name
from painterly_engine.service import command
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import EngineMessage, Progress
from painterly_protocol.request import Parameters

PAGE = "contact-sheet.html"
RESULTS = "harmonized"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "batch",
        help="harmonize many composites",
        epilog="Run again, it makes only what is missing or was made from something else.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("jobs", type=Path, metavar="LIST|FOLDER", help="jobs.yaml, or a folder of pictures")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="for the results (default: one beside the jobs)"
    )
    harmonize.add_style(parser.add_argument_group("pictures, for all jobs"))
    harmonize.add_parameters(parser)
    parser.set_defaults(**{field.name: None for field in fields(Parameters) if field.name != "previews"})
    parser.add_argument("--inline", action="store_true", help="run in this process, without an engine")
    parser.add_argument(
        "--at-once",
        type=int,
        default=2,
        metavar="N",
        help="jobs sent to the engine at a time; more where it has several workers (default: %(default)s)",
    )
    command.add_workers(parser.add_argument_group("workers of its own, instead of the engine's"))


def run(arguments: argparse.Namespace) -> int:
    if arguments.at_once < 1:
        raise PainterlyError(ErrorCode.BAD_REQUEST, "At least one job must run at a time.", "Give --at-once 1 or more.")
    entries = [_in_style(entry, arguments) for entry in _entries(arguments.jobs, _given(arguments))]
    ledger = Ledger(arguments.output or _beside(arguments.jobs))
    with _Shown(len(entries)) as shown, _crew(arguments) as crew:
        outcomes = run_batch(entries, ledger, crew, shown.tell, shown.ended)
    page = ledger.folder / PAGE
    by_name = {outcome.name: outcome for outcome in outcomes}
    write_page(page, contact_sheet(ledger.folder.resolve().name, entries, by_name, ledger))
    print(_summary(outcomes))
    print(f"{page}: open it in any browser")
    return int(any(outcome.state is State.FAILED for outcome in outcomes))


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings on the command line, which count more than those in a list."""
    names = [field.name for field in fields(Parameters)]
    given = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    if "weights" in given:
        given["weights"] = network_name(given["weights"])
    if given.get("stylization") == "auto":
        given["stylization"] = None
    return given


def _entries(jobs: Path, given: dict[str, Any]) -> list[Entry | Broken]:
    return entries_in(jobs, Parameters(**given)) if jobs.is_dir() else entries_of(jobs, given)


def _in_style(entry: Entry | Broken, arguments: argparse.Namespace) -> Entry | Broken:
    """As the command line says, which counts more than a list; a style's mask goes with it."""
    if isinstance(entry, Broken):
        return entry
    if arguments.style is not None:
        return replace(entry, style=arguments.style, style_mask=arguments.style_mask)
    return replace(entry, style_mask=arguments.style_mask or entry.style_mask)


def _beside(jobs: Path) -> Path:
    """In a folder of jobs it would be taken for one."""
    whole = jobs.resolve()
    return whole.with_name(f"{whole.name}-{RESULTS}") if jobs.is_dir() else whole.with_name(RESULTS)


@contextmanager
def _crew(arguments: argparse.Namespace) -> Iterator[Crew]:
    if arguments.inline:
        from painterly_engine.cli.inline import run_inline

        yield OneByOne(run_inline)
        return
    from painterly_engine.batch.in_engine import InEngine
    from painterly_engine.cli.engine import StartNotice, engine

    if arguments.backend == command.BACKENDS[0] and arguments.workers is None:
        yield InEngine(engine, arguments.at_once)
        return
    from painterly_engine.cluster.own_engine import OwnEngine

    at_once = max(arguments.at_once, command.most_workers(arguments) + 1)
    with OwnEngine([*command.worker_options(arguments), "--capacity-each", str(at_once)], StartNotice()) as own:
        yield InEngine(own.connect, at_once)


def _summary(outcomes: Sequence[Outcome]) -> str:
    count = Counter(outcome.state for outcome in outcomes)
    parts = [f"{count[state]} {state.value}" for state in State if count[state]]
    failed = [f"{one.name}: {one.reason}" for one in outcomes if one.state is State.FAILED]
    return "\n".join([*failed, f"{len(outcomes)} jobs: {', '.join(parts)}."])


class _Shown:
    """How far the batch is, on standard error: a bar on a terminal, a line for each job elsewhere."""

    def __init__(self, jobs: int) -> None:
        self._jobs, self._ended = jobs, 0
        self._under_way: dict[str, float] = {}
        self._bar = (
            tqdm(total=jobs, bar_format="{n:.1f} of {total} jobs |{bar}| {remaining} left {desc}", leave=False)
            if sys.stderr.isatty()
            else None
        )

    def __enter__(self) -> _Shown:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if kind is KeyboardInterrupt:
            print(
                f"{self._ended} of {self._jobs} jobs have ended; run the same command again to go on.", file=sys.stderr
            )

    def tell(self, name: str, event: EngineMessage) -> None:
        if self._bar is not None and isinstance(event, Progress):
            self._under_way[name] = min(event.fraction, 0.99)
            self._bar.set_description_str(f"{name}: {PHASE_NAMES[event.phase]}", refresh=False)
            self._move()

    def ended(self, outcome: Outcome) -> None:
        self._ended += 1
        self._under_way.pop(outcome.name, None)
        line = f"{self._ended} of {self._jobs}  {outcome.name}: {outcome.state.value}"
        if self._bar is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._move()
        for note in outcome.notes:
            tqdm.write(f"{outcome.name}: {note}", file=sys.stderr)

    def _move(self) -> None:
        assert self._bar is not None
        self._bar.n = self._ended + sum(self._under_way.values())
        self._bar.refresh()
