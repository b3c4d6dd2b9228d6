"""Which Debian with GIMP counts as built, where it is kept, and from where it comes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support import gimp_build


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAINTERLY_GIMP_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Everything that would be run; debootstrap leaves the folders that follow-up steps write to."""
    ran: list[list[str]] = []

    def run(command: list[str]) -> None:
        ran.append(command)
        if command[0] == "debootstrap":
            for folder in ("usr/sbin", "etc/apt"):
                (Path(command[3]) / folder).mkdir(parents=True)
        if command[:2] == ["rm", "-rf"]:
            subprocess.run(command, check=True)

    monkeypatch.setattr(gimp_build, "_run", run)
    monkeypatch.setattr(gimp_build, "obstacle", lambda: "")
    monkeypatch.setattr(gimp_build, "debian_mirror", lambda: "http://mirror/debian")
    monkeypatch.setattr(gimp_build.shutil, "which", lambda name: f"/usr/sbin/{name}")
    return ran


def test_cache_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PAINTERLY_GIMP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert gimp_build.cache_folder("3.0") == tmp_path / "painterly-harmonize/gimp-trixie"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert gimp_build.cache_folder("3.2") == tmp_path / ".cache/painterly-harmonize/gimp-forky"


def test_a_finished_build_is_used_again(cache: Path, commands: list[list[str]]) -> None:
    folder = gimp_build.build("3.0")
    assert folder == cache / "gimp-trixie"
    assert [command[0] for command in commands] == ["debootstrap", "chroot", "chroot", "chroot"]
    gimp_build.build("3.0")
    assert len(commands) == 4


@pytest.mark.parametrize("marker", [None, "another recipe\n"])
def test_a_half_built_or_outdated_folder_is_built_anew(
    cache: Path, commands: list[list[str]], marker: str | None
) -> None:
    folder = cache / "gimp-trixie"
    folder.mkdir()
    (folder / "leftover").touch()
    if marker is not None:
        (folder / gimp_build.MARKER).write_text(marker)
    gimp_build.build("3.0")
    assert commands[0][0] == "rm"
    assert not (folder / "leftover").exists()
    assert gimp_build.is_built("3.0")


@pytest.mark.usefixtures("cache", "commands")
def test_a_failing_step_leaves_no_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_folder: Path) -> None:
        raise gimp_build.GimpBuildError("apt-get failed")

    monkeypatch.setattr(gimp_build, "_add_packages", fails)
    with pytest.raises(gimp_build.GimpBuildError):
        gimp_build.build("3.0")
    assert not gimp_build.is_built("3.0")


def test_forky_uses_sids_script_and_the_machines_mirror(cache: Path, commands: list[list[str]]) -> None:
    gimp_build.build("3.2")
    assert commands[0] == [
        "debootstrap",
        "--variant=minbase",
        "forky",
        str(cache / "gimp-forky"),
        "http://mirror/debian",
        "/usr/share/debootstrap/scripts/sid",
    ]
    assert (cache / "gimp-forky/etc/apt/sources.list").read_text() == "deb http://mirror/debian forky main\n"


@pytest.mark.usefixtures("cache")
def test_where_it_cannot_be_built_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert gimp_build.main(["3.0"]) == 1
    assert "only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("targets", "mirror"),
    [
        (
            "http://deb.debian.org/debian-security/ main\nhttp://mirror.local/debian/ main\n",
            "http://mirror.local/debian",
        ),
        ("https://packages.example/apt main\nhttp://mirror.local/debian contrib\n", gimp_build.DEFAULT_MIRROR),
        ("", gimp_build.DEFAULT_MIRROR),
    ],
)
def test_mirror_is_the_machines_own(targets: str, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess(["apt-get"], 0, stdout=targets)
    monkeypatch.setattr(gimp_build.subprocess, "run", lambda *_arguments, **_options: answer)
    assert gimp_build.debian_mirror() == mirror
