"""A benchmark as one SVG: bars of whole runs beside the peers', and lines of growth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

WIDTH, BAR, GAP, LABEL = 860, 22, 8, 330
PANEL, MARGIN, LINE, LETTER = 240, 60, 16, 8
OURS, THEIRS, INK, PALE = "#2a6f97", "#b5651d", "#222", "#ddd"
COLOURS = ("#7a5195", "#2a6f97", "#4f7942", "#b5651d", "#888")
"""Of the presets."""
GROWN = (("seconds", "seconds_in_full"), ("peak memory", "peak"))
LABELLED = ("pass-one", "pass-two", "finishing")
"""Phases long enough to have their names beside each other."""
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">'
    '<rect width="100%" height="100%" fill="white"/>'
)


Lines = Mapping[str, Sequence[tuple[float, float]]]
"""Points by name."""


def plot(found: Mapping[str, Any]) -> str:
    """The SVG's text, of what ``suites`` found."""
    bars = sorted(_bars(found), key=lambda bar: bar[1])
    parts, top = [_title("Seconds of a whole run (logarithmic)", 24)] if bars else [], 40 if bars else 0
    for name, seconds, colour in bars:
        parts.append(_bar(name, seconds, colour, top, bars[-1][1]))
        top += BAR + GAP
    if "large" in found:
        parts += [_title(f"Memory held: {_large(found['large'])}", top + 40), *_held(found["large"], top + 76)]
        top += PANEL + MARGIN
    for title, lines in _growth(found.get("growth", {})):
        parts += [_title(title, top + 40), *_lines(lines, top + 56)]
        top += PANEL + MARGIN
    return "\n".join([HEAD.format(width=WIDTH, height=top + 20), *parts, "</svg>\n"])


def _bars(found: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    ours = [(f"ours: {row['trial']['name']}", row["seconds_in_full"], OURS) for row in found.get("presets", ())]
    peers = [(f"{peer['name']}, {peer['size']} px", peer["seconds"], THEIRS) for peer in found.get("peers", ())]
    return [*ours, *peers]


def _bar(name: str, seconds: float, colour: str, top: int, longest: float) -> str:
    """From a tenth of a second to the longest."""
    share = max(0.01, math.log10(max(seconds, 0.1) * 10) / max(0.1, math.log10(longest * 10)))
    length, middle = share * (WIDTH - LABEL - 90), top + BAR * 0.7
    return (
        f'<text x="{LABEL - 10}" y="{middle}" text-anchor="end" fill="{INK}">{escape(name)}</text>'
        f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>'
        f'<text x="{LABEL + length + 6:.1f}" y="{middle}" fill="{INK}">{seconds:.{1 if seconds < 10 else 0}f} s</text>'
    )


def _growth(growth: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[tuple[str, Lines]]:
    """A title and a line for each preset, with the canvas and with the object."""
    for kind in dict.fromkeys(name.split(", ")[0] for name in growth):
        rows_of = {name.split(", ")[1]: rows for name, rows in growth.items() if name.startswith(kind)}
        for title, what in GROWN:
            told = {preset: rows for preset, rows in rows_of.items() if what in rows[0]["times_the_first"]}
            lines = {
                preset: [(row["side"] / rows[0]["side"], row["times_the_first"][what]) for row in rows]
                for preset, rows in told.items()
            }
            if lines:
                yield f"Growth of {title} with the {kind}’s side, times the first", lines


def _lines(lines: Lines, top: int) -> list[str]:
    highest = max(1.5, *(times for points in lines.values() for _, times in points))
    sides = sorted({side for points in lines.values() for side, _ in points})

    def at(side: float, times: float) -> tuple[float, float]:
        x = MARGIN + (side - sides[0]) / max(1, sides[-1] - sides[0]) * (WIDTH - 3 * MARGIN)
        return x, top + (PANEL - MARGIN) * (1 - times / highest)

    parts = [_level(f"{times:.3g}×", at(sides[0], times)[1]) for times in {1.0, highest}]
    for side in sides:
        x, y = at(side, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 20:.1f}" text-anchor="middle" fill="{INK}">{side:g}×</text>')
    above = -math.inf
    colours = dict(zip(lines, COLOURS, strict=False))
    for name, points in sorted(lines.items(), key=lambda line: -line[1][-1][1]):
        path = " ".join("{:.1f},{:.1f}".format(*at(side, times)) for side, times in points)
        x, y = at(*points[-1])
        above = max(y + 4, above + LINE)  # names of curves that end together stand below each other
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 8:.1f}" y="{above:.1f}" fill="{colours[name]}">{escape(name)}</text>')
    return parts


def _level(label: str, y: float) -> str:
    return (
        f'<line x1="{MARGIN}" x2="{WIDTH - 2 * MARGIN}" y1="{y:.1f}" y2="{y:.1f}" stroke="{PALE}"/>'
        f'<text x="{MARGIN - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{escape(label)}</text>'
    )


def _large(found: Mapping[str, Any]) -> str:
    trial = found["trial"]
    size = f"{trial['width']} × {trial['height']} px, object of {trial['object_side']} px"
    return f"{size}, {trial['preset']}"


def _held(found: Mapping[str, Any], top: int) -> list[str]:
    """The curve of bytes over seconds, with the phases' beginnings."""
    curve = found["curve"]
    if not curve:
        return []
    end, highest, floor = curve[-1][0], max(held for _, held in curve), top + PANEL - MARGIN

    def at(seconds: float, held: float) -> tuple[float, float]:
        x = MARGIN + seconds / max(end, 1e-9) * (WIDTH - 3 * MARGIN)
        return x, top + (PANEL - MARGIN) * (1 - held / highest)

    levels = ((0, "0"), (found["before"], "before"), (highest, f"{highest / 1e9:.1f} GB"))
    parts = [_level(label, at(0, held)[1]) for held, label in levels]
    ends = [-math.inf, -math.inf]  # of the last names on the two lines above the curve
    for seconds, phase in found["began"]:
        x, _ = at(seconds, 0)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{floor}" stroke="{PALE}" stroke-dasharray="3"/>')
        if phase in LABELLED:
            line = 0 if x > ends[0] else 1
            ends[line] = x + LETTER * len(phase)
            y = top - 6 - line * LINE
            parts.append(f'<text x="{x + 3:.1f}" y="{y}" fill="{INK}">{escape(phase)}</text>')
    path = " ".join("{:.1f},{:.1f}".format(*at(seconds, held)) for seconds, held in curve)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{THEIRS}" stroke-width="2"/>')
    for seconds in (0, end / 2, end):
        x, _ = at(seconds, 0)
        parts.append(f'<text x="{x:.1f}" y="{floor + 20}" text-anchor="middle" fill="{INK}">{seconds:.0f} s</text>')
    return parts


def _title(text: str, y: int) -> str:
    return f'<text x="16" y="{y}" font-size="16" fill="{INK}">{escape(text)}</text>'
