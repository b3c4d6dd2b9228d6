"""What tests of failures and of conversations share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from painterly_protocol.client import EngineClient
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import EngineMessage


@contextmanager
def caught(code: ErrorCode) -> Iterator[pytest.ExceptionInfo[PainterlyError]]:
    """As ``pytest.raises``, for a PainterlyError with this code and something to read."""
    with pytest.raises(PainterlyError) as info:
        yield info
    assert info.value.code is code
    assert info.value.sentence


def hear(client: EngineClient, messages: list[EngineMessage]) -> list[EngineMessage]:
    """Add what arrives within a moment to ``messages``, and return them."""
    messages += client.events(0.1)
    return messages


@contextmanager
def no_room(least: int = 1000) -> Iterator[None]:
    """No file may become larger than ``least`` bytes in here: what is written beyond is refused as by a full disk."""
    if sys.platform == "win32":
        pytest.skip("Windows limits no file's size")
    import resource

    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (least, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
