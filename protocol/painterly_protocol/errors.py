"""Errors a user may see: a stable code, one sentence that says what is wrong, one that says what to do."""

from __future__ import annotations

from enum import Enum


class ErrorCode(str, Enum):
    """Stable names for programs; the wording of sentence and advice may change, these do not."""

    BAD_REQUEST = "bad-request"
    EMPTY_MASK = "empty-mask"
    SIZE_MISMATCH = "size-mismatch"
    UNREADABLE_FILE = "unreadable-file"
    WEIGHTS_MISSING = "weights-missing"
    WEIGHTS_CORRUPT = "weights-corrupt"
    OUT_OF_MEMORY = "out-of-memory"
    CANCELLED = "cancelled"
    WORKER_DIED = "worker-died"
    ENGINE_ABSENT = "engine-absent"
    ENGINE_START_FAILED = "engine-start-failed"
    ENGINE_GONE = "engine-gone"
    VERSION_MISMATCH = "version-mismatch"
    UNSAFE_FOLDER = "unsafe-folder"
    QUEUE_FULL = "queue-full"
    OVER_LIMIT = "over-limit"
    NOT_FINITE = "not-finite"
    NOT_ADMITTED = "not-admitted"
    INTERNAL = "internal"


class PainterlyError(Exception):
    """The one exception that crosses module borders on its way to a user.

    ``str(error)`` is sentence and advice, fit for a dialog or a terminal.
    """

    def __init__(self, code: ErrorCode, sentence: str, advice: str = "") -> None:
        super().__init__(f"{sentence} {advice}".strip())
        self.code = code
        self.sentence = sentence
        self.advice = advice
