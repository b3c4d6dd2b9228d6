"""How the algorithm tells the world where it is, and how the world stops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from painterly_protocol.messages import Phase

if TYPE_CHECKING:
    from torch import Tensor


class Observer:
    """Receives progress; this base ignores it. ``report`` may raise to abandon the job: nothing catches it below.

    Called at least once per iteration and once per chunk of a matching, so that a cancel is noticed within a fraction
    of a second.
    """

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        """``fraction`` is of this phase, 0 to 1."""

    def picture(self, make: Callable[[], Tensor]) -> None:
        """The working picture as it is now; called every iteration, use what you like.

        Args:
            make: gives it, (3, H, W) RGB, about 0 to 1; nothing is computed unless it is called. Called later, it may
                give a later picture, and copy what you keep: the next iteration may be painted into the same tensor.
        """

    def intermediate(self, name: str, data: Tensor) -> None:
        """A result on the way that somebody may want to look at later; called once for each name, in order of making.

        Args:
            name: a few plain words for people, for example "loose mask" or "field at relu3_1".
            data: (3, h, w), a picture, RGB, about 0 to 1; (h, w), a mask, bool or in [0, 1]; or (2, h, w), a
                nearest-neighbour field: the row and column in the painting that each position imitates, as fractions
                of the painting's height and width in [0, 1] (``matching.places``). Of any size, on any device.
        """


SILENT = Observer()


class Relay(Observer):
    """Passes everything on; for observers that only look at something, or change it, on its way.

    Args:
        inner: is told.
    """

    def __init__(self, inner: Observer) -> None:
        self.inner = inner

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        self.inner.report(phase, fraction, iteration=iteration, iterations=iterations, losses=losses)

    def picture(self, make: Callable[[], Tensor]) -> None:
        self.inner.picture(make)

    def intermediate(self, name: str, data: Tensor) -> None:
        self.inner.intermediate(name, data)
