"""Everything about one harmonization job, in one frozen dataclass, validated once at the edge."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.pixels import Pixels

PRESETS = ("instant", "draft", "standard", "high", "published")
DEFAULT_PRESET = "standard"
METHODS = ("two-pass", "pass-one", "local", "global", "multi-style", "adain")
DEFAULT_METHOD, MIXING = "two-pass", "multi-style"
MIN_SIZE, MAX_SIZE = 32, 16384  # longest side of a working picture
MAX_ITERATIONS = 100_000


@dataclass(frozen=True)
class Parameters:
    """What the user can choose. ``None`` leaves a value to the preset.

    Attributes:
        preset: a name of ``PRESETS``.
        size: working size, in pixels: of the whole picture's longest side for ``published``, of the object with its
            surroundings at the finest scale for all others.
        iterations: L-BFGS iterations, of each pass or at each scale.
        stylization: τ of algorithm.md 1.3, or a genre name, or None for the default.
        strength: how far the object is repainted, 0 (it stays what it was) to 1; ``published`` knows none.
        detail: how much of its own detail the object keeps, 0 to 1; ``published`` knows none.
        weights: "auto", a name that ``painterly weights list`` shows, or the path of a weight file; an engine on
            another machine takes names only.
        seed: of the randomised patch search.
        previews: send PREVIEW pictures while the job runs.
        method: a name of ``METHODS``. "two-pass" is the preset's own way, from coarse to fine; for the others the
            preset only says how large and how long. "multi-style" imitates the painting and the style together.
    """

    preset: str = DEFAULT_PRESET
    size: int | None = None
    iterations: int | None = None
    stylization: float | str | None = None
    strength: float = 0.5
    detail: float = 0.5
    weights: str = "auto"
    seed: int = 0
    previews: bool = False
    method: str = DEFAULT_METHOD

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise _bad(f"There is no preset {self.preset!r}.", f"Choose one of {', '.join(PRESETS)}.")
        if self.method not in METHODS:
            raise _bad(f"There is no method {self.method!r}.", f"Choose one of {', '.join(METHODS)}.")
        if self.size is not None and not MIN_SIZE <= self.size <= MAX_SIZE:
            raise _bad(f"A working size of {self.size} px cannot be used.", f"Choose {MIN_SIZE} to {MAX_SIZE}.")
        if self.iterations is not None and not 1 <= self.iterations <= MAX_ITERATIONS:
            raise _bad(f"{self.iterations} iterations cannot be run.", f"Choose 1 to {MAX_ITERATIONS}.")
        if isinstance(self.stylization, float | int) and not (
            math.isfinite(self.stylization) and 0 < self.stylization <= 100
        ):
            raise _bad(f"A stylization of {self.stylization} cannot be used.", "Choose a number above 0, up to 100.")
        for name, value in {"strength": self.strength, "detail": self.detail}.items():
            if not 0 <= value <= 1:
                raise _bad(f"A {name} of {value} cannot be used.", "Choose a number from 0 to 1.")
        if not 0 <= self.seed < 2**63:
            raise _bad(f"The seed {self.seed} is out of range.", "Choose 0 to 2⁶³ - 1.")


@dataclass(frozen=True)
class HarmonizeRequest:
    """One job: the pictures, all of the painting's size, and the parameters.

    Attributes:
        painting: the painting without the object, 3 channels.
        composite: the painting with the object pasted in, 3 channels, same sample type as the painting.
        mask: the tight mask, 1 channel, full scale inside the object, soft edges welcome.
        loose_mask: replaces the computed loose mask (algorithm.md 1.4); 1 channel.
        parameters: what the user chose.
        style: another picture to imitate in the painting's place, 3 channels, of any size and sample type.
        style_mask: where the style may be taken from, 1 channel, of the size of ``style``, or of the painting where
            there is none: more than half of full scale counts as yes.
        as_layer: give the repainted object back as a layer (see ``Result.picture``).

    Raises:
        PainterlyError: SIZE_MISMATCH or BAD_REQUEST when the pictures do not belong together, or are not what the
            method needs.
    """

    painting: Pixels
    composite: Pixels
    mask: Pixels
    loose_mask: Pixels | None = None
    parameters: Parameters = field(default_factory=Parameters)
    style: Pixels | None = None
    style_mask: Pixels | None = None
    as_layer: bool = False

    def __post_init__(self) -> None:
        for name, picture in {"composite": self.composite, "mask": self.mask, "loose mask": self.loose_mask}.items():
            _check_size(name, picture, "painting", self.painting)
        imitated = "painting" if self.style is None else "style picture"
        _check_size("style mask", self.style_mask, imitated, self.style or self.painting)
        if any(
            picture is not None and picture.channels != 3 for picture in (self.painting, self.composite, self.style)
        ):
            raise _bad("Painting, composite and style picture must have three channels.", "Convert them to RGB.")
        if self.composite.sample_type is not self.painting.sample_type:
            raise _bad("Painting and composite differ in their sample type.", "Convert one of them.")
        if any(mask is not None and mask.channels != 1 for mask in (self.mask, self.loose_mask, self.style_mask)):
            raise _bad("A mask must have one channel.", "Convert it to grey.")
        if self.parameters.method == MIXING and self.style is None and self.style_mask is None:
            raise _bad(
                f"The method {MIXING} mixes the painting with another picture, and none is there.",
                "Choose one as the style, or the method global.",
            )


def _check_size(name: str, picture: Pixels | None, other_name: str, other: Pixels) -> None:
    if picture is not None and (picture.width, picture.height) != (other.width, other.height):
        raise PainterlyError(
            ErrorCode.SIZE_MISMATCH,
            f"The {name} is {picture.width}×{picture.height} px, the {other_name} {other.width}×{other.height} px.",
            "Give pictures of the same size.",
        )


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
