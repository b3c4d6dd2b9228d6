"""Leaving a computation between any two of torch's operations, not only once an iteration."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

EVERY_S = 0.02
WORTHWHILE_PX = 500  # a working picture's longest side: below, iterations are short and looking costs up to a tenth


def interruptible(check: Callable[[], None], longest: int, device: torch.device) -> AbstractContextManager[object]:
    """``Interruptible`` where an iteration may take longer than somebody who cancels likes to wait.

    Args:
        longest: of the working picture, px.
        device: a GPU is quick, and would wait for every look.
    """
    worthwhile = longest >= WORTHWHILE_PX and device.type == "cpu"
    return Interruptible(check) if worthwhile else nullcontext()


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
