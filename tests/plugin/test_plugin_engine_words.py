"""What the engine can say to a painter is what the plug-in translates: no sentence of it is forgotten."""

from __future__ import annotations

import ast
import gettext
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from painterly_plugin import language as language_module
from painterly_plugin.engine_words import TEXTS
from painterly_plugin.language import said
from support.installer import REPOSITORY, install

ENGINE, PROTOCOL = REPOSITORY / "engine" / "painterly_engine", REPOSITORY / "protocol" / "painterly_protocol"
ROOTS = {"painterly_engine": ENGINE, "painterly_protocol": PROTOCOL}
# What runs a job that GIMP sends, with all that these import; and what the engine's window has the command line do.
ENTRIES = (
    "painterly_engine.service.__main__",
    "painterly_engine.service.worker",
    "painterly_engine.cluster.driver",
    "painterly_engine.cluster.painter",
    "painterly_engine.network.fetch",
)

# Modules none of whose other words ever reach GIMP.
ELSEWHERE = {
    "painterly_protocol/wire.py": "of messages that no program of ours sends",
    "painterly_protocol/bridge.py": "of messages that no program of ours sends",
    "painterly_protocol/pixels.py": "of pictures that the plug-in does not make",
    "painterly_protocol/keyring.py": "to the keeper of an engine, in the terminal",
    "painterly_engine/stylizing/method.py": "of options that only the command line and Python have",
}
# Sentences, and parts of some, that never do.
NEVER_IN_GIMP = {
    "of a loose mask, which the plug-in does not send": (
        "Nothing of the object lies inside the loose mask.",
        "Give a larger loose mask.",
        "The loose mask is empty.",
        "Make it white wherever pixels may change, or leave it out.",
    ),
    "of pictures that do not go together, which the plug-in does not send": (
        "Painting, composite and style picture must have three channels.",
        "Convert them to RGB.",
        "Painting and composite differ in their sample type.",
        "Convert one of them.",
        "A mask must have one channel.",
        "Convert it to grey.",
        "The {} is {}×{} px, the {} {}×{} px.",
        "Give pictures of the same size.",
    ),
    "of messages that the plug-in does not send": (
        "There is no such job to cancel.",
        "Only the client that submitted a job may cancel it.",
        "Cancel it there.",
        "Another job has this id already.",
        "Submit it under an id of its own.",
        "This job has already run, and its result is no longer kept.",
        "Submit it as a new job.",
        "A client sent a message that only an engine may send.",
        "A job id has 1 to {} characters.",
    ),
    "to the keeper of an engine, in the terminal": (
        "give how many, or the fewest and the most as in 1:4",
        "An engine is already running.",
        "The engine is starting; its log is {}. Ctrl+C stops it.",
        "Nobody could connect from elsewhere: there are no keys.",
        "Make one with “painterly keys add NAME --engine HOST:PORT” first.",
        "The engine cannot listen at {}: {}.",
        "Give --listen an address of this machine and a free port.",
        "{} is no address.",
        "Give HOST:PORT, for example gpu-box:5599.",
        "{} cannot be written: {}.",
        "Choose another place for it.",
        "There is no network {} to fetch.",
        "There is no network {}.",
        "Known are: {}.",
        "{} is part of the package.",
        "It goes when the package goes.",
        "See 'painterly weights list'.",
    ),
    "in a result's metadata, which the plug-in keeps and does not show": (
        "the instant preset knows none",
        "the first pass knows none",
        "this method knows none",
        "A feed-forward pass has decoders of the built-in network only: {wanted} was not used.",
        "This network ends at {}: matching, content and the deep histogram use {}, style the layers there are.",
        "This network ends at {}: the object's content is kept by {}.",
        "random (untrained, for tests only)",
        "{} (untrained, for timing only)",
    ),
    "in a run's record, or for programs": (
        "matches at {}",
        "matches at {}, first pass",
        "matches at scale {}, {}",
        "VGG: CC BY 4.0; torchvision's file: BSD-3-Clause",
        "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s",
        "can't allocate memory",
        "not enough memory",
        "could not create a primitive",
        "node has died",
    ),
}
# What these are called with is read by developers, in a log or in a terminal's help.
NOT_SAID = {
    *("ValueError", "TypeError", "AssertionError", "RuntimeError", "OSError", "KeyError"),
    *("debug", "info", "warning", "error", "exception", "event"),
    *("ArgumentParser", "add_argument", "add_argument_group", "add_parser", "compile"),
}


def reached(entries: Iterable[str]) -> dict[Path, ast.Module]:
    """The modules of ours that are loaded from ``entries``, wherever in them they are imported."""
    found: dict[Path, ast.Module] = {}
    waiting = list(entries)
    while waiting:
        file = file_of(waiting.pop())
        # The package's own module is the interface from Python, which no engine calls.
        if file is not None and file not in found and file != ENGINE / "__init__.py":
            found[file] = ast.parse(file.read_text(encoding="utf-8"))
            waiting += imported(found[file])
    return found


def file_of(module: str) -> Path | None:
    top, *rest = module.split(".")
    if top not in ROOTS:
        return None
    folder = ROOTS[top].joinpath(*rest)
    files = (folder / "__init__.py", folder.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def text_of(node: ast.AST) -> str:
    """The text of a string, with {} where a value is filled in; "" for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""


def words_in(node: ast.AST) -> Iterator[str]:
    """Every text under ``node`` that somebody could be meant to read: of several words, and no docstring."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in NOT_SAID:
        return
    if isinstance(node, ast.Assert):
        return
    if text := text_of(node):
        if re.search("[a-z]{2}", text) and (text.count(" ") > 1 or re.fullmatch(r"\S+ .*\.", text)):
            yield text
        if isinstance(node, ast.Constant):
            return
    for child in ast.iter_child_nodes(node):
        is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        is_part = isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)
        if not is_docstring and not is_part and not isinstance(child, ast.arg):
            yield from words_in(child)


