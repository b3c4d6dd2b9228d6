"""A GIMP from Flatpak has the host start the engine, where it may. Tried with a stand-in for ``flatpak-spawn``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from painterly_protocol import launcher, runtime, sandbox
from painterly_protocol.client import connect
from painterly_protocol.errors import ErrorCode, PainterlyError
from support import jobs
from support.fake_engine import wait_until
from support.real_engine import TESTS, is_alive
from support.scripted_runner import FACTORY

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Flatpak is a thing of Linux")

# The host's session knows nothing of the caller's environment, only what it is told.
SPAWN = f"""#!{sys.executable}
import os, sys
assert sys.argv[1:3] == ["--host", "--directory=/"]
rest = sys.argv[3:]
told = dict(word[6:].split("=", 1) for word in rest if word.startswith("--env="))
command = [word for word in rest if not word.startswith("--env=")]
os.execve(command[0], command, {{"HOME": os.environ["HOME"], "PYTHONPATH": {str(TESTS)!r}, **told}})
"""
REFUSED = """#!/bin/sh
echo "Portal call failed: org.freedesktop.DBus.Error.ServiceUnknown" >&2
exit 1
"""
ENGINE = [sys.executable, "-m", "painterly_engine.service", "--runner", FACTORY]


@pytest.fixture
def flatpak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the PATH for ``flatpak-spawn``; the engine that was started is stopped in the end."""
    (tmp_path / ".flatpak-info").touch()
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sandbox, "MARK", tmp_path / ".flatpak-info")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PAINTERLY_LOG_DIR", str(tmp_path / "log"))
    yield tmp_path / "bin"
    try:
        pid = runtime.read(tmp_path / "run").pid
        with connect(tmp_path / "run") as client:
            client.shutdown()
            wait_until(lambda: not is_alive(pid))
    except PainterlyError:
        return


def put(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


def test_elsewhere_a_command_stays_as_it_is() -> None:
    assert not sandbox.is_flatpak()
    assert sandbox.on_host(ENGINE, {"PAINTERLY_LOG_DIR": "/tmp"}) == ENGINE


def test_the_host_starts_the_engine_with_our_folders(flatpak: Path, tmp_path: Path) -> None:
    put(flatpak / "flatpak-spawn", SPAWN)
    with launcher.ensure_engine(ENGINE, tmp_path / "run") as client:
        assert client.run(jobs.request()).metadata["pid"]
    assert (tmp_path / "log" / "engine.log").exists()


def test_where_it_may_not_the_user_learns_what_to_do(flatpak: Path, tmp_path: Path) -> None:
    put(flatpak / "flatpak-spawn", REFUSED)
    with pytest.raises(PainterlyError) as caught:
        launcher.ensure_engine(ENGINE, tmp_path / "run")
    assert caught.value.code is ErrorCode.ENGINE_START_FAILED
    assert "ServiceUnknown" in caught.value.sentence
    assert "painterly serve" in caught.value.advice
    assert "flatpak override" in caught.value.advice
