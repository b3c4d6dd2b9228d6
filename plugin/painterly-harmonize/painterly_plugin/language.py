"""The plug-in's words in the user's language: a gettext domain of its own, beside the plug-in."""

from __future__ import annotations

import functools
import gettext
import re
import string
from itertools import islice
from pathlib import Path

from painterly_plugin.engine_words import TEXTS

DOMAIN = "painterly-harmonize"
MOST_SENTENCES = 4  # in a row; looking on through a whole log would take long
_SENTENCE_ENDS = re.compile(r"(?<=[.”]) ")
LOCALE_FOLDER = Path(__file__).resolve().parent.parent / "locale"


@functools.cache
def _catalogue() -> gettext.NullTranslations:
    # GIMP hands its own language on to plug-ins in LANGUAGE, which gettext reads.
    return gettext.translation(DOMAIN, str(LOCALE_FOLDER), fallback=True)


def _(text: str) -> str:
    """``text`` as the user's language says it; ``text`` itself where that is not known."""
    return _catalogue().gettext(text) if text else ""


def said(text: str) -> str:
    """What the engine said, with the names and numbers in it, as the user's language says it; else ``text`` itself.

    Of several sentences in a row each is looked up: a sentence and its advice, as a log or a terminal has them.
    """
    if text in TEXTS:
        return _(text)
    for end in islice(_SENTENCE_ENDS.finditer(text), MOST_SENTENCES):
        first, rest = _known(text[: end.start()]), text[end.end() :]
        if first is not None and (translated := said(rest)) != rest:
            return f"{first} {translated}"
    return _known(text) or text


def _known(text: str) -> str | None:
    """One of the engine's sentences, translated; None for what is none of them."""
    if text in TEXTS:
        return _(text)
    for template, pattern in _patterns():
        if found := pattern.fullmatch(text):
            return _(template).format(**{name: said(part) for name, part in found.groupdict().items()})
    return None


@functools.cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Each sentence with gaps, and what matches it. The most telling first: those with the most letters."""
    gapped = sorted((text for text in TEXTS if "{" in text), key=len, reverse=True)
    return [(text, re.compile(_pattern(text), re.DOTALL)) for text in gapped]


def _pattern(template: str) -> str:
    parts = string.Formatter().parse(template)
    return "".join(re.escape(literal) + (f"(?P<{name}>.+)" if name else "") for literal, name, _spec, _how in parts)
