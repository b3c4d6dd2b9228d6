"""Programs of the engine that the plug-in runs: by the engine's own Python, and without a window of their own."""

from __future__ import annotations

import os
import subprocess
import sys

from painterly_plugin.config import REPAIR, Config
from painterly_plugin.language import _
from painterly_protocol import sandbox
from painterly_protocol.environment import clean_environment
from painterly_protocol.errors import ErrorCode, PainterlyError

# Windows opens a console for a program that is started without one, as from GIMP: CREATE_NO_WINDOW.
FLAGS = 0x08000000 if sys.platform == "win32" else 0


def start(
    config: Config,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.STDOUT,
) -> subprocess.Popen[bytes]:
    """Run the Python that the engine is installed in with ``arguments``.

    Raises:
        PainterlyError: ENGINE_START_FAILED.
    """
    environment = clean_environment(os.environ)
    try:
        return subprocess.Popen(
            sandbox.on_host([config.engine_command[0], *arguments], environment),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            creationflags=FLAGS,
        )
    except OSError as error:
        raise could_not_run(error) from error


def could_not_run(error: Exception) -> PainterlyError:
    return PainterlyError(
        ErrorCode.ENGINE_START_FAILED,
        _("The engine's program could not be run: {error}.").format(error=error),
        REPAIR,
    )
