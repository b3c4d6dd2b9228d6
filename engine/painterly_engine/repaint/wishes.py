"""What the user asked for, and what follows from it for every part of the method."""

from __future__ import annotations

from dataclasses import dataclass

from painterly_engine.repaint.objective import Weights

PATCHES = 1.6
CONTENT, USUAL_STYLIZATION = 0.4, 5.0
"""Weights of the patches and of the content, the style's being 1; the latter at half strength in a painting of this
stylization."""
SHADING = 0.33
"""Weight of light and shade, where content's is ``CONTENT``."""
CALMER, PLAINER, TRUER = 0.75, 2.0, 1.0
"""Exponents: how fast, in paintings of less stylization, content and light and shade count more, and more of a scale's
detail is carried to the next."""
CALMEST = 3.0
"""In paintings of less stylization than this, content and light and shade count as much as in those of it."""
RANGE = 16.0
"""No strength multiplies it by this much, full strength divides it."""
CARRIED = 2.0
"""Exponent: at half detail and usual stylization three quarters of what a scale could not show enter with the next, at
full detail all."""

SMALL, SHINES = 100.0, 0.4
"""An object whose area is less than that of a square with sides of so many pixels has few strokes to be told with, and
less of it is given up: content counts more, in proportion, and up to such a share of its own light and shade shines
through, less above half strength and below half detail."""


@dataclass(frozen=True)
class Wishes:
    """What the user asked for.

    Attributes:
        stylization: τ, the painting's stylization weight, about 1 to 10.
        strength: 0 to 1, how far the object is repainted; at 0 it stays what it was.
        detail: 0 to 1, how much of its own detail it keeps.
        seed: of the search for strokes.
        size: pixels, the root of the object's area, or of its usual island's.
    """

    stylization: float
    strength: float = 0.5
    detail: float = 0.5
    seed: int = 0
    size: float = SMALL

    def weights(self) -> Weights:
        """Of the objective's parts: the less content counts, the more is repainted."""
        calm = USUAL_STYLIZATION / max(CALMEST, self.stylization)
        balance = RANGE ** (1 - 2 * self.strength) * max(1.0, SMALL / self.size)
        content, shading = CONTENT * calm**CALMER * balance, SHADING * calm**PLAINER * balance
        return Weights(style=1.0, patches=PATCHES, content=content, shading=shading)

    @property
    def painted(self) -> float:
        """Share of the repainted picture in the result: below half strength the object itself shines through."""
        return min(1.0, 2 * self.strength)

    @property
    def shines(self) -> float:
        """Share of the object's own light and shade in what is painted: some of small ones."""
        wanted = min(1.0, 2 * (1 - self.strength)) * min(1.0, 2 * self.detail)
        return SHINES * max(0.0, 1 - self.size / SMALL) * wanted

    @property
    def carried(self) -> float:
        """Share of the object's own detail that enters with each scale."""
        usual = 1 - (1 - self.detail) ** CARRIED
        return float(usual ** (self.stylization / USUAL_STYLIZATION) ** TRUER)

    @property
    def kept(self) -> float:
        """Share of the finest detail that comes back over the strokes."""
        return max(0.0, 2 * self.detail - 1)
