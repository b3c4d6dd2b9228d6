"""Telling a lack of memory from a defect."""

from __future__ import annotations


def is_out_of_memory(error: Exception) -> bool:
    """torch says it in three ways: its own class on devices, a RuntimeError of the CPU's allocator, MemoryError."""
    name, text = type(error).__name__, str(error)
    cpu = isinstance(error, RuntimeError) and ("can't allocate memory" in text or "not enough memory" in text)
    return isinstance(error, MemoryError) or name == "OutOfMemoryError" or cpu
