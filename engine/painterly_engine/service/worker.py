"""The process that computes: receives one job at a time, answers with Progress, Preview, and a Result or a Failure.

Started by the server as ``python -m painterly_engine.service.worker``; ends when the server does.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

import zmq

from painterly_engine import __version__
from painterly_engine.service.line import LineAddress, join_line
from painterly_engine.service.log import event, log_to_file, told
from painterly_engine.service.memory import bound_memory
from painterly_engine.service.observer import Channel, JobCancelled, JobObserver
from painterly_engine.service.runner import DEFAULT_FACTORY, Runner, load_factory
from painterly_engine.shortage import is_out_of_memory
from painterly_engine.soundness import check_result
from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.failures import failure_of
from painterly_protocol.messages import Failure, Hello, Result, Submit

LOG_FILE = "worker.log"
_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runner", default=DEFAULT_FACTORY, metavar="MODULE:FUNCTION")
    parser.add_argument("--memory", type=int, metavar="BYTES")
    parser.add_argument("--log", default=LOG_FILE, metavar="NAME")
    arguments = parser.parse_args(argv)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal is the server's business
    log_to_file(arguments.log)
    address = LineAddress.from_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    event(_log, "worker-starts", version=__version__)
    runner = load_factory(arguments.runner)()
    if arguments.memory is not None:
        bound_memory(arguments.memory)
    line = join_line(zmq.Context(), address)
    line.send(Hello("worker"))
    while True:
        received = line.receive_frames(timeout_ms=-1)
        if received is None:
            continue
        message, frames = received
        # A Cancel here came too late: its job has ended.
        if isinstance(message, Submit):
            line.send_frames(answer(runner, message, frames, line))


def _end_with_parent() -> None:
    """The server holds the other end of standard input and never writes again: an end of file means it is gone."""
    while os.read(0, 1):  # not sys.stdin, whose lock would stop the interpreter from ending in order
        pass
    os._exit(0)


def answer(runner: Runner, submit: Submit, frames: Sequence[wire.Buffer], line: Channel) -> list[wire.Buffer]:
    """Run the job that came as ``frames``; whatever happens becomes a Result or a Failure, as frames."""
    try:
        wire.verify(frames)
        outcome = runner(submit.request, JobObserver(line, submit))
        result = Result(submit.job_id, outcome.x, outcome.y, outcome.picture, outcome.metadata)
        check_result(result, submit.request)
        return _sendable(result)
    except JobCancelled:
        failure = Failure(submit.job_id, ErrorCode.CANCELLED.value, "The job was cancelled.")
    except PainterlyError as error:
        event(_log, "job-failed", job=submit.job_id, code=error.code.value, sentence=str(error))
        failure = failure_of(error, submit.job_id)
    # Everything else is a defect or the lack of memory; the job ends, the worker lives on for the next one.
    except Exception as error:
        _log.exception("%s", told("job-failed", job=submit.job_id))
        failure = _unexpected(error, submit.job_id)
    return wire.encode(failure)


def _sendable(result: Result) -> list[wire.Buffer]:
    try:
        return wire.encode(result)
    except PainterlyError as error:
        # Not the request is bad, as the error would have it, but the runner.
        raise TypeError(str(error)) from error


def _unexpected(error: Exception, job_id: str) -> Failure:
    if is_out_of_memory(error):
        return Failure(
            job_id,
            ErrorCode.OUT_OF_MEMORY.value,
            "There is not enough memory for this job.",
            "Choose a smaller size, or close other programs.",
        )
    return Failure(
        job_id,
        ErrorCode.INTERNAL.value,
        f"The engine met an error of its own ({type(error).__name__}).",
        f"Please report it; the details are in {LOG_FILE}, which “painterly doctor” finds.",
    )


if __name__ == "__main__":
    main()
