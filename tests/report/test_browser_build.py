"""Which browser the tests take, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import browser_build


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on its PATH but what is put into the folder, and an empty cache."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def program(path: Path, script: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_an_installed_browser_is_taken_as_it_is(machine: Path) -> None:
    installed = program(machine / "bin" / "chromium")
    assert browser_build.find_browser() == browser_build.Browser(installed, {})
    assert not (machine / "cache").exists()


def test_an_unpacked_one_is_used_again_with_its_own_libraries(machine: Path) -> None:
    folder = machine / "cache" / "painterly-harmonize" / "chromium"
    unpacked = program(folder / browser_build.PROGRAM)
    (folder / "usr/lib/x86_64-linux-gnu/pulseaudio").mkdir(parents=True)
    found = browser_build.find_browser()
    assert found.program == unpacked
    libraries = found.environment["LD_LIBRARY_PATH"].split(":")
    assert libraries == [f"{folder}/usr/lib/x86_64-linux-gnu", f"{folder}/usr/lib/x86_64-linux-gnu/pulseaudio"]


def test_without_apt_there_is_a_reason(machine: Path) -> None:
    with pytest.raises(browser_build.BrowserAbsentError, match="Debian-like"):
        browser_build.find_browser()
    assert not (machine / "cache").exists()


def test_an_archive_out_of_reach_is_a_reason_and_leaves_nothing_half_done(machine: Path) -> None:
    program(machine / "bin" / "dpkg-deb")
    program(machine / "bin" / "apt-get", "echo 'E: Temporary failure resolving the archive' >&2; exit 100")
    with pytest.raises(browser_build.BrowserAbsentError, match="Temporary failure"):
        browser_build.find_browser()
    assert [path.name for path in (machine / "cache" / "painterly-harmonize").iterdir()] == ["chromium.lock"]
