"""``install.py --service``: a systemd unit or launchd agent that starts this checkout's engine, and its removal."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.installer import install

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no service on Windows")

PYTHON = Path("/some where/with $HOME & 100%/bin/python")
RECORDER = '#!/bin/sh\necho "$(basename "$0") $*" >> "{log}"\nexit {status}\n'


@pytest.fixture(autouse=True)
def _log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAINTERLY_LOG_DIR", str(tmp_path / "log"))


def machine(home: Path, platform: str = "linux", status: int = 0, **environ: str) -> install.Machine:
    """Its systemctl and launchctl write down what they are asked, and end with ``status``."""
    programs = home / "bin"
    programs.mkdir(exist_ok=True)
    for name in ("systemctl", "launchctl"):
        (programs / name).write_text(RECORDER.format(log=home / "asked", status=status))
        (programs / name).chmod(0o755)
    return install.Machine(platform, home, {"PATH": f"{programs}:{os.defpath}", **environ}, home / "root")


def asked(home: Path) -> list[str]:
    file = home / "asked"
    return file.read_text().splitlines() if file.exists() else []


UNIT = ".config/systemd/user/painterly-harmonize.service"
AGENT = "Library/LaunchAgents/org.painterly-harmonize.engine.plist"


def test_a_unit_is_written_enabled_and_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install.install_service(machine(tmp_path), PYTHON)
    assert (tmp_path / UNIT).is_file()
    steps = ["daemon-reload", "enable painterly-harmonize.service", "restart painterly-harmonize.service"]
    assert asked(tmp_path) == [f"systemctl --user {step}" for step in steps]
    assert "starts at each login" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    python = tmp_path / "Ada's a=100% $HOME" / "python"
    python.parent.mkdir()
    python.symlink_to(shutil.which("true") or "/bin/true")
    install.install_service(machine(tmp_path), python)
    command = ["systemd-analyze", "--user", "verify", str(tmp_path / UNIT)]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    checked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_a_units_words_survive_whatever_is_in_them(tmp_path: Path) -> None:
    here = machine(tmp_path, PAINTERLY_DATA_DIR='/with "quotes"\\and 5% of $HOME')
    lines = (
        install.service_text(here, install.service_command(PYTHON, "*:5599"), tmp_path / "log").decode().splitlines()
    )
    words = ["/some where/with $$HOME & 100%%/bin/python", "-m", "painterly_engine.service", "--listen", "*:5599"]
    assert 'ExecStart=/bin/sh "-c" "exec \\"$$@\\"" "sh" ' + " ".join(f'"{word}"' for word in words) in lines
    assert 'Environment="PAINTERLY_DATA_DIR=/with \\"quotes\\"\\\\and 5%% of $HOME"' in lines, "a plain dollar here"
    assert "Restart=on-failure" in lines, "not after an engine that found another one running"
    assert not any("idle-exit" in line for line in lines)


def test_a_studios_engine_gets_what_painterly_serve_takes(tmp_path: Path) -> None:
    asked_for = install.parser().parse_args(["--listen", "*:5599", "--serve=--workers 1:8 --gpus-each 1"])
    install.install_service(machine(tmp_path), PYTHON, asked_for.listen, asked_for.serve)
    written = (tmp_path / UNIT).read_text(encoding="utf-8")
    assert '"--listen" "*:5599" "--workers" "1:8" "--gpus-each" "1"' in written


def test_an_agent_is_written_and_loaded_on_a_mac(tmp_path: Path) -> None:
    install.install_service(machine(tmp_path, "darwin", PAINTERLY_KEYS_DIR="/k"), PYTHON, "*:5599")
    agent = plistlib.loads((tmp_path / AGENT).read_bytes())
    assert agent["ProgramArguments"] == [str(PYTHON), "-m", "painterly_engine.service", "--listen", "*:5599"]
    assert agent["EnvironmentVariables"] == {"PAINTERLY_KEYS_DIR": "/k"}
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["StandardErrorPath"] == str(tmp_path / "log" / "service.log")
    assert [line.split()[1] for line in asked(tmp_path)] == ["bootout", "bootstrap"]


def test_a_session_that_cannot_be_asked_gets_the_file_and_the_user_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install.install_service(machine(tmp_path, status=1), PYTHON)
    assert (tmp_path / UNIT).is_file()
    assert "systemctl --user enable painterly-harmonize.service" in capsys.readouterr().out


@pytest.mark.parametrize(("platform", "file"), [("linux", UNIT), ("darwin", AGENT)])
def test_uninstalling_stops_and_removes_it(tmp_path: Path, platform: str, file: str) -> None:
    here = machine(tmp_path, platform)
    assert not install.uninstall_service(here)
    install.install_service(here, PYTHON)
    (tmp_path / "asked").unlink()
    assert install.uninstall_service(here)
    assert not (tmp_path / file).exists()
    assert any("disable --now" in line or "bootout" in line for line in asked(tmp_path))


def test_where_there_are_no_services_it_is_said_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(install.InstallError, match="cannot be installed as a service"):
        install.service_file(machine(tmp_path, "win32"))
    assert not install.uninstall_service(machine(tmp_path, "win32"))
