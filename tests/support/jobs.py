"""Small harmonization requests for tests that do not care what is in the pictures."""

from __future__ import annotations

import struct
from dataclasses import replace

from painterly_protocol.pixels import Pixels, SampleType
from painterly_protocol.request import HarmonizeRequest, Parameters

WIDTH, HEIGHT = 12, 10
COMPOSITE_SAMPLE = 50


def flat(channels: int, value: int, width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """A uint8 picture of one value."""
    return Pixels(height, width, channels, SampleType.UINT8, bytes([value]) * (width * height * channels))


def request(
    script: str = "auto", *, previews: bool = False, width: int = WIDTH, iterations: int | None = None
) -> HarmonizeRequest:
    """A job for the scripted runner; ``script`` is its ``weights`` parameter."""
    parameters = Parameters(weights=script, previews=previews, iterations=iterations)
    pictures = (flat(3, 10, width), flat(3, COMPOSITE_SAMPLE, width), flat(1, 255, width))
    return HarmonizeRequest(*pictures, parameters=parameters)


def with_seed(parameters: Parameters, seed: int) -> Parameters:
    """The same, but for the search's seed."""
    return replace(parameters, seed=seed)


def whole_in_float(sample: float) -> HarmonizeRequest:
    """A job in float whose composite, which the scripted runner gives back inverted byte by byte, is one sample."""
    black = Pixels(HEIGHT, WIDTH, 3, SampleType.FLOAT32, bytes(4 * WIDTH * HEIGHT * 3))
    back = bytes(255 - byte for byte in struct.pack("<f", sample)) * (WIDTH * HEIGHT * 3)
    composite = Pixels(HEIGHT, WIDTH, 3, SampleType.FLOAT32, back)
    return HarmonizeRequest(black, composite, flat(1, 255))
