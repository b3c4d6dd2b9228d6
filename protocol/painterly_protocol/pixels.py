"""Pixel arrays as they travel: shape and sample type in the header, samples in a frame of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from painterly_protocol.errors import ErrorCode, PainterlyError


class SampleType(str, Enum):
    """How one sample is stored, native byte order little-endian: full range integers, or float with 1.0 as white."""

    UINT8 = "uint8"
    UINT16 = "uint16"
    FLOAT32 = "float32"

    @property
    def size(self) -> int:
        """Bytes per sample."""
        return {"uint8": 1, "uint16": 2, "float32": 4}[self.value]


@dataclass(frozen=True)
class Pixels:
    """A picture (height, width, channels), row by row, without padding.

    ``channels`` is 3 for non-linear sRGB (R'G'B') pictures, 4 with straight alpha, and 1 for masks; alpha and masks are
    linear coverage.
    ``data`` is any contiguous byte buffer; it is never copied here.

    Raises:
        PainterlyError: BAD_REQUEST when a dimension is not positive or the buffer's length does not fit the shape.
    """

    height: int
    width: int
    channels: int
    sample_type: SampleType
    data: bytes | bytearray | memoryview

    def __post_init__(self) -> None:
        shape = (self.height, self.width, self.channels)
        if not all(isinstance(n, int) and n > 0 for n in shape):
            raise PainterlyError(ErrorCode.BAD_REQUEST, f"A picture of shape {shape} has no pixels.")
        expected = math.prod(shape) * self.sample_type.size
        actual = memoryview(self.data).nbytes
        if actual != expected:
            raise PainterlyError(
                ErrorCode.BAD_REQUEST,
                f"A {self.width}×{self.height} picture of {self.channels} {self.sample_type.value} channels "
                f"takes {expected} bytes, but {actual} came.",
            )
