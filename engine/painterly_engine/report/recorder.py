"""Listens to a job and keeps what a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from painterly_engine.progress import SILENT, Observer, Relay
from painterly_engine.report.record import LossPoint, Stage
from painterly_protocol.messages import Phase

if TYPE_CHECKING:
    from torch import Tensor


class Recorder(Relay):
    """Passes everything on to ``inner``, and keeps the losses and the results on the way.

    Attributes:
        losses, stages: in the order they came.
    """

    def __init__(self, inner: Observer = SILENT) -> None:
        super().__init__(inner)
        self.losses: list[LossPoint] = []
        self.stages: list[Stage] = []

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        if losses:
            self.losses.append(LossPoint(phase.value, iteration, {name: float(v) for name, v in losses.items()}))
        super().report(phase, fraction, iteration=iteration, iterations=iterations, losses=losses)

    def intermediate(self, name: str, data: Tensor) -> None:
        self.stages.append(Stage(name, _kept(data.detach().float().cpu().numpy())))
        super().intermediate(name, data)


def _kept(data: NDArray[Any]) -> NDArray[Any]:
    """A picture or mask as bytes, a field as it is (the shapes of ``Observer.intermediate``)."""
    if data.ndim == 3 and len(data) == 2:
        return data.astype(np.float32)
    samples = np.rint(np.nan_to_num(data).clip(0, 1) * 255).astype(np.uint8)
    return samples if samples.ndim == 2 else np.ascontiguousarray(samples.transpose(1, 2, 0))
