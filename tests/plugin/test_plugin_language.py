"""The plug-in's words: complete in every language, compiled as gettext reads them, and with a help page each."""

from __future__ import annotations

import ast
import gettext
import io
import re
import string
from html.parser import HTMLParser
from pathlib import Path

import pytest

from painterly_plugin import language as language_module
from painterly_plugin.engine_words import TEXTS
from painterly_plugin.language import said
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


# GIMP's own buttons of such a dialog, as its catalogues have them: Load and Save Settings, Reset, OK, Cancel.
GIMPS_OWN = {"en": "lsroc", "de": "gszoc", "es": "cgrac"}
IN_THE_DIALOG = ("gimp_arguments", "gimp_form", "gimp_preview", "gimp_ask", "remedies", "gimp_help")
NOT_IN_IT = ("_Close",)


@pytest.mark.parametrize("language", GIMPS_OWN)
def test_each_key_does_one_thing(catalogues: object, language: str) -> None:
    """Alt and a letter: where two widgets share one, it only moves between them."""
    labels = [
        text
        for text, files in catalogues.messages().items()  # type: ignore[attr-defined]
        if "_" in text and text not in NOT_IN_IT and {Path(file).stem for file in files} & set(IN_THE_DIALOG)
    ]
    assert len(labels) > 15
    said = [text if language == "en" else compiled(language).gettext(text) for text in labels]
    keys = [text[text.index("_") + 1].lower() for text in said]
    assert sorted(keys) == sorted(set(keys)), said
    assert not set(keys) & set(GIMPS_OWN[language]), said


class _Source:
    """The texts in the sources of engine and protocol, with {} where a value is filled in."""

    def __init__(self) -> None:
        self.texts: set[str] = set()
        for folder in ("engine", "protocol"):
            for file in (REPOSITORY / folder).rglob("*.py"):
                for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                    self.texts.add(self.text(node))

    @staticmethod
    def text(node: ast.AST) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if isinstance(node, ast.JoinedStr):
            return "".join(_Source.text(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        return ""


@pytest.fixture(scope="module")
def source() -> _Source:
    return _Source()


@pytest.mark.parametrize("text", TEXTS)
def test_the_engine_still_says_so(source: _Source, text: str) -> None:
    assert re.sub(r"{\w+}", "{}", text) in source.texts


def test_what_the_engine_says_is_translated_with_its_names_and_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_module, "_catalogue", lambda: compiled("de"))
    assert said("The engine is not running.") == "Der Rechendienst läuft nicht."
    assert (
        said("The engine could not be started. It ended at once: no module named torch / {oops}")
        == "Der Rechendienst ließ sich nicht starten. Er ging sofort zu Ende: no module named torch / {oops}"
    )
    assert (
        said("The file of weights /a/b (1).pth is damaged.") == "Die Datei mit Gewichten /a/b (1).pth ist beschädigt."
    )
    assert said("Something new.") == "Something new."
    monkeypatch.undo()
    assert said("The network vgg19 is not here.") == "The network vgg19 is not here."


class _Headings(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.terms: list[str] = []
        self.links: list[str] = []

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "dt" and data.strip():
            self.terms.append(data.strip())

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


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_help_page_calls_things_as_the_dialog_does(catalogues: object, language: str) -> None:
    pages = {}
    for name in ("en", language):
        pages[name] = _Headings()
        pages[name].feed((HELP / f"{name}.html").read_text(encoding="utf-8"))
    labels = {text.replace("_", ""): text for text in catalogues.messages()}  # type: ignore[attr-defined]
    assert len(pages["en"].terms) == 10
    for english, term in zip(pages["en"].terms, pages[language].terms, strict=True):
        for name in re.split(", | → ", english):
            assert compiled(language).gettext(labels[name]).replace("_", "") in term


def test_installed_with_the_plug_in(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    install.install_plugin(tmp_path / "plug-ins", {}, tmp_path / "vendor")
    folder = tmp_path / "plug-ins" / "painterly-harmonize"
    for language in LANGUAGES:
        assert (folder / "locale" / language / "LC_MESSAGES" / "painterly-harmonize.mo").is_file()
        assert (folder / "help" / f"{language}.html").is_file()
