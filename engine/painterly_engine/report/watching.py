"""Watches pictures come into being: snapshots, frames for a film, losses, every so many iterations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from painterly_engine.pictures.files import Bytes, Picture, write
from painterly_engine.progress import SILENT, Relay
from painterly_engine.report.record import LossPoint
from painterly_protocol.messages import Phase

if TYPE_CHECKING:
    from torch import Tensor

FRAME = 512
"""Longest side of a film's frame, pixels."""
FRAMES = 200
"""A film that would have more of them drops every second."""
SNAPSHOT = re.compile(r"\d{6,}\.png")
"""What snapshots are called."""


class Watcher(Relay):
    """Passes everything on to ``inner``.

    Args:
        every: iterations from one look to the next; all passes count on.
        folder: where each look is written, ``000010.png``, as soon as it is there; None for no snapshots.
        filming: whether frames are kept.

    Attributes:
        frames: (iteration, (h, w, 3)), no larger than a film needs them.
        losses: one point a look; where a method tells its losses more seldom, one for each time it does.
    """

    def __init__(self, every: int, folder: Path | None = None, *, filming: bool = False) -> None:
        super().__init__(SILENT)
        self.every, self.folder, self.filming = every, folder, filming
        self.frames: list[tuple[int, Bytes]] = []
        self.losses: list[LossPoint] = []
        self._done, self._looks, self._stride, self._next_losses = 0, 0, 1, 1

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        super().report(phase, fraction, iteration=iteration, iterations=iterations, losses=losses)
        self._done += bool(iterations and iteration)
        if losses and self._done >= self._next_losses:
            self.losses.append(LossPoint(phase.value, iteration, dict(losses)))
            self._next_losses = (self._done // self.every + 1) * self.every

    def picture(self, make: Callable[[], Tensor]) -> None:
        super().picture(make)
        if (self.folder is not None or self.filming) and (self._done == 1 or self._done % self.every == 0):
            planes = make().detach().float().cpu().numpy()
            self._keep(np.rint(np.nan_to_num(planes).clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))

    def end(self, result: Bytes) -> None:
        """The last look is the result (H, W, 3) itself."""
        self._looks = 0  # whatever the stride, it is in the film
        self.frames = [frame for frame in self.frames if frame[0] != self._done]
        self._keep(result)

    def _keep(self, picture: Bytes) -> None:
        if self.folder is not None:
            write(self.folder / f"{self._done:06}.png", Picture(np.ascontiguousarray(picture)))
        if self.filming and self._looks % self._stride == 0:
            self.frames.append((self._done, _small(picture)))
        if len(self.frames) > FRAMES:
            self.frames, self._stride = self.frames[::2], 2 * self._stride
        self._looks += 1


def _small(picture: Bytes) -> Bytes:
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((FRAME, FRAME), Image.Resampling.LANCZOS)
    return np.asarray(image)
