"""Leaving a computation between any two of torch's operations, not only once an iteration."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from painterly_engine.presets import effective
from painterly_engine.service.observer import JobObserver
from painterly_protocol.messages import Phase
from painterly_protocol.request import HarmonizeRequest

EVERY_S = 0.02
WORTHWHILE_PX = 500  # longest side: below, iterations are short and looking costs up to a tenth


def watch(stack: ExitStack, request: HarmonizeRequest, observer: JobObserver, device: torch.device) -> None:
    """Until ``stack`` is left, leave the job as soon as it is cancelled: from its beginning where its iterations are
    long, else from its finish on, which works at the painting's own size."""
    painting = request.painting
    if worthwhile(effective(request.parameters).size, device):
        stack.enter_context(Interruptible(observer.look_for_cancel))
    elif worthwhile(max(painting.width, painting.height), device):
        observer.begins = lambda phase: _from_finish(stack, phase, observer)


def _from_finish(stack: ExitStack, phase: Phase, observer: JobObserver) -> None:
    if phase is Phase.FINISHING:
        stack.enter_context(Interruptible(observer.look_for_cancel))


def worthwhile(longest: int, device: torch.device) -> bool:
    """Whether something between two looks may take longer than somebody who cancels likes to wait.

    Args:
        longest: side of the picture that is worked on, px.
        device: a GPU is quick, and would wait for every look.
    """
    return longest >= WORTHWHILE_PX and device.type == "cpu"


class Interruptible(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, ``check`` is called every now and then before an operation, backward ones included; what
    it raises leaves the computation there, as an error of that operation would. Changes no number.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._check = check
        self._next = 0.0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY_S
            self._check()
        return func(*args, **(kwargs or {}))
