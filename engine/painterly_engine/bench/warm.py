"""How soon an engine answers, cold and warm, and what it gives back when nobody asks: a real one, in a process of its
own, spoken to as every client does."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from painterly_engine.bench import scenes
from painterly_engine.bench.trial import ask
from painterly_protocol.client import EngineClient
from painterly_protocol.launcher import ensure_engine
from painterly_protocol.messages import EngineMessage, Progress
from painterly_protocol.request import HarmonizeRequest, Parameters

SIZE, OBJECT = 256, 140
UNLOAD_S = 2.0
PATIENCE_S = 120.0


def measure(weights: str, jobs: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """
    Args:
        weights: a network's name.
        jobs: warm ones, of which medians are told.
    """
    asked = scenes.request(
        SIZE, SIZE, OBJECT, Parameters(preset="draft", iterations=2, weights=weights, previews=False)
    )
    with _own_folders() as folder:
        tell("an engine starts")
        started = time.perf_counter()
        command = (sys.executable, "-m", "painterly_engine.service", "--idle-unload", str(UNLOAD_S))
        with ensure_engine(command, folder, PATIENCE_S) as client:
            hello = time.perf_counter() - started
            cold = _job(client, asked)
            tell("warm jobs")
            warm = [_job(client, asked) for _ in range(jobs)]
            busy = _held_below(client.welcome.pid)
            idle = _await_unloaded(client)
            client.shutdown()
    tell("the same job without an engine")
    alone = ask("beginning", {"size": SIZE, "object_side": OBJECT, "weights": weights, "jobs": jobs})
    first_word = statistics.median(job["first_word"] for job in warm)
    return {
        "hello": hello,
        "cold_first_iteration": hello + cold["first_iteration"],
        "warm_first_word": first_word,
        "warm_first_iteration": statistics.median(job["first_iteration"] for job in warm),
        "alone_first_iteration": alone["first_iteration"],
        "alone_first_features": alone["first_features"],
        "overhead": first_word + alone["first_features"],
        "held_warm": busy,
        "held_unloaded": idle,
    }


def _job(client: EngineClient, asked: HarmonizeRequest) -> dict[str, float]:
    """Seconds from submitting to the worker's first word and to the first iteration."""
    heard: dict[str, float] = {}
    submitted = time.perf_counter()

    def listen(event: EngineMessage) -> None:
        if isinstance(event, Progress):
            heard.setdefault("first_word", time.perf_counter() - submitted)
            if event.iteration:
                heard.setdefault("first_iteration", time.perf_counter() - submitted)

    client.run(asked, listen)
    return heard


def _await_unloaded(client: EngineClient) -> int | None:
    """Bytes of the engine's processes once its worker has gone."""
    deadline = time.monotonic() + UNLOAD_S + 10
    before = held = _held_below(client.welcome.pid)
    while before is not None and held is not None and held > before / 2 and time.monotonic() < deadline:
        client.events(0.2)
        held = _held_below(client.welcome.pid)
    return held


def _held_below(pid: int) -> int | None:
    """Bytes resident of a process and its children, where Linux tells it."""
    try:
        tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pages = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in (pid, *tasks)]
    except OSError:
        return None
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _own_folders() -> Iterator[Path]:
    """A runtime folder of its own, so that nobody's engine is disturbed."""
    with tempfile.TemporaryDirectory(prefix="painterly-bench-") as folder:
        before = os.environ.get("PAINTERLY_LOG_DIR")
        os.environ["PAINTERLY_LOG_DIR"] = str(Path(folder) / "log")
        try:
            yield Path(folder) / "run"
        finally:
            if before is None:
                del os.environ["PAINTERLY_LOG_DIR"]
            else:
                os.environ["PAINTERLY_LOG_DIR"] = before
