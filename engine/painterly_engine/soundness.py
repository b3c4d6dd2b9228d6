"""No result that is not one: what is checked while a job runs and before its picture leaves the worker."""

from __future__ import annotations

import math
from collections.abc import Mapping

from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Result
from painterly_protocol.pixels import Pixels, SampleType
from painterly_protocol.request import HarmonizeRequest


def check_losses(losses: Mapping[str, float]) -> None:
    """Raises PainterlyError NOT_FINITE."""
    if not all(map(math.isfinite, losses.values())):
        raise not_finite()


def check_result(result: Result, request: HarmonizeRequest) -> None:
    """
    Raises:
        PainterlyError: NOT_FINITE for samples that are no numbers.
        TypeError: it does not fit into the painting: a defect of the runner.
    """
    painting, picture = request.painting, result.picture
    inside = 0 <= result.x <= painting.width - picture.width and 0 <= result.y <= painting.height - picture.height
    channels = 4 if request.as_layer else 3
    alike = picture.channels == channels and picture.sample_type is painting.sample_type
    if not (inside and alike):
        raise TypeError(f"{picture.width}×{picture.height} at {result.x},{result.y} is no part of the painting")
    if not finite(picture):
        raise not_finite()


def finite(picture: Pixels) -> bool:
    """Whether every sample is a number."""
    if picture.sample_type is not SampleType.FLOAT32:
        return True
    import numpy as np  # not before it is needed: a worker shall be ready soon

    return bool(np.isfinite(np.frombuffer(picture.data, "<f4")).all())


def not_finite() -> PainterlyError:
    return PainterlyError(
        ErrorCode.NOT_FINITE,
        "The calculation failed: its numbers are not finite any more (NaN or infinity).",
        "Try again with another size or network; nothing was changed.",
    )