def without_names(text: str) -> str:
    return re.sub(r"{\w+}", "{}", text)


def everything_said() -> dict[str, str]:
    """What the modules that a job of GIMP's runs through say → where, without those of ``ELSEWHERE``."""
    entries = (*ENTRIES, *(f"painterly_protocol.{file.stem}" for file in PROTOCOL.glob("*.py")))
    found: dict[str, str] = {}
    for file, tree in reached(entries).items():
        root = PROTOCOL if PROTOCOL in file.parents else ENGINE
        place = file.relative_to(root.parent).as_posix()
        if place not in ELSEWHERE:
            found |= dict.fromkeys(words_in(tree), place)
    return found


SAID = everything_said()


def test_every_sentence_that_can_reach_gimp_is_translated() -> None:
    translated = {without_names(text) for text in TEXTS}
    excused = {without_names(text) for texts in NEVER_IN_GIMP.values() for text in texts}
    forgotten = {text: place for text, place in SAID.items() if without_names(text) not in translated | excused}
    assert not forgotten, "add them to engine_words.py, or say in NEVER_IN_GIMP why they never get there"


def test_nothing_is_excused_that_is_not_said() -> None:
    said_there = {without_names(text) for text in SAID}
    for texts in NEVER_IN_GIMP.values():
        for text in texts:
            assert without_names(text) in said_there, text
    for place in ELSEWHERE:
        assert (ENGINE.parent / place).is_file() or (PROTOCOL.parent / place).is_file(), place


def test_the_search_finds_what_is_said() -> None:
    """In calls, in sentences with values, in lists of warnings and in what becomes part of a sentence."""
    assert SAID["{} of your jobs are waiting already."] == "painterly_engine/service/jobs.py"
    assert SAID["Your key to this engine has been removed."] == "painterly_engine/service/server.py"
    assert SAID["it had stopped computing"] == "painterly_engine/service/foreman.py"
    assert SAID["The style mask is empty: there is nothing to imitate."] == "painterly_engine/style.py"
    assert "painterly_engine/cluster/pool.py" in SAID.values()
    assert "What the modules say" not in " ".join(SAID)


@pytest.fixture
def german(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = install.catalogues()["locale/de/LC_MESSAGES/painterly-harmonize.mo"]
    monkeypatch.setattr(language_module, "_catalogue", lambda: gettext.GNUTranslations(io.BytesIO(catalogue)))


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize(
    ("english", "meant"),
    [
        ("16 of your jobs are waiting already.", "Es warten schon 16 Ihrer Aufträge."),
        (
            "The picture has 200.0 million pixels, more than the 178.0 million that this engine takes.",
            "Das Bild hat 200.0 Millionen Pixel, mehr als die 178.0 Millionen, die dieser Rechendienst annimmt.",
        ),
        (
            "You have had the 4 million pixels that this engine gives to one user in an hour.",
            "Was dieser Rechendienst einem Benutzer in einer Stunde gibt (4 Millionen Pixel), ist verbraucht.",
        ),
        (
            "At a working size of 700 px the picture is 700×20 px; the network slim needs 32 px on the shorter side.",
            "Bei einer Arbeitsgröße von 700 px hat das Bild 700×20 px; das Netz slim braucht 32 px auf der kürzeren "
            "Seite.",
        ),
        (
            "The engine's worker ended in the middle of the job (it had stopped computing).",
            "Der Arbeiter des Rechendienstes ist mitten im Auftrag zu Ende gegangen (er hatte aufgehört zu rechnen).",
        ),
        (
            "The download of vgg19 failed: timed out. Check the network connection and run 'painterly weights fetch "
            "vgg19' again. It goes on where it stopped.",
            "Das Netz vgg19 ließ sich nicht herunterladen: timed out. Die Netzwerkverbindung prüfen und „painterly "
            "weights fetch vgg19“ noch einmal ausführen. Es geht dort weiter, wo es aufgehört hat.",
        ),
        (
            "The engine could not be started. It ended at once: The engine cannot open its socket in /a b: No space "
            "left. Make room or correct its permissions, or name another folder in PAINTERLY_RUNTIME_DIR.",
            "Der Rechendienst ließ sich nicht starten. Er ging sofort zu Ende: Der Rechendienst kann seinen Socket in "
            "/a b nicht öffnen: No space left. Platz schaffen oder die Rechte berichtigen, oder in "
            "PAINTERLY_RUNTIME_DIR einen anderen Ordner nennen.",
        ),
        ("Something new. Try again.", "Something new. Try again."),
    ],
)
def test_it_is_said_in_german(english: str, meant: str) -> None:
    assert said(english) == meant


@pytest.mark.usefixtures("german")
def test_a_long_log_is_not_looked_through_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every head of it is a sentence of the engine's, as far as that can tell."""
    looked: list[str] = []
    known = language_module._known
    monkeypatch.setattr(language_module, "_known", lambda text: looked.append(text) or known(text))
    log = " / ".join(f"Line {number}. It says this. And that, “so”." for number in range(40))
    assert said(f"The engine could not be started. It ended at once: {log}").startswith("Der Rechendienst ließ sich")
    assert len(looked) < 300
