"""What one job may ask for at most; the keeper of an engine chooses it with ``painterly serve``'s options."""

from __future__ import annotations

from dataclasses import dataclass

from painterly_engine.network.naming import RANDOM
from painterly_engine.presets import effective
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Submit


@dataclass(frozen=True)
class Limits:
    """
    Attributes:
        pixels: of a picture; what its frames may carry in float is wire.MAX_FRAME_BYTES.
        iterations: of each pass; None: what the protocol allows.
        seconds: of computing; None: no end.
        memory: bytes that the worker may take from the system, all told; None: what there is.
        networks: what users on other machines may ask for; None: whatever the runner makes of it.
    """

    pixels: int = 178_000_000
    iterations: int | None = None
    seconds: float | None = None
    memory: int | None = None
    networks: tuple[str, ...] | None = None

    def check(self, submit: Submit) -> None:
        """Raises PainterlyError OVER_LIMIT for a job that asks for more; looks at its header's numbers only."""
        pictures = (submit.request.painting, submit.request.style)
        pixels = max(picture.width * picture.height for picture in pictures if picture is not None)
        if pixels > self.pixels:
            raise _over(
                f"The picture has {pixels / 1e6:.1f} million pixels, more than the {self.pixels / 1e6:.1f} million "
                "that this engine takes.",
                "Crop it to the part around the object, or scale it down.",
            )
        iterations = effective(submit.request.parameters).iterations
        if self.iterations is not None and iterations > self.iterations:
            raise _over(
                f"The job asks for {iterations} iterations; this engine runs {self.iterations} at most.",
                "Ask for fewer, or choose a quicker preset.",
            )

    def check_guest(self, submit: Submit) -> None:
        """Raises PainterlyError BAD_REQUEST for a network by its path: a path would tell which files this machine has,
        and have it read them."""
        if self.networks is not None and submit.request.parameters.weights not in self.networks:
            real = (name for name in self.networks if not name.startswith(RANDOM))
            raise PainterlyError(
                ErrorCode.BAD_REQUEST,
                "An engine on another machine takes a network by its name only, not as a file.",
                f"Choose one of {', '.join(real)}.",
            )

    def too_long(self) -> PainterlyError:
        """For a job that has computed for longer than ``seconds``."""
        return _over(
            f"The job took longer than the {self.seconds:g} s that this engine gives to one.",
            "Choose a smaller size, fewer iterations or a quicker preset.",
        )


def _over(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.OVER_LIMIT, sentence, advice)
