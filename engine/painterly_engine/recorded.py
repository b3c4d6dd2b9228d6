"""An iteration's kernels, recorded once on an NVIDIA GPU and replayed (CUDA graphs).

There an iteration is some hundreds of small kernels, and Python takes longer to launch them than the GPU to run them.
What is recorded is compared with what the function itself gives before it is trusted, and left alone where it differs
or where recording fails. Worth it for the published passes' thousand iterations, not for our own method's twenty or so
between two choices of patches. The test of it on a GPU has never had one to run on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

DEVICE = "cuda"
WARM = 3
"""Calls of the function itself before it is recorded: libraries set themselves up in the first ones."""
NEAR = 1e-3
"""A replayed gradient's distance from the function's own, over its length, that sums in another order may cause."""

Parts = tuple[dict[str, Tensor], Tensor]
"""Losses by name, 0-dimensional, and a gradient."""
Function = Callable[[Tensor], Parts]

log = logging.getLogger(__name__)


class Recorded:
    """The function, called ever faster.

    Args:
        function: the same operations on the same memory whatever the numbers in its tensor, which always has the same
            shape, and nothing but them: what else it does is done while it is recorded, and never again.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._calls = 0
        self._replay: Function | None = None

    def __call__(self, x: Tensor) -> Parts:
        if x.device.type != DEVICE:
            return self._function(x)
        self._calls += 1
        if self._calls == WARM + 1:
            self._replay = _trusted(self._function, x)
        return (self._replay or self._function)(x)


def _trusted(function: Function, x: Tensor) -> Function | None:
    """The function recorded, if that can be done and does the same."""
    try:
        replay = record(function, x)
        (_, wanted), (_, found) = function(x), replay(x)
    except RuntimeError as error:
        log.warning("An iteration could not be recorded as a CUDA graph: %s", error)
        return None
    if bool((found - wanted).norm() <= NEAR * wanted.norm()):
        return replay
    log.warning("An iteration recorded as a CUDA graph gives another gradient than by itself, and is not used.")
    return None


def record(function: Function, x: Tensor) -> Function:
    """
    Returns:
        The function's kernels alone; its results are new tensors.

    Raises:
        RuntimeError: where it cannot be recorded.
    """
    given = x.clone()
    aside = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream(x.device))
    with torch.cuda.stream(aside):
        function(given)  # recording uses a stream of its own, for which libraries set themselves up as well
    torch.cuda.current_stream(x.device).wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        losses, gradient = function(given)

    def replay(x: Tensor) -> Parts:
        given.copy_(x)
        graph.replay()
        return {name: loss.clone() for name, loss in losses.items()}, gradient.clone()

    return replay
