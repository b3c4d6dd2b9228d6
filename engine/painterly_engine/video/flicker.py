"""How much a video flickers.

Between two consecutive frames, the earlier is carried along the input's motion to where its pixels are now; what then
still differs is change that no motion explains. The figure is the mean of that over all pixels whose motion is sure, in
the output, divided by the same mean of the input, which has its own noise, light and errors of the motion: 1 is as calm
as the input, 5 flickers five times as much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from painterly_engine.arrays import Array
from painterly_engine.pictures.files import Bytes
from painterly_engine.video.flow import Motion, carried

SURE = 0.5


@dataclass
class Flicker:
    """Gathers pair by pair.

    Attributes:
        pairs: of frames so far.
        output, input: sums over them of the mean unexplained change, in steps of 1/255.
    """

    pairs: int = 0
    output: float = 0.0
    input: float = 0.0

    def add(self, motion: Motion, inputs: tuple[Bytes, Bytes], outputs: tuple[Bytes, Bytes], where: Array) -> None:
        """Two frames (H, W, 3) each, before and now; ``where`` (H, W) bool is looked at."""
        looked_at = (motion.sure > SURE) & where
        if not looked_at.any():
            return
        self.pairs += 1
        self.input += _unexplained(motion, *inputs, looked_at)
        self.output += _unexplained(motion, *outputs, looked_at)

    @property
    def figure(self) -> float | None:
        """The output's over the input's; None where there is nothing to compare."""
        return self.output / self.input if self.input > 0 else None


def _unexplained(motion: Motion, before: Bytes, now: Bytes, where: Array) -> float:
    moved = carried(before.astype(np.float32), motion.back)
    return float(np.abs(moved - now)[where].mean())
