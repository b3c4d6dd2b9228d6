"""A comparison as a grid of pictures, a table, and a page that holds both."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html import escape

import numpy as np

from painterly_engine.compare.running import Outcome, Subject
from painterly_engine.pictures.files import Bytes
from painterly_engine.pictures.sheet import contact_sheet, stack
from painterly_engine.report import chart, losses, markup
from painterly_engine.report.close_up import close_up, crop
from painterly_engine.report.images import inline_photograph
from painterly_engine.report.record import LossPoint

LONGEST = 600
ACROSS = 4
TILE = 300
"""Height of a picture in the grid, pixels."""
TOTAL = "total loss"


def tiles(subject: Subject, outcomes: Sequence[Outcome]) -> list[tuple[str, Bytes]]:
    """Captioned pictures: what is imitated, what is painted, every outcome; where there is a mask from near."""
    shown = [("painting", subject.painting), ("content" if subject.mask is None else "pasted", subject.content)]
    shown += [(one.variant.name, one.picture) for one in outcomes if one.picture is not subject.content]
    near = None if subject.mask is None else close_up(subject.mask)
    if near is None or subject.mask is None:
        return shown
    size = subject.mask.shape
    return [shown[0], *((name, crop(picture, near, size)) for name, picture in shown[1:])]


def grid(pictures: Sequence[tuple[str, Bytes]]) -> Bytes:
    """All of them, four across."""
    return stack([contact_sheet(pictures[k : k + ACROSS], TILE) for k in range(0, len(pictures), ACROSS)])


def table(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """A heading, then a row for each outcome; empty where a method has no such number."""
    figures = list(dict.fromkeys(figure.name for one in outcomes for figure in one.figures))
    parts = list(dict.fromkeys(name for one in outcomes for point in one.losses[-1:] for name in point.values))
    steps = [one.step for one in outcomes if one.step is not None]
    head = [
        "variant",
        "seconds",
        "seconds an iteration",
        "of a processor",
        "times the first",
        *(f"loss: {name}" for name in parts),
        *figures,
    ]
    rows = [head]
    for one in outcomes:
        last = one.losses[-1].values if one.losses else {}
        found = {figure.name: figure.result for figure in one.figures}
        pace = None if one.step is None else one.step / steps[0]
        numbers = [
            one.seconds,
            one.step,
            one.work,
            pace,
            *(last.get(name) for name in parts),
            *(found.get(n) for n in figures),
        ]
        rows.append([one.variant.name, *("" if number is None else f"{number:.4g}" for number in numbers)])
    return rows


def as_csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def losses_table(outcomes: Sequence[Outcome]) -> str:
    """CSV: each variant's losses at every iteration that was told."""
    names = losses.names_of(point for one in outcomes for point in one.losses)
    rows = [[one.variant.name, *losses.row(point, names)] for one in outcomes for point in one.losses]
    return as_csv([["variant", *losses.head(names)], *rows])


def drawing(outcomes: Sequence[Outcome]) -> str:
    """SVG: the total loss of every variant by iteration."""
    return losses.sheet([_totals(outcomes)])


def page(title: str, subject: Subject, outcomes: Sequence[Outcome], notes: Sequence[str]) -> str:
    """HTML that fetches nothing."""
    head, *rows = table(outcomes)
    pictures = [
        markup.figure(markup.picture(inline_photograph(np.ascontiguousarray(shown), LONGEST), name), name)
        for name, shown in tiles(subject, outcomes)
    ]
    across = min(ACROSS, len(pictures))
    meanings = {figure.name: figure.meaning for one in outcomes for figure in one.figures}
    body = [
        f"<header><h1>{escape(title)}</h1><p>{len(outcomes)} variants</p>",
        *(f'<p class="note">{escape(note)}</p>' for note in notes),
        "</header>",
        markup.section("Pictures", f'<div class="tiles" style="--wide:{across};--narrow:2">{"".join(pictures)}</div>'),
        markup.section(
            "Numbers",
            markup.table(map(escape, head), ([escape(cell) or "–" for cell in row] for row in rows), style="runs"),
            markup.table(("figure", "what it says"), ((escape(n), escape(m)) for n, m in meanings.items())),
            lead="Measured on this machine; figures are our own and compare these pictures only with each other.",
        ),
        _curves(outcomes),
    ]
    return markup.page(title, f"<main>{''.join(body)}</main>")


def _totals(outcomes: Sequence[Outcome]) -> chart.Chart:
    points: dict[int, dict[str, float]] = {}
    for one in outcomes:
        for point in one.losses:
            points.setdefault(point.iteration, {})[one.variant.name] = sum(point.values.values())
    told = [LossPoint(TOTAL, iteration, points[iteration]) for iteration in sorted(points)]
    return chart.charts(told)[0] if told else chart.Chart(TOTAL, (), (), ())


def _curves(outcomes: Sequence[Outcome]) -> str:
    drawn = _totals(outcomes)
    if not drawn.curves:
        return ""
    picture = chart.svg(drawn, "Total loss by iteration")
    return markup.section("Total loss by iteration", f'<div class="charts"><figure>{picture}</figure></div>')
