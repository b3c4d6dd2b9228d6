"""τ, the painting's stylization weight: a number, a genre's, or one found from the painting (algorithm.md 1.3)."""

from __future__ import annotations

from dataclasses import dataclass

from painterly_engine.network.features import FeatureNetwork
from painterly_protocol.errors import ErrorCode, PainterlyError
from torch import Tensor

AUTO = "auto"
DEFAULT = 5.0

# The published weights fall into three levels by category: 1, 5 and 10.
GENRES = {
    "art nouveau": 1.0,
    "baroque": 1.0,
    "high renaissance": 1.0,
    "mannerism": 1.0,
    "realism": 1.0,
    "renaissance": 1.0,
    "romanticism": 1.0,
    "symbolism": 1.0,
    "impressionism": 5.0,
    "post-impressionism": 5.0,
    "cubism": 10.0,
    "expressionism": 10.0,
}


@dataclass(frozen=True)
class Stylization:
    """τ and, for the user, where it comes from."""

    value: float
    reason: str


def choose_stylization(wanted: float | str | None, painting: Tensor, network: FeatureNetwork) -> Stylization:
    """What the user's wish means for this painting (3, H, W).

    Raises:
        PainterlyError: BAD_REQUEST for a genre nobody knows.
    """
    if isinstance(wanted, int | float):
        return Stylization(float(wanted), "as asked for")
    if wanted is None or wanted == AUTO:
        return Stylization(DEFAULT, "the default")
    genre = wanted.strip().lower().replace("_", " ")
    if genre not in GENRES:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"There is no genre {wanted!r}.",
            f"Give a number from 1 to 10 or one of: {', '.join(GENRES)}.",
        )
    return Stylization(GENRES[genre], f"usual in {genre}")
