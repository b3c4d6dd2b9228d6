"""What README and docs tell people to type is understood by the command line as it is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest

from painterly_engine.cli.main import all_commands

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The words after ``painterly`` of each command in the page's shell blocks."""
    found = []
    variables: dict[str, str] = {}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                if given := re.fullmatch(r"(\w+)=(.*)", command):
                    variables[given[1]] = given[2].strip("\"'")
                words = shlex.split(Template(command).safe_substitute(variables), comments=True)
                if words[:1] == ["painterly"]:
                    found.append(words[1:])
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_pages_commands_are_understood(page: Path) -> None:
    for words in commands(page):
        try:
            all_commands().parse_args(words)
        except SystemExit:
            pytest.fail(f"{page.name}: painterly {shlex.join(words)}")


def test_there_are_such_commands() -> None:
    assert len(commands(REPOSITORY / "README.md")) > 10
    assert len(commands(REPOSITORY / "docs" / "cluster.md")) > 3


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    """As in “painterly weights list | head -1”: Python's own complaint would follow otherwise."""
    command = [sys.executable, "-m", "painterly_engine.cli", "weights", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout is not None and listing.stderr is not None
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 141
