"""What a worker runs: a factory, named ``module:function``, makes a Runner once; the Runner runs job after job.

The indirection lets the service's tests use scripted runners that need no torch.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, cast

from painterly_protocol.pixels import Pixels
from painterly_protocol.request import HarmonizeRequest

if TYPE_CHECKING:
    from painterly_engine.progress import Observer

DEFAULT_FACTORY = "painterly_engine.service.runner:harmonizing_runner"


class Outcome(Protocol):
    """What ``job.Harmonized`` is: the picture in its box, and msgpack-plain metadata."""

    @property
    def x(self) -> int: ...
    @property
    def y(self) -> int: ...
    @property
    def picture(self) -> Pixels: ...
    @property
    def metadata(self) -> dict[str, object]: ...


Runner = Callable[[HarmonizeRequest, "Observer"], Outcome]


def load_factory(name: str) -> Callable[[], Runner]:
    """``module:function`` → the function."""
    module, _, function = name.partition(":")
    return cast(Callable[[], Runner], getattr(importlib.import_module(module), function))


def harmonizing_runner() -> Runner:
    """The real one: the algorithm, on the device asked for, with the last network kept warm. A device that is not there
    is every job's failure, which says so."""
    # Metal lacks a few operations: those run on the processor. Heeded only before torch is loaded.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

    from painterly_engine.device import be_careful, choose
    from painterly_engine.job import run_request
    from painterly_engine.network.shelf import NetworkShelf
    from painterly_engine.service.interrupt import watch
    from painterly_engine.service.observer import JobObserver

    be_careful()
    shelf_of = lru_cache(NetworkShelf)

    def run(request: HarmonizeRequest, observer: Observer) -> Outcome:
        shelf = shelf_of(choose())
        with ExitStack() as watched:
            if isinstance(observer, JobObserver):
                watch(watched, request, observer, shelf.device)
            return run_request(request, shelf, observer)

    return run
