"""The engine seen from outside a job: its state, stopping it, its networks, and a report for whoever shall help.

Nothing in here touches GIMP; everything may take seconds and belongs into an ``Errand``.
"""

from __future__ import annotations

import getpass
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from painterly_plugin import programs, ways
from painterly_plugin.config import Config
from painterly_plugin.language import _
from painterly_protocol import paths
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Status

T = TypeVar("T")
END_S = 15.0  # how long an engine may take to end
QUESTION_S = 60.0  # how long the engine's command line may take for an answer: it loads torch
POLL_S = 0.1
LOG_LINES = 40
VISIT = "event=client-connects"
_LINE = re.compile(r"^\d{4}-\d\d-\d\d (?P<clock>[\d:]{8}),\d+ \d+ (?P<level>[A-Z]+) \S+: (?P<rest>.*)$")
_PERCENT = re.compile(r"(\d{1,3})%")
_DEVICE = re.compile(r"^\S+\s+device\s+(.+)$", re.MULTILINE)
_NETWORK = re.compile(r"^(\S+)\s+((?:not here|missing or damaged|\d).*)$")


class Errand(Generic[T]):
    """Runs ``work`` in a thread of its own; ``outcome`` is None until it is done."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.outcome: T | Exception | None = None
        self._thread = threading.Thread(target=self._run, name="painterly-errand", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.outcome = self._work()
        except Exception as error:
            self.outcome = error


@dataclass(frozen=True)
class Network:
    """A feature network the engine knows of; ``state`` is its size and more, or says that it is not here, or damaged
    and what to do."""

    name: str
    state: str
    is_here: bool


def status(config: Config) -> Status | None:
    """What the running engine says of itself; None where none runs on this machine.

    Raises:
        PainterlyError: it runs but does not answer, speaks another version, or is elsewhere and not to be reached.
    """
    try:
        with ways.connect(config) as client:
            return client.status()
    except PainterlyError as error:
        if error.code is ErrorCode.ENGINE_ABSENT and not ways.elsewhere(config):
            return None
        raise


def stop(config: Config) -> None:
    """End the running engine, of whatever version, and wait until it is gone.

    Raises:
        PainterlyError: ENGINE_GONE where it does not end, NOT_ADMITTED where it is on another machine.
    """
    if ways.elsewhere(config):
        raise PainterlyError(ErrorCode.NOT_ADMITTED, "Only its keeper may stop this engine.", "Ask them.")
    try:
        has_ended = _stop_by_zmq(config) if ways.has_zmq() else _stop_by_bridge(config)
    except PainterlyError as error:
        if error.code is ErrorCode.ENGINE_ABSENT:
            return
        raise
    if not has_ended:
        raise PainterlyError(
            ErrorCode.ENGINE_GONE,
            _("The engine does not stop."),
            _("End its process, or restart the computer, and try again."),
        )


def _stop_by_zmq(config: Config) -> bool:
    from painterly_protocol.client import stop_whatever_version

    return stop_whatever_version(config.runtime_dir, END_S)


def _stop_by_bridge(config: Config) -> bool:
    with ways.connect(config) as client:
        client.shutdown()
        deadline = time.monotonic() + END_S
        try:
            while time.monotonic() < deadline:
                client.events(POLL_S)
        except PainterlyError:
            return True  # it has hung up
    return False


def describe_status(found: Status | None) -> Mapping[str, str]:
    """The state for people, line by line: what → how."""
    if found is None:
        return {"state": "absent"}
    lines = {"state": found.state.value, "queued": str(found.queued)}
    return lines | {str(name): str(value) for name, value in found.details.items() if value is not None}


# ---------------------------------------------------------------- the engine's command line


def networks(config: Config) -> list[Network]:
    """What ``painterly weights list`` shows.

    Raises:
        PainterlyError: ENGINE_START_FAILED where the engine is not installed.
    """
    found = (_NETWORK.match(line) for line in ask(config, "weights", "list").splitlines())
    return [Network(m[1], m[2], not m[2].startswith("not here")) for m in found if m]


def log_names(place: str) -> tuple[str, ...]:
    """The logs that tell of what is going on, with the engine ``elsewhere`` at ``place`` or, "", on this machine."""
    return ("plug-in.log",) if place else ("engine.log", "worker.log", "plug-in.log")


def device(config: Config) -> str:
    """What the engine computes on, as ``painterly doctor`` says it; "" where it does not.

    Raises:
        PainterlyError: ENGINE_START_FAILED where the engine is not installed.
    """
    found = _DEVICE.search(ask(config, "doctor"))
    return found[1].strip() if found else ""


def ask(config: Config, *arguments: str) -> str:
    """What a short command of the engine prints.

    Raises:
        PainterlyError: ENGINE_START_FAILED.
    """
    process = _command(config, *arguments)
    try:
        answer, _nothing = process.communicate(timeout=QUESTION_S)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise programs.could_not_run(error) from error
    return answer.decode(errors="replace")


def _command(config: Config, *arguments: str) -> subprocess.Popen[bytes]:
    """The engine's ``painterly`` command."""
    return programs.start(config, "-m", "painterly_engine.cli", *arguments)


class Download:
    """``painterly weights fetch`` for one network; ``cancel`` keeps what has arrived for the next time."""

    def __init__(self, config: Config, name: str) -> None:
        self.fraction = 0.0
        self.is_cancelled = False
        self.outcome: str | None = None
        try:
            self._process = _command(config, "weights", "fetch", name)
        except PainterlyError as error:
            self.outcome = str(error)
            return
        threading.Thread(target=self._follow, name="painterly-download", daemon=True).start()

    def cancel(self) -> None:
        """Stop downloading."""
        self.is_cancelled = True
        self._process.terminate()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        text = ""
        while chunk := self._process.stdout.read1(4096):  # type: ignore[attr-defined]
            text = (text + chunk.decode(errors="replace"))[-4000:]
            if found := _PERCENT.findall(text):
                self.fraction = min(1.0, int(found[-1]) / 100)
        code = self._process.wait()
        lines = [line.strip().removeprefix("painterly: ") for line in re.split(r"[\r\n]", text) if line.strip()]
        self.outcome = "" if code == 0 else (lines[-1] if lines else f"exit status {code}")


# ---------------------------------------------------------------- the report


def report(config: Config, gimp_version: str, *, thorough: bool = True) -> str:
    """Everything a bug report needs, without names of folders that tell who you are."""
    parts = [
        f"Painterly Harmonize {config.version or 'unknown'}, GIMP {gimp_version}",
        f"plug-in's Python {platform.python_version()} at {sys.executable}, {platform.platform()}",
        f"engine command: {' '.join(config.engine_command)}",
        "engine: " + ", ".join(f"{name} {value}" for name, value in _state_or_error(config).items()),
    ]
    if thorough:
        parts += ["", "painterly doctor:", _answer_or_error(config)]
    for file in sorted(paths.log_dir().glob("*.log")):
        parts += ["", f"{file.name}, last lines:", *last_lines(file)]
    return redacted("\n".join(parts))


def last_lines(file: Path, count: int = LOG_LINES) -> list[str]:
    """The end of a log; [] where there is none."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    except OSError:
        return []


def readable(lines: Iterable[str]) -> list[str]:
    """Lines of the engine's log for people: without date, process and module, and without who only asked how it is."""
    return [_LINE.sub(_short, line) for line in lines if VISIT not in line]


def _short(line: re.Match[str]) -> str:
    level = "" if line["level"] == "INFO" else f"{line['level']} "
    return f"{line['clock']}  {level}{line['rest'].removeprefix('event=')}"


def redacted(text: str) -> str:
    """``text`` without the user's home folder and name."""
    for home in {str(Path.home()), str(paths.home())} - {"/"}:
        text = text.replace(home, "~")
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return text
    return re.sub(rf"\b{re.escape(name)}\b", "<user>", text) if len(name) > 2 and name != "root" else text


def _state_or_error(config: Config) -> Mapping[str, str]:
    try:
        place = ways.elsewhere(config)
        return ({"at": place} if place else {}) | dict(describe_status(status(config)))
    except PainterlyError as error:
        return {"error": str(error)}


def _answer_or_error(config: Config) -> str:
    try:
        return ask(config, "doctor")
    except PainterlyError as error:
        return str(error)
