"""HTML, built from strings that are escaped here; and the shell every page shares."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from pathlib import Path

from painterly_engine import __version__
from painterly_engine.report.images import Inlined

_HERE = Path(__file__).parent


def page(title: str, body: str) -> str:
    """A whole document that fetches nothing: the browser is told to refuse whatever is not in it."""
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n"
        f"<footer>Made by Painterly Harmonize {__version__}. This page holds everything it shows; "
        "it fetches nothing.</footer>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def picture(inlined: Inlined, alt: str, *, identity: str = "") -> str:
    """An ``<img>``; with few samples they stay squares."""
    marks = f' id="{escape(identity)}"' if identity else ""
    marks += ' class="coarse"' if inlined.coarse else ""
    size = f'width="{inlined.width}" height="{inlined.height}"'
    return f'<img{marks} src="{inlined.address}" {size} alt="{escape(alt)}">'


def option(value: str, label: str, *, chosen: bool) -> str:
    """Of a ``<select>``."""
    return f'<option value="{escape(value)}"{" selected" if chosen else ""}>{escape(label)}</option>'


def figure(content: str, caption: str) -> str:
    """``content`` is HTML, ``caption`` text."""
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


def section(heading: str, *parts: str, lead: str = "") -> str:
    """Nothing at all where the parts are empty. ``parts`` are HTML, the others text."""
    content = "\n".join(part for part in parts if part)
    if not content:
        return ""
    explained = f"<p class=lead>{escape(lead)}</p>\n" if lead else ""
    return f"<section>\n<h2>{escape(heading)}</h2>\n{explained}{content}\n</section>"


def table(head: Iterable[str], rows: Iterable[Iterable[str]], *, style: str = "") -> str:
    """Cells are HTML; the first of each row is its heading."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>\n"
        for first, *rest in rows
    )
    heading = f"<thead><tr>{top}</tr></thead>" if top else ""
    return f'<div class="scroll"><table class="{style}">{heading}<tbody>\n{body}</tbody></table></div>'


def number(value: float | None) -> str:
    """As many decimals as a figure of this size needs, the same down a column; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value == 0 or abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def plain(value: object) -> str:
    """A parameter for people, escaped."""
    if value is None:
        return "not asked for"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    return escape(str(value))
