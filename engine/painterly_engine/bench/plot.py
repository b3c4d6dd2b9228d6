"""A benchmark as one SVG: bars of whole runs beside the peers', and lines of growth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, BAR, GAP, LABEL = 860, 22, 8, 330
PANEL, MARGIN, LINE = 240, 60, 16
OURS, THEIRS, INK, PALE = "#2a6f97", "#b5651d", "#222", "#ddd"
CURVES = (
    ("seconds", "seconds_in_full", OURS),
    ("passes' seconds", "seconds_of_passes", "#7fb2d0"),
    ("peak memory", "peak", THEIRS),
    ("passes' memory", "peak_of_passes", "#dba56a"),
)
LABELLED = ("pass-one", "pass-two", "finishing")
"""Phases long enough to have their names beside each other."""
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">'
    '<rect width="100%" height="100%" fill="white"/>'
)


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
    for kind, rows in found.get("growth", {}).items():
        parts += [_title(f"Growth with the {kind}, times the first", top + 40), *_lines(rows, top + 56)]
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


def _lines(rows: Sequence[Mapping[str, Any]], top: int) -> list[str]:
    curves = [
        (name, [(row["side"], row["times_the_first"].get(what)) for row in rows], colour)
        for name, what, colour in CURVES
    ]
    known = [curve for curve in curves if all(times for _, times in curve[1])]
    highest = max(1.0, *(times for _, points, _ in known for _, times in points))
    sides = [row["side"] for row in rows]

    def at(side: float, times: float) -> tuple[float, float]:
        x = MARGIN + (side - sides[0]) / max(1, sides[-1] - sides[0]) * (WIDTH - 3 * MARGIN)
        return x, top + (PANEL - MARGIN) * (1 - times / highest)

    parts = [_level(f"{times:.3g}×", at(sides[0], times)[1]) for times in (1.0, highest)]
    for side in sides:
        x, y = at(side, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 20:.1f}" text-anchor="middle" fill="{INK}">{side} px</text>')
    above = -math.inf
    for name, points, colour in sorted(known, key=lambda curve: -curve[1][-1][1]):
        path = " ".join("{:.1f},{:.1f}".format(*at(side, times)) for side, times in points)
        x, y = at(*points[-1])
        above = max(y + 4, above + LINE)  # names of curves that end together stand below each other
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 8:.1f}" y="{above:.1f}" fill="{colour}">{escape(name)}</text>')
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
    for seconds, phase in found["began"]:
        x, _ = at(seconds, 0)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{floor}" stroke="{PALE}" stroke-dasharray="3"/>')
        if phase in LABELLED:
            parts.append(f'<text x="{x + 3:.1f}" y="{top - 6}" fill="{INK}">{escape(phase)}</text>')
    path = " ".join("{:.1f},{:.1f}".format(*at(seconds, held)) for seconds, held in curve)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{THEIRS}" stroke-width="2"/>')
    for seconds in (0, end / 2, end):
        x, _ = at(seconds, 0)
        parts.append(f'<text x="{x:.1f}" y="{floor + 20}" text-anchor="middle" fill="{INK}">{seconds:.0f} s</text>')
    return parts


def _title(text: str, y: int) -> str:
    return f'<text x="16" y="{y}" font-size="16" fill="{INK}">{escape(text)}</text>'
