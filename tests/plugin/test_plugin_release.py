"""A release holds everything that an installation of the plug-in needs, and replaces an older one in place."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from support.installer import ENGINE_PYTHON, install


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release, made from this checkout and unpacked elsewhere."""
    folder = tmp_path_factory.mktemp("release")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(install, "ensure_environment", lambda: ENGINE_PYTHON)
        assert install.release(argparse.Namespace(file=str(folder / "release.zip"))) == 0
    with zipfile.ZipFile(folder / "release.zip") as archive:
        archive.extractall(folder)
    (top,) = (path for path in folder.iterdir() if path.is_dir())
    return top


def installer_of(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("released_install", folder / "install.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "released_install", module)
        spec.loader.exec_module(module)
    return module


def test_it_is_whole_and_clean(unpacked: Path) -> None:
    for name in (
        "install.py",
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "engine",
        "protocol",
        "plugin",
    ):
        assert (unpacked / name).exists(), name
    paths = [path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")]
    assert not [path for path in paths if "__pycache__" in path or path.startswith((".", "tests"))]


def test_the_plug_in_installs_from_it_without_the_network(unpacked: Path, tmp_path: Path) -> None:
    released = installer_of(unpacked)
    vendor = released.ensure_vendor(Path("/no/python"), released.USUAL_GIMP_PYTHON)
    assert vendor.is_relative_to(unpacked)
    assert released.install_plugin(tmp_path, {"engine_command": ["x"]}, vendor)
    folder = tmp_path / "painterly-harmonize"
    for path in ("vendor/zmq/__init__.py", "vendor/msgpack/__init__.py", "vendor/painterly_protocol/client.py"):
        assert (folder / path).is_file(), path
    assert os.access(folder / "painterly-harmonize.py", os.X_OK)
    assert not released.install_plugin(tmp_path, {"engine_command": ["x"]}, vendor), "nothing was left to do"


def test_an_older_version_is_replaced_in_place(unpacked: Path, tmp_path: Path) -> None:
    released = installer_of(unpacked)
    vendor = released.ensure_vendor(Path("/no/python"), released.USUAL_GIMP_PYTHON)
    released.install_plugin(tmp_path, {"version": "old"}, vendor)
    folder = tmp_path / "painterly-harmonize"
    (folder / "gone.py").write_text("")
    manifest = json.loads((folder / "installed.json").read_text())
    (folder / "installed.json").write_text(json.dumps({"files": [*manifest["files"], "gone.py"]}))
    (folder / "notes.txt").write_text("mine")
    (folder / "painterly_plugin" / "wording.py").write_text("old")
    assert released.install_plugin(tmp_path, {"version": "new"}, vendor)
    assert not (folder / "gone.py").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    assert json.loads((folder / "config.json").read_text())["version"] == "new"
    assert (folder / "painterly_plugin" / "wording.py").read_text() != "old"


@pytest.fixture
def pip_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []
    monkeypatch.setattr(install, "run_pip", lambda _python, arguments: calls.append(list(arguments)))
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "")
    return calls


def test_a_small_torch(pip_calls: list[list[str]]) -> None:
    install.install_small_torch(ENGINE_PYTHON)
    (call,) = pip_calls
    assert call[0] == "install"
    assert {part.split(">")[0] for part in call[1:3]} == {"torch", "torchvision"}
    assert call[-2:] == ["--index-url", install.CPU_TORCH]


def test_without_the_small_torch_the_usual_one_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_python: Path, _arguments: list[str]) -> None:
        raise install.InstallError("The Python package index could not be reached.", "Check.")

    monkeypatch.setattr(install, "run_pip", fail)
    install.install_small_torch(ENGINE_PYTHON)
    assert "usual one is taken" in capsys.readouterr().out


def test_wheels_and_proxy_reach_pip(pip_calls: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "some-1-py3-none-any.whl").touch()
    install.tell_pip(install.parser().parse_args(["--wheels", str(tmp_path), "--proxy", "http://proxy:3128"]))
    assert os.environ["PIP_NO_INDEX"] == "1"
    assert os.environ["PIP_FIND_LINKS"] == str(tmp_path)
    assert os.environ["PIP_PROXY"] == "http://proxy:3128"
    install.install_small_torch(ENGINE_PYTHON)
    assert "--index-url" not in pip_calls[0], "the network is not asked"


def test_an_empty_folder_of_wheels_is_said(tmp_path: Path) -> None:
    with pytest.raises(install.InstallError, match="no wheels"):
        install.tell_pip(install.parser().parse_args(["--wheels", str(tmp_path)]))
