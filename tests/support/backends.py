"""The two pools of workers that the service's tests run against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Backend:
    """
    Attributes:
        options: of ``painterly serve``.
        worker_logs: where its workers write, if not beside the engine.
    """

    name: str
    options: tuple[str, ...] = ()
    worker_logs: Path | None = None


LOCAL = Backend("local")
