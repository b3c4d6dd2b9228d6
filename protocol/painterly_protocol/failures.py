"""The engine's Failure as the exception that stands for it, and back."""

from __future__ import annotations

from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Failure


def failure_error(failure: Failure) -> PainterlyError:
    """The exception that stands for the engine's ``failure``."""
    known = {code.value: code for code in ErrorCode}
    return PainterlyError(known.get(failure.code, ErrorCode.INTERNAL), failure.sentence, failure.advice)


def failure_of(error: PainterlyError, job_id: str = "") -> Failure:
    """What says ``error`` to the other side."""
    return Failure(job_id, error.code.value, error.sentence, error.advice)
