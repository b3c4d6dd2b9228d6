"""What the repainting tells its observer: how far it is, what it looks like, what it chose."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from painterly_engine.matching.places import places
from painterly_engine.progress import Observer
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.descent import Tick
from painterly_engine.repaint.scales import Level
from painterly_engine.resample import resize
from painterly_engine.window import Box, Size
from painterly_protocol.messages import Phase

LOSSES_EVERY = 5  # reading a loss waits for the device
ROUNDING = 1e-5
"""Of the sum of all losses: less is what rounding leaves of 0, as of light and shade still as they were."""
MATCHING = 0.1
"""Share of a scale's work that matching takes."""


class Telling:
    """
    Args:
        observer: is told.
        canvas: whose pictures are shown, each in its place in the whole painting.
    """

    def __init__(self, observer: Observer, canvas: Canvas) -> None:
        self.observer, self.canvas = observer, canvas
        self.painting = canvas.overview
        self.place = _scaled(canvas.around, canvas.size, (self.painting.shape[1], self.painting.shape[2]))
        self.shares: list[float] = []
        self.done, self.total = 0, 1

    def plan(self, levels: list[Level], iterations: int) -> None:
        """Say what is to come."""
        work = [float(level.size[0] * level.size[1]) for level in levels]
        self.shares = [share / sum(work) for share in work]
        self.total = iterations * len(levels)
        loose = torch.zeros(self.canvas.size, dtype=torch.bool, device=self.canvas.support.device)
        self.canvas.around.of(loose).copy_(self.canvas.support > 0)
        self.observer.intermediate("loose mask", loose)

    def matching(self, number: int, fraction: float) -> None:
        """At scale ``number``."""
        self._report(number, MATCHING * fraction)

    def ticks(self, number: int, support: Tensor) -> Tick:
        """For the descent at scale ``number``."""
        expected = max(1, self.total // len(self.shares))
        first, shows = self.done, resize(support, self.place.size)

        def tick(picture: Tensor, losses: Mapping[str, Tensor]) -> None:
            due = self.done % LOSSES_EVERY == 0
            self.done += 1
            told = _told(losses) if due else None
            self._report(number, MATCHING + (1 - MATCHING) * min(1.0, (self.done - first) / expected), told)
            self.observer.picture(lambda: self._seen(picture, shows))

        return tick

    def field(self, number: int, layer: str, field: Tensor, level: Level, size: torch.Size) -> None:
        """The matches (h, w) at scale ``number``, raster indices into features of ``size`` of the level's context; they
        are told where they are places of the painting."""
        if not self.canvas.imitates_painting:
            return
        found = places(field.clamp(min=0), (size[0], size[1]))
        corner, extent = (
            found.new_tensor([part / whole for part, whole in zip(pair, self.canvas.size, strict=True)]).view(2, 1, 1)
            for pair in ((level.context.top, level.context.left), level.context.size)
        )
        self.observer.intermediate(f"matches at scale {number + 1}, {layer}", corner + extent * found)

    def scale_done(self, number: int, picture: Tensor, support: Tensor) -> None:
        self.observer.intermediate(f"scale {number + 1}", self.seen(picture, support))

    def finishing(self, fraction: float) -> None:
        self.observer.report(Phase.FINISHING, fraction)

    def finished(self, picture: Tensor, support: Tensor) -> None:
        self.finishing(1.0)
        seen = self.seen(picture, support)
        self.observer.picture(lambda: seen)
        self.observer.intermediate("finished", seen)

    def seen(self, picture: Tensor, support: Tensor) -> Tensor:
        """The whole painting with the picture (3, h, w) in its place, as far as the support (h, w) lets it show."""
        return self._seen(picture, resize(support, self.place.size))

    def _report(self, number: int, fraction: float, losses: Mapping[str, float] | None = None) -> None:
        last = len(self.shares) - 1
        phase = Phase.PASS_TWO if number == last else Phase.PASS_ONE
        if number < last:
            coarse = sum(self.shares[:last])
            fraction = (sum(self.shares[:number]) + self.shares[number] * fraction) / coarse
        shown = min(self.done, self.total)
        self.observer.report(phase, fraction, iteration=shown, iterations=self.total, losses=losses)

    def _seen(self, picture: Tensor, shows: Tensor) -> Tensor:
        """The whole painting with the picture in its place, as far as it shows, (h, w) of the place's size."""
        whole = self.painting.clone()
        here = self.place.of(whole)
        here.copy_(torch.lerp(here, resize(picture, self.place.size), shows))
        return whole


def _told(losses: Mapping[str, Tensor]) -> dict[str, float]:
    values = {name: float(loss) for name, loss in losses.items()}
    least = ROUNDING * sum(values.values())
    return {name: value if value > least else 0.0 for name, value in values.items()}


def _scaled(box: Box, size: Size, shown: Size) -> Box:
    """A box in pixels of a picture so large, in pixels of the same shown smaller; never empty."""
    top, left = box.top * shown[0] // size[0], box.left * shown[1] // size[1]
    bottom, right = -(-box.bottom * shown[0] // size[0]), -(-box.right * shown[1] // size[1])
    return Box(top, left, bottom, right)
