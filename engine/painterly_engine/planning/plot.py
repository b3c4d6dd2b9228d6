"""What a simulation has shown, as one SVG: how busy each station is, and how long jobs wait, against jobs a day."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from painterly_engine.planning.simulation import Seen
from painterly_engine.planning.stations import DAY_S

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 860, 250, 70, 170, 46, 96
INK, PALE, ALARM = "#222", "#ddd", "#b3261e"
COLOURS = ("#2a6f97", "#b5651d", "#4f7942", "#7a5195", "#888")
LINE = 17  # between names of lines that end together
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">'
    '<rect width="100%" height="100%" fill="white"/>'
)
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Axes:
    """Logarithmic both ways; ``top`` in the drawing, powers of ten from ``low`` to ``high``."""

    top: float
    first: float
    last: float
    low: int
    high: int

    def x(self, value: float) -> float:
        share = math.log10(value / self.first) / max(1e-9, math.log10(self.last / self.first))
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (math.log10(max(value, 10.0**self.low)) - self.low) / max(1, self.high - self.low)
        return self.top + PANEL * (1 - share)


def plot(seen: Sequence[Seen], title: str, limit: tuple[str, float]) -> str:
    """The SVG's text.

    Args:
        limit: what gives out first, and at how many jobs a second.
    """
    days = [each.rate * DAY_S for each in seen]
    busy = {name: [(day, each.busy[name]) for day, each in zip(days, seen, strict=True)] for name in seen[0].busy}
    waits = {
        "half wait less": [(day, each.waited[0]) for day, each in zip(days, seen, strict=True)],
        "99 of 100 wait less": [(day, each.waited[1]) for day, each in zip(days, seen, strict=True)],
    }
    shortest, longest = (of(wait for points in waits.values() for _, wait in points) for of in (min, max))
    panels = (
        (f"{title}: share of the time that each part is busy", busy, -4, 0, 1.0),
        ("Seconds beside computing", waits, _power(shortest), _power(longest) + 1, None),
    )
    parts = [HEAD.format(width=WIDTH, height=2 * (PANEL + GAP) + TOP)]
    for number, (name, lines, low, high, full) in enumerate(panels):
        axes = _Axes(TOP + number * (PANEL + GAP), days[0], days[-1], low, high)
        parts += [*_frame(axes, name), *_lines(axes, lines)]
        if full is not None:
            parts.append(_rule(axes, full, ALARM))
        parts += _breaking(axes, *limit)[: 1 if number else 2]
    return "\n".join([*parts, "</svg>\n"])


def _power(seconds: float) -> int:
    """Of the ten below; a wait of nothing counts as a millisecond."""
    return math.floor(math.log10(max(seconds, 1e-3)))


def _frame(axes: _Axes, name: str) -> Iterator[str]:
    yield f'<text x="16" y="{axes.top - 16:.1f}" font-size="16" fill="{INK}">{escape(name)}</text>'
    for power in range(axes.low, axes.high + 1):
        yield _rule(axes, 10.0**power, PALE)
        y = axes.y(10.0**power) + 4
        yield f'<text x="{LEFT - 8}" y="{y:.1f}" text-anchor="end" fill="{INK}">{10.0**power:g}</text>'
    for power in range(math.ceil(math.log10(axes.first) - 1e-9), math.floor(math.log10(axes.last) + 1e-9) + 1):
        x, bottom = axes.x(10.0**power), axes.top + PANEL
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{axes.top}" y2="{bottom}" stroke="{PALE}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle" fill="{INK}">{10**power:,}</text>'.replace(
            ",", " "
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{axes.top + PANEL + 40}" text-anchor="middle" fill="{INK}">jobs a day</text>'


def _rule(axes: _Axes, value: float, colour: str) -> str:
    y = axes.y(value)
    return f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}"/>'


def _breaking(axes: _Axes, name: str, rate: float) -> list[str]:
    """A line where the first station gives out, and words that say so, if that is in the picture."""
    day = rate * DAY_S
    if not axes.first <= day <= axes.last:
        return []
    x, bottom = axes.x(day), axes.top + PANEL
    words = escape(f"the {name} gives out: {day:,.0f} a day".replace(",", " "))
    return [
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{axes.top}" y2="{bottom}" stroke="{ALARM}" stroke-dasharray="5 4"/>',
        f'<text x="{x - 6:.1f}" y="{bottom - 8}" text-anchor="end" fill="{ALARM}">{words}</text>',
    ]


def _lines(axes: _Axes, lines: Mapping[str, Points]) -> Iterator[str]:
    colours = dict(zip(lines, COLOURS, strict=False))
    above = -math.inf
    for name, points in sorted(lines.items(), key=lambda line: -line[1][-1][1]):
        path = " ".join(f"{axes.x(day):.1f},{axes.y(value):.1f}" for day, value in points)
        above = max(axes.y(points[-1][1]) + 4, above + LINE)
        yield f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="2"/>'
        yield f'<text x="{WIDTH - RIGHT + 8}" y="{above:.1f}" fill="{colours[name]}">{escape(name)}</text>'
