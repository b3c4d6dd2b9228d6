"""Loss curves as SVG: one chart for each phase, every loss a line with its name at its end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from painterly_engine.report.record import LossPoint

WIDTH, HEIGHT = 560, 290
LEFT, RIGHT, TOP, BOTTOM = 50, 118, 10, 42
LABEL_GAP, LABEL_LETTER = 17, 7.5
"""Pixels from name to name, and about as wide as a letter of one."""
NOTHING = 1e-12
"""What rounding leaves of 0, as of a content that nothing has yet been taken from, is not drawn."""
COLOURS = 6  # of page.css; further lines repeat them, dashed


@dataclass(frozen=True)
class Curve:
    """One loss: (iteration, value) with values above 0."""

    name: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Chart:
    """A phase's losses.

    Attributes:
        curves: those with anything to draw.
        silent: names of losses that were 0 all the time.
        restarts: iterations at which the counting began anew (a further scale).
    """

    phase: str
    curves: tuple[Curve, ...]
    silent: tuple[str, ...]
    restarts: tuple[int, ...]


def charts(losses: Sequence[LossPoint]) -> list[Chart]:
    """One for each phase, in the order they ran."""
    return [_chart(phase, [p for p in losses if p.phase == phase]) for phase in dict.fromkeys(p.phase for p in losses)]


def _chart(phase: str, points: Sequence[LossPoint]) -> Chart:
    iterations, restarts, offset, before = [], [], 0, 0
    for point in points:
        if point.iteration <= before:
            offset += before
            restarts.append(offset)
        before = point.iteration
        iterations.append(offset + point.iteration)
    names = dict.fromkeys(name for point in points for name in point.values)
    found = {name: _positive(name, iterations, points) for name in names}
    return Chart(
        phase,
        tuple(Curve(name, values) for name, values in found.items() if values),
        tuple(name for name, values in found.items() if not values),
        tuple(restarts),
    )


def _positive(name: str, iterations: Sequence[int], points: Sequence[LossPoint]) -> tuple[tuple[int, float], ...]:
    values = [(i, p.values[name]) for i, p in zip(iterations, points, strict=True) if name in p.values]
    return tuple((i, value) for i, value in values if NOTHING < value < math.inf)


def svg(chart: Chart, title: str) -> str:
    """The chart, with a logarithmic value axis. Its colours are classes that the page's style sheet fills in."""
    scale = _Scale.around(chart)
    parts = [
        f'<svg class="chart" viewBox="0 0 {width(chart)} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        *_value_axis(scale),
        *_iteration_axis(scale),
        *(f'<path class="restart" d="M{scale.x(i):.1f} {TOP}V{HEIGHT - BOTTOM}"/>' for i in chart.restarts),
        *(_line(curve, scale, number) for number, curve in enumerate(chart.curves)),
        *_labels(chart.curves, scale),
        "</svg>",
    ]
    return "".join(parts)


def width(chart: Chart) -> int:
    """Of the drawing: as wide as the longest name needs."""
    longest = max((len(curve.name) for curve in chart.curves), default=0)
    return max(WIDTH, math.ceil(WIDTH - RIGHT + 27 + LABEL_LETTER * longest))


@dataclass(frozen=True)
class _Scale:
    """From iterations and values to the drawing; ``low`` and ``high`` are powers of ten."""

    first: int
    last: int
    low: int
    high: int

    @staticmethod
    def around(chart: Chart) -> _Scale:
        iterations = [i for curve in chart.curves for i, _ in curve.points]
        values = [math.log10(value) for curve in chart.curves for _, value in curve.points]
        low, high = math.floor(min(values) + 1e-9), math.ceil(max(values) - 1e-9)
        return _Scale(min(iterations), max(iterations), low, max(high, low + 1))

    def x(self, iteration: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (iteration - self.first) / max(1, self.last - self.first)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(value) - self.low) / (self.high - self.low)


def _value_axis(scale: _Scale) -> Iterable[str]:
    step = max(1, math.ceil((scale.high - scale.low) / 6))
    for power in range(scale.low, scale.high + 1, step):
        y = scale.y(10.0**power)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_power(power)}</text>'


def _iteration_axis(scale: _Scale) -> Iterable[str]:
    span = scale.last - scale.first
    step = next((s for k in range(9) for s in (10**k, 2 * 10**k, 5 * 10**k) if span / s <= 6), span or 1)
    marks = [scale.first, *range((scale.first // step + 1) * step, scale.last + 1, step)]
    far_enough = [mark for mark in marks[1:] if scale.x(mark) - scale.x(scale.first) > 30]
    for mark in (marks[0], *far_enough):
        x = scale.x(mark)
        yield f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{mark}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="tick" x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">iteration</text>'


def _line(curve: Curve, scale: _Scale, number: int) -> str:
    places = [f"{scale.x(i):.1f} {scale.y(value):.1f}" for i, value in curve.points]
    style = f"curve c{number % COLOURS}" + (" dashed" if number >= COLOURS else "")
    if len(places) == 1:
        x, y = places[0].split()
        return f'<circle class="{style}" cx="{x}" cy="{y}" r="3"/>'
    return f'<path class="{style}" d="M{"L".join(places)}"/>'


def _labels(curves: Sequence[Curve], scale: _Scale) -> Iterable[str]:
    """Each name beside the end of its line, moved apart where they would overlap."""
    ends = sorted((scale.y(curve.points[-1][1]), number) for number, curve in enumerate(curves))
    y, lowest = -math.inf, HEIGHT - BOTTOM - LABEL_GAP * (len(ends) - 1)
    for rank, (end, number) in enumerate(ends):
        y = max(y + LABEL_GAP, min(end, lowest + LABEL_GAP * rank))
        x = WIDTH - RIGHT + 8
        last = curves[number].points[-1]
        yield f'<path class="lead c{number % COLOURS}" d="M{scale.x(last[0]):.1f} {end:.1f}L{x} {y:.1f}h14"/>'
        yield f'<text class="label" x="{x + 19}" y="{y + 4.5:.1f}">{escape(curves[number].name)}</text>'


def _power(power: int) -> str:
    if -2 <= power <= 3:
        return f"{10.0**power:g}"
    return f'10<tspan class="power" dy="-5">{str(power).replace("-", "−")}</tspan>'
