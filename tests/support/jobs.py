"""Small harmonization requests for tests that do not care what is in the pictures."""

from __future__ import annotations

from painterly_protocol.pixels import Pixels, SampleType
from painterly_protocol.request import HarmonizeRequest, Parameters

WIDTH, HEIGHT = 12, 10
COMPOSITE_SAMPLE = 50


def flat(channels: int, value: int, width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """A uint8 picture of one value."""
    return Pixels(height, width, channels, SampleType.UINT8, bytes([value]) * (width * height * channels))


def request(script: str = "auto", *, previews: bool = False) -> HarmonizeRequest:
    """A job for the scripted runner; ``script`` is its ``weights`` parameter."""
    return HarmonizeRequest(
        flat(3, 10), flat(3, COMPOSITE_SAMPLE), flat(1, 255), parameters=Parameters(weights=script, previews=previews)
    )
