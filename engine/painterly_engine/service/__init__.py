"""The engine as a process: an I/O loop that always answers, and a worker process that computes.

Only the worker imports torch. ``main`` is what ``painterly serve`` runs.
"""

from painterly_engine.service.command import main

__all__ = ["main"]
