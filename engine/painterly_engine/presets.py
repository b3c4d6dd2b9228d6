"""What each preset sets, in one table; every value can be overridden by the job's parameters."""

from __future__ import annotations

from dataclasses import dataclass

from painterly_protocol.request import Parameters


@dataclass(frozen=True)
class Preset:
    """
    Attributes:
        size: the working size, longest side in pixels.
        iterations: L-BFGS iterations of each pass.
    """

    size: int
    iterations: int


PRESETS = {
    "draft": Preset(size=256, iterations=50),
    "published": Preset(size=700, iterations=1000),
}


def effective(parameters: Parameters) -> Preset:
    """The preset's values with the user's own in their place."""
    preset = PRESETS[parameters.preset]
    return Preset(
        size=preset.size if parameters.size is None else parameters.size,
        iterations=preset.iterations if parameters.iterations is None else parameters.iterations,
    )
