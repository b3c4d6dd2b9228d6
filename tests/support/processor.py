"""Whether times that are measured here mean anything."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor


def own_share() -> float:
    """How much of a processor's time a program gets that asks for all of it; takes a second."""
    began, worked = time.monotonic(), time.thread_time()
    while time.monotonic() < began + 1:
        pass
    return (time.thread_time() - worked) / (time.monotonic() - began)


def is_at_rest() -> bool:
    """Whether other programs leave all processors to this one, which the engine's threads share."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(own_share) for _processor in range(count)]
        return min(share.result() for share in asked) > 0.9
