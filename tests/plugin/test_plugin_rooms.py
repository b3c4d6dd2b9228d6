"""Which files of the plug-in know GIMP is visible from their names; the entry starts with everything else missing."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "plugin" / "painterly-harmonize"
ENTRY = PLUGIN / "painterly-harmonize.py"
MODULES = sorted((PLUGIN / "painterly_plugin").glob("*.py"))
BEFORE_ANYTHING_ELSE = ("config", "report", "language", "__init__")


def imported(nodes: list[ast.stmt] | ast.AST) -> set[str]:
    """Top-level names that are imported under the given nodes."""
    walked = [node for root in (nodes if isinstance(nodes, list) else [nodes]) for node in ast.walk(root)]
    names = {alias.name.split(".")[0] for node in walked if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module.split(".")[0] for node in walked if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_name_says_whether_a_module_needs_gimp(module: Path) -> None:
    assert ("gi" in imported(ast.parse(module.read_text(encoding="utf-8")))) == module.stem.startswith("gimp_")


@pytest.mark.parametrize("name", BEFORE_ANYTHING_ELSE)
def test_what_explains_a_broken_installation_needs_nothing(name: str) -> None:
    module = PLUGIN / "painterly_plugin" / f"{name}.py"
    known = {"painterly_plugin", *sys.stdlib_module_names}
    assert imported(ast.parse(module.read_text(encoding="utf-8"))) <= known


def test_the_entry_registers_with_gi_and_its_words_alone() -> None:
    tree = ast.parse(ENTRY.read_text(encoding="utf-8"))
    at_the_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imported(at_the_top) <= {"gi", "painterly_plugin", *sys.stdlib_module_names}
    ours = [node.module for node in at_the_top if isinstance(node, ast.ImportFrom) and "painterly" in str(node.module)]
    assert ours == ["painterly_plugin.language"]


def test_gimp_would_run_the_entry() -> None:
    """Without the x bit, the first line, or with another name than its folder's, GIMP passes it over in silence."""
    assert os.access(ENTRY, os.X_OK)
    assert ENTRY.read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")
    assert ENTRY.stem == ENTRY.parent.name
