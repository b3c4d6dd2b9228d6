"""Telling a lack of memory from a defect, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
SHARE = 0.8
"""Of what is free: the rest is for what cannot be counted."""


def is_out_of_memory(error: Exception) -> bool:
    """torch says it in three ways: its own class on devices, a RuntimeError of the CPU's allocator, MemoryError."""
    name, text = type(error).__name__, str(error)
    cpu = isinstance(error, RuntimeError) and ("can't allocate memory" in text or "not enough memory" in text)
    return isinstance(error, MemoryError) or name == "OutOfMemoryError" or cpu


def with_less(attempt: Callable[[S], T], settings: S, less: S | None) -> tuple[T, S]:
    """An attempt, and where memory runs out one more with less, if there is less.

    Returns:
        What came of it, and of which settings.
    """
    try:
        return attempt(settings), settings
    except (MemoryError, RuntimeError) as error:
        if less is None or not is_out_of_memory(error):
            raise
    # Only here is the error gone, and with it what it has filled the memory with.
    return attempt(less), less


def too_much(asked: int, used: int) -> str:
    """A sentence for the user about working sizes in pixels."""
    return f"There is not enough memory for a working size of {asked} px, so {used} px were used."
