"""Telling a lack of memory from a defect, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
WORDS = ("can't allocate memory", "not enough memory", "could not create a primitive")
"""The last is oneDNN's, which says no more; what we ask of it is never anything that it cannot do."""
SHARE = 0.8
"""Of what is free: the rest is for what cannot be counted."""


def is_out_of_memory(error: Exception) -> bool:
    """torch says it in four ways: its own class on devices, RuntimeErrors of the CPU's allocator and of oneDNN's, and
    MemoryError."""
    name, text = type(error).__name__, str(error)
    cpu = isinstance(error, RuntimeError) and any(words in text for words in WORDS)
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
    """A sentence for the user about working sizes in pixels, such as the object's surroundings really can have."""
    return f"There is not enough memory for a working size of {asked} px, so {used} px were used."
