"""The page at a batch's end: every result beside what was pasted, and what failed and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from urllib.parse import quote

from painterly_engine.batch.entries import Broken, Entry, read
from painterly_engine.batch.ledger import Ledger
from painterly_engine.batch.running import Outcome, State
from painterly_engine.pictures.files import read_rgb
from painterly_engine.report import markup
from painterly_engine.report.folder_page import Row, folder_page, row
from painterly_engine.report.record import Record
from painterly_protocol.errors import PainterlyError


def contact_sheet(
    title: str, entries: Sequence[Entry | Broken], outcomes: Mapping[str, Outcome], ledger: Ledger
) -> str:
    """One page, whole in itself.

    Args:
        outcomes: by name, of every entry.
    """
    rows, failures = [], []
    for entry in entries:
        outcome = outcomes[entry.name]
        if outcome.state is State.FAILED or isinstance(entry, Broken):
            failures.append((entry.name, outcome.reason))
            continue
        try:
            rows.append(_row(entry, ledger))
        except PainterlyError as error:  # a file that somebody has just moved
            failures.append((entry.name, str(error)))
    failed = _failures(failures)
    if not rows:
        return markup.page(title, f"<main><header><h1>{escape(title)}</h1></header>{failed}</main>")
    links = {one.name: quote(ledger.result(one.name).name) for one in rows}
    return folder_page(title, rows, links, failed)


def _row(entry: Entry, ledger: Ledger) -> Row:
    pictures, note = read(entry), ledger.note(entry.name)
    return row(
        Record(
            name=entry.name,
            created="" if note is None else note.created,
            parameters=asdict(entry.parameters),
            about={} if note is None else note.about,
            figures=[],
            losses=[],
            stages=[],
            painting=pictures.painting.pixels,
            composite=pictures.pasted.composite,
            mask=pictures.pasted.mask,
            result=read_rgb(ledger.result(entry.name)).pixels,
            profile=pictures.painting.profile,
        )
    )


def _failures(failures: Sequence[tuple[str, str]]) -> str:
    if not failures:
        return ""
    return markup.section(
        "What failed",
        markup.table(("job", "why"), [(escape(name), escape(reason)) for name, reason in failures]),
        lead="Mend these and run the same command again: what is finished is not made twice.",
    )
