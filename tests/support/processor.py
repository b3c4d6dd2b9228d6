"""Whether times that are measured here mean anything."""

from __future__ import annotations

import time


def own_share() -> float:
    """How much of a processor's time a program gets that asks for all of it; takes a second."""
    began, worked = time.monotonic(), time.thread_time()
    while time.monotonic() < began + 1:
        pass
    return (time.thread_time() - worked) / (time.monotonic() - began)


def is_at_rest() -> bool:
    """Whether other programs leave one processor to this one."""
    return own_share() > 0.9
