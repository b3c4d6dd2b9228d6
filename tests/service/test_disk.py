"""The fault matrix's places: disks that are full or read-only, from the start or of a sudden, and closed folders."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from painterly_protocol import runtime
from painterly_protocol.errors import ErrorCode
from painterly_protocol.launcher import ensure_engine
from support import jobs
from support.failing import caught
from support.fake_engine import wait_until
from support.real_engine import ENGINE_COMMAND, RealEngine, harmonized

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX disks, owners and modes")

REASONS = {"full": "No space left on device", "read-only": "Read-only file system"}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = Path(tempfile.mkdtemp(prefix="painterly-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "painterly-test", str(folder)], capture_output=True
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("only root may mount a small disk")
    yield folder
    while folder.is_mount():
        make_writable(folder)
    folder.rmdir()


def fill(disk: Path) -> Path:
    full = disk / "full"
    with contextlib.suppress(OSError), full.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return full


def make_read_only(disk: Path) -> None:
    """Also where files on it are open, as a disk does that has begun to fail: by a mount of it upon itself."""
    subprocess.run(["mount", "--bind", str(disk), str(disk)], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", str(disk)], check=True)


def make_writable(disk: Path) -> None:
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def spoil(disk: Path, fault: str) -> None:
    if fault == "full":
        fill(disk)
    else:
        make_read_only(disk)


# ---------------------------------------------------------------- from the start


@pytest.mark.parametrize("fault", REASONS)
def test_a_disk_that_takes_nothing_keeps_it_from_starting_with_a_sentence(small_disk: Path, fault: str) -> None:
    spoil(small_disk, fault)
    command = [sys.executable, "-m", "painterly_engine.service", "--runtime-dir", str(small_disk / "run")]
    environment = {**os.environ, "PAINTERLY_LOG_DIR": str(small_disk / "log")}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 1
    assert REASONS[fault] in ended.stderr
    assert "Make room or correct its permissions" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("fault", REASONS)
def test_such_a_disk_is_said_to_whom_the_engine_was_started_for(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """It cannot be said by the engine, whose words would have to go there."""
    monkeypatch.setenv("PAINTERLY_LOG_DIR", str(small_disk / "log"))
    (small_disk / "log").mkdir(mode=0o700)
    spoil(small_disk, fault)
    with caught(ErrorCode.ENGINE_START_FAILED) as error:
        ensure_engine(ENGINE_COMMAND, small_disk / "run")
    assert REASONS[fault] in error.value.sentence
    assert str(small_disk / "log") in error.value.sentence
    assert "Errno" not in error.value.sentence
    assert error.value.advice


@pytest.fixture
def as_a_user() -> list[str]:
    """Words before a command that keep root from writing where its modes forbid it, as everybody else is kept."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root needs “setpriv” to be refused anything")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.parametrize("closed", ["run", "log", "."])
def test_folders_that_its_user_may_not_write_into_are_named(tmp_path: Path, as_a_user: list[str], closed: str) -> None:
    """``.``: they are not there yet, and cannot be made."""
    home = tmp_path / "home"
    for folder in [home] if closed == "." else [home / "run", home / "log"]:
        folder.mkdir(mode=0o700, parents=True)
    (home / closed).chmod(0o500)
    command = [*as_a_user, sys.executable, "-m", "painterly_engine.service", "--runtime-dir", str(home / "run")]
    environment = {**os.environ, "PAINTERLY_LOG_DIR": str(home / "log")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert str(home / closed) in ended.stderr
    assert "Permission denied" in ended.stderr
    assert "correct its permissions" in ended.stderr
    assert "Traceback" not in ended.stderr


# ---------------------------------------------------------------- while it runs


def test_a_disk_that_fills_up_meanwhile_changes_nothing(small_disk: Path) -> None:
    with RealEngine(small_disk) as engine, engine.connect() as client:
        full = fill(small_disk)
        assert harmonized(client.run(jobs.request()))
        with caught(ErrorCode.WORKER_DIED):
            client.run(jobs.request("crash"))
        assert harmonized(client.run(jobs.request())), "a worker can be started without a free byte"
        (engine.runtime_dir / runtime.RUNTIME_FILE).unlink()
        assert harmonized(client.run(jobs.request()))
        full.unlink()
        wait_until(lambda: (engine.runtime_dir / runtime.RUNTIME_FILE).exists())
        with engine.connect() as another:
            assert harmonized(another.run(jobs.request()))


def test_a_disk_that_becomes_read_only_meanwhile_costs_at_most_the_next_worker(small_disk: Path) -> None:
    """No worker can be started there, for lack of a socket; the engine stays, and has one as soon as it can."""
    with RealEngine(small_disk) as engine, engine.connect() as client:
        assert harmonized(client.run(jobs.request()))
        make_read_only(small_disk)
        assert harmonized(client.run(jobs.request())), "the worker that is there goes on"
        with caught(ErrorCode.WORKER_DIED) as error:
            client.run(jobs.request("crash"))
        assert REASONS["read-only"] in error.value.sentence
        with caught(ErrorCode.WORKER_DIED) as error:
            client.run(jobs.request())
        assert error.value.advice
        make_writable(small_disk)
        assert harmonized(client.run(jobs.request()))
        make_read_only(small_disk)
        engine.process.send_signal(signal.SIGTERM)
        assert engine.process.wait(60) == 0, "it ends in order, too"
