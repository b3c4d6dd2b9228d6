"""A lock between processes, let go of however its holder ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from painterly_engine.file_lock import FileLock

HOLDER = """
import pathlib, sys, time
from painterly_engine.file_lock import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]))
print(lock.try_acquire(), flush=True)
sys.stdin.read()
"""


def test_one_holds_it_until_it_lets_go(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert one.try_acquire() and one.is_ours()
    assert not other.try_acquire() and not other.is_ours()
    one.release()
    assert other.try_acquire()
    assert FileLock(tmp_path / "b.lock").try_acquire()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "a.lock")
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "a.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert not lock.try_acquire()
        holder.kill()
    assert lock.try_acquire()


def test_a_place_that_cannot_be_locked_is_no_lock_that_is_held(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        FileLock(tmp_path / "nowhere" / "a.lock").try_acquire()
