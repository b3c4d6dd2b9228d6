"""The last column of docs/architecture.md: which room may import what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ENGINE, PROTOCOL, PLUGIN = "engine/painterly_engine", "protocol/painterly_protocol", "plugin/painterly-harmonize"
HEAVY = {"torch", "torchvision"}
GIMP = {"gi"}

FORBIDDEN = {
    PROTOCOL: HEAVY | GIMP | {"numpy", "PIL", "painterly_engine"},
    ENGINE: GIMP,
    PLUGIN: HEAVY | {"PIL", "painterly_engine"},
    f"{ENGINE}/matching": {"zmq", "msgpack", "PIL"},
    f"{ENGINE}/losses": {"zmq", "msgpack", "PIL"},
    f"{ENGINE}/finishing": {"zmq", "msgpack", "PIL"},
    f"{ENGINE}/stylizing": {"zmq", "msgpack", "PIL"},
    f"{ENGINE}/network": {"zmq", "msgpack"},
    f"{ENGINE}/report": {"zmq", "msgpack"},
}


def imported(path: Path) -> set[str]:
    """Top-level names of every module that the file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_room_imports_only_what_it_may(folder: str, repository: Path) -> None:
    files = [path for path in (repository / folder).rglob("*.py") if "vendor" not in path.parts]
    assert files, f"nothing in {folder}"
    offences = {str(path): bad for path in files if (bad := imported(path) & FORBIDDEN[folder])}
    assert not offences


def test_nothing_below_the_commands_needs_them(repository: Path) -> None:
    commands = re.compile(r"^\s*from painterly_engine\.cli\b", re.M)
    others = (path for path in (repository / ENGINE).rglob("*.py") if path.parent.name != "cli")
    assert [str(path) for path in others if commands.search(path.read_text("utf-8"))] == []


def test_the_server_loads_nothing_heavy() -> None:
    """The I/O loop answers within milliseconds of its start: torch is the worker's, and numpy too."""
    program = "import sys, painterly_engine.service.command; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "zmq" in loaded
    assert not {*HEAVY, "numpy", "PIL"} & set(loaded)


def test_ray_is_where_it_belongs(repository: Path) -> None:
    """It pickles and opens ports: nothing but what speaks with a cluster loads it."""
    files = (repository / ENGINE).rglob("*.py")
    found = {path.relative_to(repository / ENGINE).as_posix() for path in files if "ray" in imported(path)}
    assert found == {"cluster/driver.py", "cluster/joining.py", "cluster/shots.py"}


def test_the_protocol_needs_only_what_it_says(repository: Path) -> None:
    names: set[str] = set().union(*(imported(path) for path in (repository / PROTOCOL).rglob("*.py")))
    assert names - set(sys.stdlib_module_names) <= {"painterly_protocol", "zmq", "msgpack"}


@pytest.mark.parametrize("folder", [ENGINE, PROTOCOL, PLUGIN])
def test_no_pickle(folder: str, repository: Path) -> None:
    """Only the error that torch's safe loader raises may be named."""
    for path in (repository / folder).rglob("*.py"):
        assert not imported(path) & {"dill", "cloudpickle", "shelve", "marshal"}, path
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pickle\.(?!UnpicklingError)\w|from pickle|send_pyobj|recv_pyobj", text), path
        assert "torch.load(" not in text or "weights_only=True" in text, path
