#!/usr/bin/env python3
"""The plug-in's words: ``catalogues.py update`` brings the .po files up to date with the sources.

``install.py`` compiles them. Standard library only: gettext's own tools need not be there.
"""

from __future__ import annotations

import ast
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PLUGIN = FOLDER.parent / "painterly-harmonize"
DOMAIN = "painterly-harmonize"
MAGIC = 0x950412DE
ENGINE_WORDS = PLUGIN / "painterly_plugin" / "engine_words.py"


def messages() -> dict[str, list[str]]:
    """Every translatable text → the files it stands in."""
    found: dict[str, list[str]] = {}
    for file in sorted(PLUGIN.rglob("*.py")):
        if "vendor" in file.parts:
            continue
        for text in _calls(ast.parse(file.read_text(encoding="utf-8"))):
            found.setdefault(text, []).append(file.relative_to(PLUGIN).as_posix())
    for text in from_the_engine():
        found.setdefault(text, []).append("engine")
    return found


def from_the_engine() -> tuple[str, ...]:
    """The engine's sentences that the plug-in translates."""
    assigned = ast.parse(ENGINE_WORDS.read_text(encoding="utf-8")).body[-1]
    assert isinstance(assigned, ast.Assign)
    texts: tuple[str, ...] = ast.literal_eval(assigned.value)
    return texts


def _calls(tree: ast.AST) -> Iterator[str]:
    """The literal first arguments of calls to ``_``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        text = node.args[0]
        if getattr(node.func, "id", "") == "_" and isinstance(text, ast.Constant) and isinstance(text.value, str):
            yield text.value


def read_po(file: Path) -> dict[str, str]:
    """msgid → msgstr, without the header."""
    entries: dict[str, str] = {}
    field, parts = "", {"msgid": "", "msgstr": ""}
    for line in [*file.read_text(encoding="utf-8").splitlines(), 'msgid ""']:
        if line.startswith("msgid "):
            entries[parts["msgid"]] = parts["msgstr"]
            parts = {"msgid": "", "msgstr": ""}
        if line.startswith(("msgid ", "msgstr ")):
            field, line = line.split(" ", 1)
        if line.startswith('"'):
            parts[field] += ast.literal_eval(line)
    entries.pop("", None)
    return entries


def write_po(file: Path, language: str, entries: dict[str, str]) -> None:
    """``entries`` in the order of the sources, with where each text stands."""
    lines = ['msgid ""', 'msgstr ""', f'"Language: {language}\\n"', '"Content-Type: text/plain; charset=UTF-8\\n"', ""]
    for text, places in messages().items():
        lines += [f"#: {' '.join(dict.fromkeys(places))}", f"msgid {_quoted(text)}"]
        lines += [f"msgstr {_quoted(entries.get(text, ''))}", ""]
    file.write_text("\n".join(lines), encoding="utf-8")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def compiled(file: Path) -> bytes:
    """The .mo file of a .po file: what gettext reads."""
    header = "Content-Type: text/plain; charset=UTF-8\n"
    entries = {"": header, **{text: meant for text, meant in read_po(file).items() if meant}}
    pairs = sorted((text.encode(), meant.encode()) for text, meant in entries.items())
    start = 28 + 16 * len(pairs)
    keys = b"".join(key + b"\0" for key, _value in pairs)
    values = b"".join(value + b"\0" for _key, value in pairs)
    tables, key_at, value_at = [[], []], start, start + len(keys)  # type: list[list[int]], int, int
    for key, value in pairs:
        tables[0] += [len(key), key_at]
        tables[1] += [len(value), value_at]
        key_at, value_at = key_at + len(key) + 1, value_at + len(value) + 1
    head = struct.pack("<7I", MAGIC, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + b"".join(struct.pack(f"<{len(table)}I", *table) for table in tables) + keys + values


def catalogues() -> dict[str, bytes]:
    """Path in the plug-in's folder → contents, for each language."""
    return {f"locale/{file.stem}/LC_MESSAGES/{DOMAIN}.mo": compiled(file) for file in sorted(FOLDER.glob("*.po"))}


if __name__ == "__main__":
    if sys.argv[1:] != ["update"]:
        sys.exit(__doc__)
    for po in sorted(FOLDER.glob("*.po")):
        write_po(po, po.stem, read_po(po))
