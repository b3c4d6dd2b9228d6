"""What this process computes on, set up for optimising pictures."""

from __future__ import annotations

import torch

from painterly_engine.network.shelf import NetworkShelf
from painterly_protocol.errors import ErrorCode, PainterlyError

AUTO = "auto"


def shelf(device: str = AUTO) -> NetworkShelf:
    """An empty shelf on a device by name, "auto" being the best at hand; numbers are kept as precise as it can.

    Raises:
        PainterlyError: BAD_REQUEST for a device that is not here.
    """
    torch.set_flush_denormal(True)
    # L-BFGS builds its curvature from differences of gradients that TF32 would round away.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise PainterlyError(
            ErrorCode.BAD_REQUEST, "No graphics card that torch can use was found here.", "Choose auto or cpu."
        )
    best = "cuda" if torch.cuda.is_available() else "cpu"
    return NetworkShelf(best if device == AUTO else device)
