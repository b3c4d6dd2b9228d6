"""Runs Python inside a GIMP without a window, and brings back what it found.

A test's source sees everything in ``gimp_prelude.py`` and the values given to ``run``; it leaves JSON-plain values or
bytes in a variable ``result``.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.gimp_house import Profile

INSIDE = Path(__file__).with_name("gimp_inside.py")
PRELUDE = Path(__file__).with_name("gimp_prelude.py")
BATCH = ("--batch-interpreter=python-fu-eval", "-b")
_numbers = itertools.count(1)


class GimpError(AssertionError):
    """The source raised inside GIMP, or GIMP itself failed or took too long."""


def run(profile: Profile, source: str, timeout: float, values: Mapping[str, object]) -> Any:
    """Run ``source`` in a new gimp-console of ``profile``.

    GIMP's exit code alone says little (a failing plug-in call still ends with 0), so three things must hold: exit code
    0, an answer written by the source's own process, and no error in it.

    Raises:
        GimpError: with the traceback from inside and the end of GIMP's stderr.
    """
    job = Job(profile.folder, source, values)
    console = ["gimp-console", "-i", "-d", "-f", "-s", "--quit", *BATCH, job.batch]
    with job.log.open("wb") as log:
        process = profile.popen(console, stdout=log, stderr=log)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise GimpError(f"GIMP took longer than {timeout} s\n{job.log_tail()}") from None
    if code != 0:
        raise GimpError(f"GIMP ended with exit code {code}\n{job.failure()}\n{job.log_tail()}")
    return job.result()


class Job:
    """One source on its way into GIMP and its answer on the way back, as files of the profile."""

    def __init__(self, folder: Path, source: str, values: Mapping[str, object]) -> None:
        name = f"job-{next(_numbers)}"
        self.answer = folder / f"{name}.answer"
        self.log = folder / f"{name}.log"
        self.order = folder / f"{name}.order"
        self._batch = folder / f"{name}.py"
        order = {"source": source, "values": values, "answer": str(self.answer)}
        write_whole(self.order, json.dumps(order, default=_encode))
        self._batch.write_text(f"{INSIDE.read_text()}\nwork({str(self.order)!r}, {PRELUDE.read_text()!r})\n")

    @property
    def batch(self) -> str:
        """The one line for ``gimp -b``."""
        return f"exec(open({str(self._batch)!r}).read())"

    def result(self) -> Any:
        """What the source left in ``result``.

        Raises:
            GimpError: it raised, or never got so far as to answer.
        """
        if failure := self.failure():
            raise GimpError(f"{failure}\n{self.log_tail()}")
        return self._answered()["result"]

    def failure(self) -> str:
        """The traceback from inside, or a word on the answer's absence; "" where all went well."""
        if not self.answer.exists():
            return "no answer came from inside GIMP"
        return str(self._answered().get("error", ""))

    def log_tail(self) -> str:
        """The end of what GIMP printed."""
        return "GIMP printed:\n" + self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def _answered(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.answer.read_text(), object_hook=_decode)
        return answer


def write_whole(path: Path, text: str) -> None:
    """Write ``path`` so that a reader sees all of it or nothing."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def _encode(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"__bytes__": base64.b64encode(value).decode()}
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot travel into GIMP")


def _decode(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["__bytes__"]) if value.keys() == {"__bytes__"} else value
