"""``painterly serve|stop``, and running a job in the engine."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from painterly_engine.cli import keys, metrics, status
from painterly_engine.cli.status import CLIENT
from painterly_engine.service import command
from painterly_protocol.client import EngineClient, connect, stop_whatever_version
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.failures import failure_error
from painterly_protocol.launcher import ensure_engine
from painterly_protocol.messages import EngineMessage, Failure, Priority, Result
from painterly_protocol.request import HarmonizeRequest

IDLE_EXIT_S = "3600"  # an engine started for one job stays an hour for the next
START_COMMAND = (sys.executable, "-m", "painterly_engine.service", "--idle-exit", IDLE_EXIT_S)
STOPPING_S = 15.0


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serve = commands.add_parser("serve", help="run the engine in the foreground")
    serve.set_defaults(run=command.run)
    command.add_arguments(serve)
    commands.add_parser("stop", help="stop the engine").set_defaults(run=stop)
    for module in (status, metrics, keys):
        module.add_parsers(commands)


def run_in_engine(
    request: HarmonizeRequest, on_event: Callable[[EngineMessage], None], priority: Priority = Priority.NORMAL
) -> Result:
    """Run the job in the running engine, or in one started for it, which stays for the next job.

    Raises:
        PainterlyError: what the job ended in, or what keeps the engine from running.
    """
    with engine() as client:
        return client.run(request, on_event, priority=priority)


def engine() -> EngineClient:
    """The running engine, or one started now.

    Raises:
        PainterlyError: what keeps the engine from running.
    """
    return ensure_engine(START_COMMAND, on_wait=StartNotice(), client=CLIENT)


class StartNotice:
    """Says once that the engine is being started."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, _seconds: float) -> None:
        if not self._said:
            print("starting the engine", file=sys.stderr, flush=True)
        self._said = True


def stop(_: argparse.Namespace) -> int:
    try:
        client = connect(client=CLIENT)
    except PainterlyError as error:
        if error.code is ErrorCode.VERSION_MISMATCH:
            return _stop_other_version()
        if error.code is not ErrorCode.ENGINE_ABSENT:
            raise
        print("No engine is running.")
        return 0
    with client:
        client.shutdown()
        _await_end(client)
    print("The engine has stopped.")
    return 0


def _stop_other_version() -> int:
    if not stop_whatever_version():
        raise PainterlyError(
            ErrorCode.INTERNAL, "The engine was told to stop but has not.", "Wait, or end its process."
        )
    print("The engine, of another version, has stopped.")
    return 0


def _await_end(client: EngineClient) -> None:
    """Return once the engine has hung up.

    Raises:
        PainterlyError: INTERNAL when it does not.
    """
    deadline = time.monotonic() + STOPPING_S
    try:
        while time.monotonic() < deadline:
            for message in client.events(1.0):
                if isinstance(message, Failure) and not message.job_id:
                    raise failure_error(message)
    except PainterlyError as error:
        if error.code is ErrorCode.ENGINE_GONE:
            return
        raise
    raise PainterlyError(
        ErrorCode.INTERNAL,
        f"The engine (process {client.welcome.pid}) was told to stop but has not.",
        "Wait, or end the process.",
    )
