"""Where this process computes: what somebody asked for, else the best that is at hand.

``PAINTERLY_DEVICE`` says it to every process of an engine; ``painterly serve --device`` sets it. torch is imported only
to look: whoever names devices needs none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from painterly_protocol.errors import ErrorCode, PainterlyError

if TYPE_CHECKING:
    import torch

    from painterly_engine.network.shelf import NetworkShelf

VARIABLE = "PAINTERLY_DEVICE"
AUTO = "auto"
DEVICES = (AUTO, "cuda", "mps", "cpu")
CALLED = {"cuda": "NVIDIA graphics card", "mps": "Apple graphics processor"}


def choose(name: str = AUTO) -> torch.device:
    """
    Args:
        name: one of ``DEVICES``, or one of several cards as in "cuda:1"; "auto" is what the environment says, else an
            NVIDIA card, else an Apple processor's, else the CPU.

    Raises:
        PainterlyError: BAD_REQUEST for a device that is not here, or that nobody knows.
    """
    import torch

    here = at_hand()
    asked = os.environ.get(VARIABLE, AUTO) if name == AUTO else name
    if asked == AUTO:
        return torch.device(next(kind for kind, there in here.items() if there))
    kind = asked.split(":")[0]
    if kind not in here:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST, f"There is no device “{asked}”.", f"Choose one of {', '.join(DEVICES)}."
        )
    if not here[kind]:
        sentence = f"The device “{asked}” was asked for, but no {CALLED[kind]} that torch can use was found here."
        raise PainterlyError(ErrorCode.BAD_REQUEST, sentence, "Choose auto or cpu.")
    return torch.device(asked)


def at_hand() -> dict[str, bool]:
    """Whether a kind of device is here, the best first."""
    import torch

    return {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}


def shelf(device: str = AUTO) -> NetworkShelf:
    """An empty shelf on a device by name, as for ``choose``.

    Raises:
        PainterlyError: as ``choose``.
    """
    from painterly_engine.network.shelf import NetworkShelf

    return NetworkShelf(choose(device))


def be_careful() -> None:
    """From here on a GPU keeps its numbers as precise as it can, since L-BFGS builds its curvature from differences of
    gradients that TF32 would round away; and this thread takes for 0 what is almost 0, which a CPU is slow with."""
    import torch

    torch.set_flush_denormal(True)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


@contextmanager
def careful() -> Iterator[None]:
    """``be_careful`` meanwhile; torch does not tell how it was with the almost 0, so that stays."""
    import torch

    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    be_careful()
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
