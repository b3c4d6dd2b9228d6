"""What this process computes on, set up for optimising pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from painterly_engine.network.shelf import NetworkShelf
from painterly_protocol.errors import ErrorCode, PainterlyError

AUTO = "auto"


def best() -> str:
    """The name of the best device at hand."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def shelf(device: str = AUTO) -> NetworkShelf:
    """An empty shelf on a device by name, "auto" being the best at hand.

    Raises:
        PainterlyError: BAD_REQUEST for a device that is not here.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise PainterlyError(
            ErrorCode.BAD_REQUEST, "No graphics card that torch can use was found here.", "Choose auto or cpu."
        )
    return NetworkShelf(best() if device == AUTO else device)


@contextmanager
def careful() -> Iterator[None]:
    """Meanwhile a GPU keeps its numbers as precise as it can: L-BFGS builds its curvature from differences of gradients
    that TF32 would round away."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
