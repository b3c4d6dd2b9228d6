"""The page of one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from painterly_engine.pictures.files import Bytes
from painterly_engine.report import chart, gallery, markup
from painterly_engine.report.close_up import close_up, crop, middle
from painterly_engine.report.images import (
    Inlined,
    inline_photograph,
)
from painterly_engine.report.record import Record

LONGEST = 1400  # px
PHASES = {"pass-one": "First pass", "matching": "Matching", "pass-two": "Second pass", "finishing": "Finishing"}


@dataclass(frozen=True)
class Source:
    """A picture the slider can show. ``identity`` is its element's in the page."""

    identity: str
    label: str
    image: Inlined


def run_page(record: Record) -> str:
    """Everything about a run in one document."""
    pictures = _pictures(record)
    close = close_up(record.mask)
    frames = [_frame("whole", _sources("whole", pictures, record), middle(record.mask), record)]
    if close is not None:
        cropped = [(label, crop(pixels, close, record.mask.shape)) for label, pixels in pictures]
        across = middle(record.mask[close[0] : close[1], close[2] : close[3]])
        frames.append(_frame("close", _sources("close", cropped, record), across, record))
    body = [
        _header(record),
        markup.section("Before and after", _views(len(frames)), *frames),
        _figures(record),
        gallery.stages_section([pictures[0], *pictures[2:]], record, close),
        gallery.masks_section(record),
        gallery.fields_section(record, close),
        _losses(record),
        _parameters(record),
    ]
    return markup.page(record.name, f"<main>{''.join(body)}</main>")


def facts(record: Record) -> str:
    """One line on what was done, as text."""
    about = record.about
    height, width = record.painting.shape[:2]
    known = [
        record.parameters.get("preset"),
        f"painting {width} × {height} px",
        "working_size" in about and f"worked at {_times(about['working_size'])} px",
        f"network {network_name(record)}",
        f"{seconds(record):.0f} s" if seconds(record) >= 10 else f"{seconds(record):.1f} s",
        record.created[:10],
    ]
    return " · ".join(str(fact) for fact in known if fact)


def network_name(record: Record) -> str:
    network = record.about.get("network")
    return str(network.get("name", "?")) if isinstance(network, Mapping) else str(network)


def seconds(record: Record) -> float:
    """Of the whole job."""
    spent = record.about.get("seconds", {})
    return float(sum(spent.values())) if isinstance(spent, Mapping) else 0.0


def _times(size: Iterable[int]) -> str:
    return " × ".join(map(str, size))


def _header(record: Record) -> str:
    remarks = [
        f'<p class="{kind[:-1]}">{escape(str(remark))}</p>'
        for kind in ("warnings", "notes")
        for remark in record.about.get(kind, [])
    ]
    return f"<header><h1>{escape(record.name)}</h1><p>{escape(facts(record))}</p>{''.join(remarks)}</header>"


def _pictures(record: Record) -> list[tuple[str, Bytes]]:
    """What the slider can show, by name, in the order of making; the composite first, the result last."""
    on_the_way = [(stage.name, stage.data) for stage in record.stages if stage.kind == "picture"]
    return [
        ("pasted", record.composite),
        ("painting alone", record.painting),
        *on_the_way,
        ("harmonized", record.result),
    ]


def _sources(view: str, pictures: list[tuple[str, Bytes]], record: Record) -> list[Source]:
    return [
        Source(f"{view}-{number}", label, inline_photograph(pixels, LONGEST, record.profile))
        for number, (label, pixels) in enumerate(pictures)
    ]


def _views(count: int) -> str:
    if count < 2:
        return ""
    return (
        '<div class="views" role="group" aria-label="How much is shown">'
        '<button type="button" data-view="whole" aria-pressed="true">Whole painting</button>'
        '<button type="button" data-view="close" aria-pressed="false">Close-up of the object</button></div>'
    )


def _frame(view: str, sources: list[Source], across: float, record: Record) -> str:
    """Two pictures over each other; the rest is kept hidden until it is picked."""
    left, right = sources[0], sources[-1]
    width, height = right.image.width, right.image.height

    def side(name: str, shown: Source) -> str:
        image = markup.picture(shown.image, f"{record.name}: {shown.label}", identity=shown.identity)
        return f'<figure class="side {name}">{image}<figcaption>{escape(shown.label)}</figcaption></figure>'

    def pick(name: str, chosen: Source) -> str:
        options = "".join(markup.option(s.identity, s.label, chosen=s is chosen) for s in sources)
        return f'<label>{name.capitalize()} <select data-side="{name}">{options}</select></label>'

    kept = "".join(markup.picture(source.image, "", identity=source.identity) for source in sources[1:-1])
    return (
        f'<div class="compare" data-frame="{view}" style="--ratio:{width / height:.4f};--natural:{width}px">'
        f'<div class="sides">{side("right", right)}{side("left", left)}'
        '<div class="handle" aria-hidden="true"></div>'
        f'<input type="range" min="0" max="100" step="0.5" value="{across:.1f}" '
        'aria-label="Where the left picture ends and the right one begins"></div>'
        f'<p class="pick">{pick("left", left)}{pick("right", right)}</p>'
        f"<div hidden>{kept}</div></div>"
    )


def _figures(record: Record) -> str:
    rows = [
        (
            f"{escape(figure.name)}<small>{escape(figure.meaning)}</small>",
            markup.number(figure.composite),
            f"<b>{markup.number(figure.result)}</b>",
        )
        for figure in record.figures
    ]
    if not rows:
        return ""
    return markup.section(
        "Figures",
        markup.table(("figure", "pasted", "harmonized"), rows, style="figures"),
        lead="Our own measures, made to compare runs with each other. Trust your eyes first.",
    )


def _losses(record: Record) -> str:
    drawn = []
    for one in chart.charts(record.losses):
        name = PHASES.get(one.phase, one.phase)
        if one.curves:
            silent = f" <small>0 throughout: {escape(', '.join(one.silent))}</small>" if one.silent else ""
            curves = chart.svg(one, f"Losses of the {name.lower()} by iteration")
            drawn.append(f"<figure><h3>{escape(name)}{silent}</h3>{curves}</figure>")
    rows = [
        (
            PHASES.get(point.phase, point.phase),
            str(point.iteration),
            ", ".join(f"{escape(name)} {value:.4g}" for name, value in point.values.items()),
        )
        for point in record.losses
    ]
    if not rows:
        return ""
    numbers = markup.table(("phase", "iteration", "losses"), rows)
    return markup.section(
        "Loss curves",
        f'<div class="charts">{"".join(drawn)}</div>',
        f"<details><summary>The numbers</summary>{numbers}</details>",
        lead="What the passes bring down, on a logarithmic scale.",
    )


def _parameters(record: Record) -> str:
    asked = [(escape(_words(name)), markup.plain(value)) for name, value in record.parameters.items()]
    done = [
        (escape(name), markup.plain(value)) for name, value in flat(record.about) if name not in ("notes", "warnings")
    ]
    tables = [
        f"<div><h3>{heading}</h3>{markup.table((), rows)}</div>"
        for heading, rows in (("As asked for", asked), ("As done", done))
    ]
    return markup.section("All parameters", f'<div class="columns">{"".join(tables)}</div>')


def flat(about: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested mappings as "outer: inner" pairs, in words."""
    found: list[tuple[str, Any]] = []
    for key, value in about.items():
        name = f"{prefix}{_words(key)}"
        found += flat(value, f"{name}: ") if isinstance(value, Mapping) else [(name, value)]
    return found


def _words(key: str) -> str:
    return key.replace("_", " ")
