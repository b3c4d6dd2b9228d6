"""The table of docs/plugin.md names the test that proves each of its rows."""

from __future__ import annotations

import ast
import re

import pytest

from support.installer import REPOSITORY

TABLE = [
    line
    for line in (REPOSITORY / "docs" / "plugin.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\|.*\| [●◐○]", line)
]
NAMED = re.compile(r"`(?:tests/\w+/)?(test_\w+)(?:\.py)?(?:: (\w+))?`")


def defined(module: str) -> set[str]:
    """The names of the tests, and of their classes, in the modules of that name."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in (REPOSITORY / "tests").rglob(f"{module}.py")]
    assert trees, f"there is no {module}"
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)}


def test_there_is_a_table() -> None:
    assert len(TABLE) > 30


@pytest.mark.parametrize("row", TABLE, ids=[line.split("|")[1].strip()[:40] for line in TABLE])
def test_every_row_names_tests_that_are_there(row: str) -> None:
    promise = row.split("|")[2].strip()
    assert promise.startswith("●")
    named = NAMED.findall(row)
    assert named
    module = ""
    for name, test in named:
        # A name alone is a module, or another test of the module before it.
        if not test and module and name in defined(module):
            continue
        module = name
        assert not test or test in defined(module), f"{module} has no {test}"
