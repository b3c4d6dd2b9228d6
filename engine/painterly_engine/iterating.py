"""What both passes share: the numbers they optimise, and what they tell their observer at every evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from painterly_engine.lbfgs import Settings, minimise
from painterly_engine.network.features import Layout
from painterly_engine.progress import Observer
from painterly_protocol.messages import Phase

LOSSES_EVERY = 10  # reading a loss waits for the device


class Iterations:
    """Counts evaluations and reports them.

    Args:
        observer: is told.
        phase: of the pass.
        iterations: how many there will be at most.
        pixel_scale: of the optimised pixels.
        start: the fraction of the phase that was done before the first iteration.
    """

    def __init__(
        self, observer: Observer, phase: Phase, iterations: int, pixel_scale: float, start: float = 0.0
    ) -> None:
        self.observer, self.phase, self.iterations = observer, phase, iterations
        self.pixel_scale, self.start = pixel_scale, start
        self.done = 0

    def tick(self, pixels: Tensor, values: Mapping[str, Tensor]) -> None:
        """One more evaluation: of these pixels (3, H, W), with these losses (0-dimensional)."""
        self.done += 1
        due = self.done % LOSSES_EVERY == 1
        losses = {name: float(value) for name, value in values.items()} if due else None
        fraction = self.start + (1 - self.start) * self.done / self.iterations
        self.observer.report(self.phase, fraction, iteration=self.done, iterations=self.iterations, losses=losses)
        self.observer.picture(pixels / self.pixel_scale)


def optimise(
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]], picture: Tensor, layout: Layout, settings: Settings
) -> Tensor:
    """L-BFGS on a picture (3, H, W), about 0 to 1, in the numbers that the layout's network sees.

    Args:
        evaluate: pixel values (3, H, W), RGB times the layout's pixel scale, to the value and the gradient (3, H, W).
    """
    scale, centre = layout.pixel_scale, layout.centre().to(picture)

    def flat(x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = evaluate(x.view_as(picture) + centre)
        return value, gradient.flatten()

    start = (picture * scale - centre).flatten()
    return (minimise(flat, start, settings).view_as(picture) + centre) / scale
