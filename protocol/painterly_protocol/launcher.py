"""Finding the engine or starting it: detached, with a clean environment, and only one however many clients race.

The race is decided by the engine itself (an exclusive lock in the runtime folder): a loser ends quietly, and its client
connects to the winner.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from painterly_protocol import paths, remote, sandbox
from painterly_protocol.client import EngineClient, connect
from painterly_protocol.environment import clean_environment
from painterly_protocol.errors import ErrorCode, PainterlyError

START_LOG = "engine-start.log"
POLL_S = 0.1
HANDSHAKE_S = 2.0
REMOTE_HANDSHAKE_S = 10.0
GIST_LINES = 3
NOTHING = "it said nothing."
ADVICE = "Start it with “painterly serve” in a terminal to see why, or run install.py again."

# Where the folders of ``paths`` are moved to.
_FOLDERS = ("PAINTERLY_RUNTIME_DIR", "PAINTERLY_DATA_DIR", "PAINTERLY_LOG_DIR", "PAINTERLY_KEYS_DIR")

_WINDOWS_DETACHED = 0x08000208  # CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | DETACHED_PROCESS


def ensure_engine(
    command: Sequence[str],
    runtime_dir: Path | None = None,
    timeout_s: float = 60.0,
    on_wait: Callable[[float], None] = lambda _seconds: None,
    client: str = "painterly_protocol",
) -> EngineClient:
    """Connect to the running engine, or start one with ``command`` and connect to that.

    Args:
        command: argv of the engine; ``PAINTERLY_RUNTIME_DIR`` tells it ``runtime_dir`` where one is given.
        on_wait: called about every ``POLL_S`` while waiting, with the seconds waited so far; what it raises ends the
            waiting (the engine goes on starting).

    Where a ticket to an engine on another machine is in use, that engine is meant and none is started.

    Raises:
        PainterlyError: ENGINE_START_FAILED, or what ``connect`` raises (ENGINE_ABSENT only of an engine elsewhere).
    """
    if remote.in_use(runtime_dir or paths.runtime_dir()) is not None:
        return connect(runtime_dir, REMOTE_HANDSHAKE_S, client)
    running = _connect_if_running(runtime_dir, client)
    if running is not None:
        return running
    started = time.monotonic()
    process = spawn(command, runtime_dir)
    while (waited := time.monotonic() - started) < timeout_s:
        running = _connect_if_running(runtime_dir, client)
        if running is not None:
            return running
        # Status 0 is the loser of a race: the winner is about to publish itself.
        if process.poll() not in (None, 0):
            raise _start_failed(f"It ended at once: {_last_words(paths.log_dir() / START_LOG)}")
        on_wait(waited)
        time.sleep(POLL_S)
    raise _start_failed(f"It did not answer within {timeout_s:.0f} s.")


def spawn(command: Sequence[str], runtime_dir: Path | None = None) -> subprocess.Popen[bytes]:
    """Start ``command`` so that it outlives this process, its terminal and its GIMP; output goes to ``START_LOG``.

    Raises:
        PainterlyError: ENGINE_START_FAILED, UNSAFE_FOLDER.
    """
    if not command:
        raise _start_failed("Nothing is known that would start it.")
    environment = _with_whole_folders(clean_environment(os.environ))
    if runtime_dir is not None:
        environment["PAINTERLY_RUNTIME_DIR"] = str(runtime_dir.absolute())
    try:
        log = os.open(paths.make_private(paths.log_dir()) / START_LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            return _detached(command, environment, log)
        finally:
            os.close(log)
    except OSError as error:
        raise _start_failed(f"{error.filename}: {error.strerror}.") from error


def _detached(command: Sequence[str], environment: Mapping[str, str], log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        sandbox.on_host(command, environment),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        close_fds=True,
        env=environment,
        cwd=Path(sys.executable).anchor or os.sep,
        start_new_session=sys.platform != "win32",
        creationflags=_WINDOWS_DETACHED if sys.platform == "win32" else 0,
    )


def _with_whole_folders(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with our folders absolute: the engine, started elsewhere, would look for relative ones there."""
    moved = {name: str(Path(environment[name]).absolute()) for name in _FOLDERS if environment.get(name)}
    return {**environment, **moved}


def gist(log: Path) -> str:
    """The last lines of ``log`` that say something, in one line."""
    try:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        lines = []
    return " / ".join([line for line in lines if line][-GIST_LINES:]) or NOTHING


def _last_words(log: Path) -> str:
    """The gist of ``log``, which on a full disk can be made, but stays empty."""
    try:
        with log.open("ab", buffering=0) as file:
            file.write(b"\n")
    except OSError as error:
        return f"what it said could not be written into {log.parent} ({error.strerror}); make room there."
    return gist(log)


def _connect_if_running(runtime_dir: Path | None, client: str) -> EngineClient | None:
    try:
        return connect(runtime_dir, HANDSHAKE_S, client)
    except PainterlyError as error:
        if error.code is ErrorCode.ENGINE_ABSENT:
            return None
        raise


def _start_failed(reason: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.ENGINE_START_FAILED,
        f"The engine could not be started. {reason}",
        sandbox.ADVICE if sandbox.is_flatpak() else ADVICE,
    )
