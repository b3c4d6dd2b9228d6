"""The plug-in's words: complete in every language, compiled as gettext reads them, and with a help page each."""

from __future__ import annotations

import gettext
import io
import re
import string
from html.parser import HTMLParser
from pathlib import Path

import pytest

from support.installer import REPOSITORY, install

TRANSLATIONS = REPOSITORY / "plugin" / "translations"
HELP = REPOSITORY / "plugin" / "painterly-harmonize" / "help"
LANGUAGES = sorted(file.stem for file in TRANSLATIONS.glob("*.po"))


@pytest.fixture(scope="module")
def catalogues() -> object:
    spec = install.importlib.util.spec_from_file_location("catalogues", TRANSLATIONS / "catalogues.py")
    module = install.importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled(language: str) -> gettext.GNUTranslations:
    path = f"locale/{language}/LC_MESSAGES/painterly-harmonize.mo"
    return gettext.GNUTranslations(io.BytesIO(install.catalogues()[path]))


def fields_of(text: str) -> set[str]:
    return {name for _literal, name, _spec, _conversion in string.Formatter().parse(text) if name}


def test_german_and_spanish_are_there() -> None:
    assert LANGUAGES == ["de", "es"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(catalogues: object, language: str) -> None:
    entries = catalogues.read_po(TRANSLATIONS / f"{language}.po")  # type: ignore[attr-defined]
    texts = catalogues.messages()  # type: ignore[attr-defined]
    assert len(texts) > 100
    assert entries.keys() == texts.keys(), "run plugin/translations/catalogues.py update"
    translated = compiled(language)
    for text, meant in entries.items():
        assert meant, f"not translated: {text}"
        assert fields_of(meant) == fields_of(text), text
        assert meant.count("_") == text.count("_") or "{" in text, f"mnemonic: {text}"
        assert translated.gettext(text) == meant


def test_an_unknown_text_stays_as_it_is() -> None:
    assert compiled("de").gettext("No such text") == "No such text"


def test_a_broken_placeholder_is_noticed() -> None:
    assert fields_of("{count} of {name}") == {"count", "name"}


class _Headings(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_the_help_page_needs_no_network(language: str) -> None:
    page = _Headings()
    text = (HELP / f"{language}.html").read_text(encoding="utf-8")
    page.feed(text)
    assert page.links == []
    assert "http" not in re.sub(r"<!DOCTYPE.*?>", "", text)
    english = _Headings()
    english.feed((HELP / "en.html").read_text(encoding="utf-8"))
    assert page.tags == english.tags, "the pages say the same, in the same order"
    assert f'lang="{language}"' in text


def test_installed_with_the_plug_in(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    install.install_plugin(tmp_path / "plug-ins", {}, tmp_path / "vendor")
    folder = tmp_path / "plug-ins" / "painterly-harmonize"
    for language in LANGUAGES:
        assert (folder / "locale" / language / "LC_MESSAGES" / "painterly-harmonize.mo").is_file()
        assert (folder / "help" / f"{language}.html").is_file()
