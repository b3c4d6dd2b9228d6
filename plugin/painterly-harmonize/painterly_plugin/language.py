"""The plug-in's words in the user's language: a gettext domain of its own, beside the plug-in."""

from __future__ import annotations

import functools
import gettext
from pathlib import Path

DOMAIN = "painterly-harmonize"
LOCALE_FOLDER = Path(__file__).resolve().parent.parent / "locale"


@functools.cache
def _catalogue() -> gettext.NullTranslations:
    # GIMP hands its own language on to plug-ins in LANGUAGE, which gettext reads.
    return gettext.translation(DOMAIN, str(LOCALE_FOLDER), fallback=True)


def _(text: str) -> str:
    """``text`` as the user's language says it; ``text`` itself where that is not known."""
    return _catalogue().gettext(text) if text else ""
