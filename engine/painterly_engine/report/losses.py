"""Losses as a table and a drawing of their own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from painterly_engine.report import chart
from painterly_engine.report.record import LossPoint

USUAL = ("style", "content", "histogram", "variation")
HEAD = 26
STYLE = """
text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #1d1d1d; } .tick { font-size: 12px; fill: #5c5c5c; }
.power { font-size: 10px; } .grid { stroke: #d2d2d2; } .restart { stroke: #5c5c5c; stroke-dasharray: 2 5; }
.curve { fill: none; stroke-width: 2; } circle.curve { fill: currentColor; } .lead { fill: none; stroke-width: 1.5; }
.dashed { stroke-dasharray: 6 4; } .heading { font-weight: 600; }
.c0 { stroke: #0a5fb4; color: #0a5fb4; } .c1 { stroke: #b8460b; color: #b8460b; }
.c2 { stroke: #16774a; color: #16774a; } .c3 { stroke: #8b3a9e; color: #8b3a9e; }
.c4 { stroke: #7a6200; color: #7a6200; } .c5 { stroke: #a32046; color: #a32046; }
"""


def table(losses: Sequence[LossPoint]) -> str:
    """CSV: phase, iteration, total, and each loss; empty where a phase has no such loss."""
    names = names_of(losses)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head(names), *(row(point, names) for point in losses)])
    return text.getvalue()


def names_of(losses: Iterable[LossPoint]) -> list[str]:
    """The usual losses, then all others that are there."""
    return [*USUAL, *dict.fromkeys(name for point in losses for name in point.values if name not in USUAL)]


def head(names: Sequence[str]) -> list[str]:
    """What ``row`` gives."""
    return ["phase", "iteration", "total", *names]


def row(point: LossPoint, names: Sequence[str]) -> list[str]:
    """A line of the table."""
    values = [f"{point.values[name]:.6g}" if name in point.values else "" for name in names]
    return [point.phase, str(point.iteration), f"{sum(point.values.values()):.6g}", *values]


def drawing(losses: Sequence[LossPoint]) -> str:
    """SVG: a chart for each phase, one below the other, the total among its lines."""
    whole = [LossPoint(p.phase, p.iteration, {"total": sum(p.values.values()), **p.values}) for p in losses]
    return sheet(chart.charts(whole))


def sheet(charts: Sequence[chart.Chart]) -> str:
    """SVG of its own: those with anything to draw, one below the other."""
    drawn = [one for one in charts if one.curves]
    parts, width = [], max([chart.WIDTH, *map(chart.width, drawn)])
    for number, one in enumerate(drawn):
        top = number * (chart.HEIGHT + HEAD)
        inner = chart.svg(one, f"Losses of {one.phase}").replace(
            "<svg ", f'<svg y="{top + HEAD}" width="{chart.width(one)}" height="{chart.HEIGHT}" ', 1
        )
        parts += [f'<text class="heading" x="8" y="{top + 18}">{one.phase}</text>', inner]
    height = max(1, len(drawn)) * (chart.HEIGHT + HEAD)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )
