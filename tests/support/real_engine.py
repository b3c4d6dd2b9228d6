"""The real server and worker processes, with a scripted runner in the place of the algorithm."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

from painterly_protocol.client import EngineClient, connect
from painterly_protocol.errors import PainterlyError
from painterly_protocol.listener import Transport
from painterly_protocol.messages import EngineMessage, Failure, Result
from support import jobs
from support.fake_engine import DEADLINE_S, wait_until
from support.scripted_runner import FACTORY

TESTS = Path(__file__).resolve().parent.parent
# For the launcher, which drops PYTHONPATH, rightly; the tests' own modules are found by a line of Python instead.
ENGINE_COMMAND = [
    sys.executable,
    "-c",
    f"import sys, os; os.environ['PYTHONPATH'] = {str(TESTS)!r}; "
    f"from painterly_engine.service import main; sys.exit(main(['--runner', {FACTORY!r}]))",
]


class RealEngine:
    """An engine in a process of its own; a context manager, published when entered, stopped when left."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        runner: str = FACTORY,
        transport: Transport | None = None,
        first_on_path: Path | None = None,
    ) -> None:
        self.runtime_dir = folder / "run"
        self.log_dir = folder / "log"
        endpoint = ("--endpoint", transport.value) if transport else ()
        self.command: Sequence[str] = [
            *(sys.executable, "-m", "painterly_engine.service"),
            *("--runtime-dir", str(self.runtime_dir), "--runner", runner, *endpoint, *options),
        ]
        path = os.pathsep.join(map(str, [*([first_on_path] if first_on_path else []), TESTS]))
        self.environment = {**os.environ, "PYTHONPATH": path, "PAINTERLY_LOG_DIR": str(self.log_dir)}
        self.process: subprocess.Popen[bytes] = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> RealEngine:
        wait_until(self.answers)
        return self

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            self.connect().close()
        except PainterlyError:
            return False
        return True

    def connect(self) -> EngineClient:
        return connect(self.runtime_dir, timeout_s=30.0, client="test")

    def log(self) -> str:
        file = self.log_dir / "engine.log"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def events(self, what: str) -> list[dict[str, str]]:
        """The log's lines of one event, taken apart; ``at`` is the moment in seconds."""
        found = []
        whole, _, _being_written = self.log().rpartition("\n")
        for line in whole.splitlines():
            if f"event={what}" not in line:
                continue
            day, clock, *_ = line.replace(",", ".", 1).split(" ", 2)
            pairs = dict(word.partition("=")[::2] for word in shlex.split(line) if "=" in word)
            if pairs.get("event") == what:
                found.append({**pairs, "at": str(datetime.fromisoformat(f"{day} {clock}").timestamp())})
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=DEADLINE_S)


def worker_pid(client: EngineClient) -> int:
    """Of the first worker, as soon as it is known."""
    found: list[object] = []

    def known() -> bool:
        found.append(client.status(30.0).details["worker_pid"])
        return found[-1] is not None

    wait_until(known)
    assert isinstance(found[-1], int)
    return found[-1]


def outcome(client: EngineClient, job_id: str, deadline_s: float = DEADLINE_S) -> Result | Failure:
    """Wait for the job's end; everything else that arrives is dropped."""
    return outcomes(client, job_id, deadline_s=deadline_s)[job_id]


def outcomes(client: EngineClient, *job_ids: str, deadline_s: float = DEADLINE_S) -> dict[str, Result | Failure]:
    """As ``outcome``, for jobs of which several may end at once."""
    found: dict[str, Result | Failure] = {}

    def ended() -> bool:
        found.update({m.job_id: m for m in client.events(0.1) if isinstance(m, Result | Failure)})
        return found.keys() >= set(job_ids)

    wait_until(ended, deadline_s)
    return found


def harmonized(message: EngineMessage) -> bool:
    """Whether it is the scripted runner's result for ``jobs.request``, every sample of it."""
    expected = bytes([255 - jobs.COMPOSITE_SAMPLE]) * (jobs.WIDTH * jobs.HEIGHT * 3)
    return isinstance(message, Result) and bytes(message.picture.data) == expected


def lines(file: Path) -> list[str]:
    """Of a file that a scripted job writes notes into, and that may not be there yet."""
    return file.read_text().splitlines() if file.exists() else []


def resident_kib(pid: int) -> int:
    """Memory that the process holds."""
    return _status(pid, "VmRSS")


def data_kib(pid: int) -> int:
    """Memory that the process has asked for to write into: what ``--max-memory`` bounds."""
    return _status(pid, "VmData")


def _status(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))


def is_alive(pid: int) -> bool:
    """Not a zombie, not gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
