"""What each preset sets, in one table; every value can be overridden by the job's parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

from painterly_protocol.request import Parameters


@dataclass(frozen=True)
class Published:
    """The two passes as published.

    Attributes:
        size: the working size, the canvas's longest side in pixels.
        iterations: L-BFGS iterations of each pass.
    """

    size: int
    iterations: int

    def overridden(self, size: int | None, iterations: int | None) -> Published:
        """With the user's own values where there are any."""
        return replace(self, size=size or self.size, iterations=iterations or self.iterations)


@dataclass(frozen=True)
class Repaint:
    """Our own method, from coarse to fine.

    Attributes:
        sides: of the object's surroundings at each scale, pixels, ascending; nothing is enlarged.
        iterations: of L-BFGS at each scale, each an evaluation.
        turns: how often at each scale the patches to imitate are chosen, shared among the iterations.
    """

    sides: tuple[int, ...]
    iterations: int
    turns: int = 2

    @property
    def size(self) -> int:
        """The finest."""
        return self.sides[-1]

    def overridden(self, size: int | None, iterations: int | None) -> Repaint:
        """With the user's own values where there are any; ``size`` is the finest scale's."""
        sides = self.sides
        if size is not None:
            sides = (*(side for side in COARSE if side < size), size)
        return replace(self, sides=sides, iterations=iterations or self.iterations)


@dataclass(frozen=True)
class Instant:
    """One feed-forward pass.

    Attributes:
        size: of the object's surroundings, pixels; nothing is enlarged.
    """

    size: int
    iterations: int = 1

    def overridden(self, size: int | None, iterations: int | None) -> Instant:  # noqa: ARG002 (there are none)
        """With the user's own size if there is one."""
        return replace(self, size=size or self.size)


COARSE = (128, 256, 512, 1024)

Method = Instant | Repaint | Published

PRESETS: dict[str, Method] = {
    "instant": Instant(size=512),
    "draft": Repaint(sides=(128, 256, 384), iterations=20),
    "standard": Repaint(sides=(128, 256, 512, 768), iterations=66, turns=3),
    "high": Repaint(sides=(128, 256, 512, 1024, 1536), iterations=112, turns=4),
    "published": Published(size=700, iterations=1000),
}


def effective(parameters: Parameters) -> Method:
    """The preset's values with the user's own in their place."""
    return PRESETS[parameters.preset].overridden(parameters.size, parameters.iterations)
