"""The page of a folder of runs: their figures in a table, their pictures in rows, and which settings differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from painterly_engine.pictures.files import Bytes
from painterly_engine.report import markup
from painterly_engine.report.close_up import close_up, crop
from painterly_engine.report.images import inline_photograph
from painterly_engine.report.record import Figure, Record
from painterly_engine.report.run_page import facts, flat, seconds

LONGEST = 600  # px
# Said elsewhere, or follows from what is compared.
NOT_COMPARED = ("notes", "warnings", "seconds", "network: sha256", "network: layers", "stylization: reason", "loss ")
NOT_ASKED = {"size", "previews"}


@dataclass(frozen=True)
class Row:
    """What the folder's page keeps of a run; its full pictures are let go of.

    Attributes:
        settings: what was done, flat, by name; and what was asked for where that says more.
        tiles: HTML figures, from left to right, the close-ups after the whole paintings.
    """

    name: str
    facts: str
    settings: Mapping[str, Any]
    seconds: float
    figures: Sequence[Figure]
    tiles: Sequence[str]


def row(record: Record, reference: tuple[str, Bytes] | None = None) -> Row:
    """Composite, somebody else's result if there is one (a caption and a picture of any size), and the result; each
    also from near.
    """
    shown = [("pasted", record.composite), *([reference] if reference else []), ("harmonized", record.result)]
    near = close_up(record.mask)
    pictures = list(shown)
    if near is not None:
        pictures += [(f"{caption}, close-up", crop(pixels, near, record.mask.shape)) for caption, pixels in shown]
    tiles = [
        markup.figure(
            markup.picture(inline_photograph(pixels, LONGEST, record.profile), f"{record.name}: {caption}"), caption
        )
        for caption, pixels in pictures
    ]
    return Row(record.name, facts(record), _settings(record), seconds(record), record.figures, tiles)


def _settings(record: Record) -> dict[str, Any]:
    asked = {k: v for k, v in flat(record.parameters) if k not in NOT_ASKED and k not in record.about}
    done = {name: value for name, value in flat(record.about) if not name.startswith(NOT_COMPARED)}
    return asked | done


def folder_page(title: str, rows: Sequence[Row], pages: Mapping[str, str], first: str = "") -> str:
    """
    Args:
        rows: at least one.
        pages: by run, the relative address of its own page.
        first: HTML, a section to begin with.
    """
    count = f"{len(rows)} run{'s' if len(rows) > 1 else ''}"
    heading = f"<header><h1>{escape(title)}</h1><p>{count}</p></header>"
    body = [heading, first, _figures(rows), _sheet(rows, pages), _settings_compared(rows)]
    return markup.page(title, f"<main>{''.join(body)}</main>")


def _figures(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(figure.name for one in rows for figure in one.figures))
    lines = []
    for one in rows:
        values = {figure.name: figure.result for figure in one.figures}
        lines.append((_linked(one), *(markup.number(values.get(name)) for name in names), f"{one.seconds:.1f}"))
    if len(rows) > 1:
        mean = float(np.mean([one.seconds for one in rows]))
        lines.append(("mean", *(_mean(rows, name) for name in names), f"{mean:.1f}"))
    return markup.section(
        "Figures of the results" if names else "How long they took",
        markup.table(("run", *map(escape, names), "seconds"), lines, style="runs"),
        lead="Our own measures, made to compare runs with each other; each run’s page says what they mean. "
        "Trust your eyes first."
        if names
        else "",
    )


def _linked(one: Row) -> str:
    return f'<a href="#{escape(_anchor(one))}">{escape(one.name)}</a>'


def _mean(rows: Sequence[Row], name: str) -> str:
    found = [f.result for one in rows for f in one.figures if f.name == name and f.result is not None]
    return markup.number(float(np.mean(found)) if found else None)


def _sheet(rows: Sequence[Row], pages: Mapping[str, str]) -> str:
    parts = []
    for one in rows:
        name = escape(one.name)
        heading = f'<a href="{escape(pages[one.name])}">{name}</a>' if one.name in pages else name
        parts.append(
            f'<div class="row" id="{escape(_anchor(one))}"><h3>{heading}</h3><p>{escape(one.facts)}</p>'
            f'<div class="tiles" style="{_columns(one)}">{"".join(one.tiles)}</div></div>'
        )
    return markup.section("Contact sheet", *parts)


def _columns(one: Row) -> str:
    """All in one line; with references the close-ups go below. On a phone two or three side by side."""
    wide = len(one.tiles) if len(one.tiles) <= 4 else len(one.tiles) // 2
    return f"--wide:{wide};--narrow:{3 if wide == 3 else 2}"


def _settings_compared(rows: Sequence[Row]) -> str:
    """What differs, run by run, then what does not."""
    if len(rows) < 2:
        return ""
    names = dict.fromkeys(name for one in rows for name in one.settings)
    differing = [name for name in names if any(one.settings.get(name) != rows[0].settings.get(name) for one in rows)]
    lines = [
        (_linked(one), *(markup.plain(one.settings[name]) if name in one.settings else "–" for name in differing))
        for one in rows
    ]
    same = [(escape(n), markup.plain(rows[0].settings[n])) for n in names if n not in differing]
    return markup.section(
        "Settings",
        markup.table(("run", *map(escape, differing)), lines, style="runs") if differing else "",
        f"<h3>The same in all runs</h3>{markup.table((), same)}" if same else "",
    )


def _anchor(one: Row) -> str:
    return f"run-{one.name}"
