"""``install.py --service``: a systemd unit or launchd agent that starts this checkout's engine, and its removal."""

from __future__ import annotations

import contextlib
import os
import plistlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from painterly_protocol.client import connect
from painterly_protocol.errors import PainterlyError
from support.fake_engine import wait_until
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


# ---------------------------------------------------------------- a real systemd

# A manager of a user's session as a login starts one, in a control group of its own; and, in a mount namespace of its
# own, the folder that tells it that systemd is there.
_SESSION = """
mkdir "$1" && echo $$ > "$1/cgroup.procs" && mount -t tmpfs none /run && mkdir -p /run/systemd/system &&
exec "$2" --user
"""


class Login:
    """A session of ``home``'s user; a context manager, over when left."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "session"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        # What a session knows nothing of, the engine has from its unit or not at all.
        self.environment = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_RUNTIME_DIR")}

    def __enter__(self) -> Login:
        groups = Path("/sys/fs/cgroup")
        self.group = next(each for each in (groups / "systemd", groups) if each.is_dir()) / self.folder.parent.name
        manager = next(
            (each for each in ("/usr/lib/systemd/systemd", "/lib/systemd/systemd") if Path(each).exists()), ""
        )
        command = ["unshare", "--mount", "sh", "-c", _SESSION, "sh", str(self.group), manager]
        self.process = subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: self.is_up() or self.process.poll() is not None)
        except BaseException:
            self.__exit__()
            raise
        if self.process.poll() is not None:
            self._clean()
            pytest.skip("no session of systemd's can be had here")
        return self

    def is_up(self) -> bool:
        return self.asked("is-active", "default.target") == "active"

    def asked(self, *words: str) -> str:
        """What systemctl answers."""
        command = ["systemctl", "--user", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout.strip()

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._clean()

    def _clean(self) -> None:
        for group in sorted(self.group.rglob("*/"), reverse=True) if self.group.is_dir() else []:
            group.rmdir()
        with contextlib.suppress(FileNotFoundError):
            self.group.rmdir()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With a path short enough for sockets, and folders of ours in it."""
    if sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, ("systemctl", "unshare", "mount"))):
        pytest.skip("needs root and systemd's programs")
    with tempfile.TemporaryDirectory(prefix="painterly-home-") as name:
        for each in ("RUNTIME", "LOG", "DATA", "KEYS"):
            monkeypatch.setenv(f"PAINTERLY_{each}_DIR", f"{name}/{each.lower()}")
        for each, where in (("HOME", name), ("XDG_RUNTIME_DIR", f"{name}/session")):
            monkeypatch.setenv(each, where)
        for each in ("XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS"):
            monkeypatch.delenv(each, raising=False)
        yield Path(name)


def test_a_real_systemd_starts_it_at_login_and_again_when_it_was_killed_and_lets_it_go(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Login(home):
        here = install.Machine("linux", home, dict(os.environ), home)
        install.install_service(here, Path(sys.executable), options="--workers 0:1")
        assert "The engine runs, and starts at each login." in capsys.readouterr().out
        wait_until(lambda: engine_pid(home))
        killed = engine_pid(home)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: engine_pid(home) not in (0, killed))
    assert engine_pid(home) == 0, "it ends with the session"
    with Login(home) as login:
        wait_until(lambda: engine_pid(home))
        with connect(home / "runtime", timeout_s=30) as client:
            client.shutdown()
        wait_until(lambda: login.asked("is-active", install.UNIT) == "inactive")
        assert engine_pid(home) == 0, "who stops it wants it stopped"
        assert login.asked("show", "--property=NRestarts", install.UNIT) == "NRestarts=0"
        here = install.Machine("linux", home, dict(os.environ), home)
        install.install_service(here, Path(sys.executable))
        wait_until(lambda: engine_pid(home))
        assert install.uninstall_service(here)
        assert engine_pid(home) == 0
        assert login.asked("is-enabled", install.UNIT) != "enabled"


def engine_pid(home: Path) -> int:
    """Of the engine that answers in the folders of ``home``; 0 where none does."""
    try:
        with connect(home / "runtime", timeout_s=5) as client:
            return client.welcome.pid
    except PainterlyError:
        return 0
