"""``painterly`` that halts once it has said certain words, so that a test can kill it there, however late it hears."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

_HALTING = """
import sys, threading
from painterly_engine.cli.main import main

class Halting:
    def __init__(self, stream, words):
        self.stream, self.words, self.line = stream, words, ""

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        self.stream.write(text)
        self.stream.flush()
        self.line = self.line.rpartition("\\n")[2] + text
        if self.words in self.line and self.line.endswith("\\n"):
            threading.Event().wait()

sys.stderr = Halting(sys.stderr, sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""


def killed_after(words: str, *arguments: str | Path) -> None:
    """Run ``painterly`` with ``arguments`` until it says ``words`` on stderr, and kill it.

    Raises:
        AssertionError: it never said them.
    """
    command = [sys.executable, "-c", _HALTING, words, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if words in line:
                process.kill()
        assert process.wait() == -signal.SIGKILL, "".join(said)
