"""Boxes on the canvas, and rows of pixels inside byte buffers. Hardly a loop runs over pixels."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from painterly_protocol.pixels import Pixels, SampleType

# The least of the surroundings that always travels with the object: growing and softening its edge must fit in.
MARGIN = 256  # px
# A painting up to this size travels whole: all of it is the style to imitate. Of a larger one travels what surrounds
# the object, up to this size.
CONTEXT_PIXELS = 4_000_000
STRIP_PIXELS = 1 << 17  # how much is read at a time while a window waits to be drawn

# Samples are moved, never calculated with: only their size matters.
_WORDS = {SampleType.UINT8: "B", SampleType.UINT16: "H", SampleType.FLOAT32: "I"}
_ANYTHING = bytes(255 if value else 0 for value in range(256))
_MORE_THAN_HALF = bytes(255 if value > 127 else 0 for value in range(256))
_WHITE_HIGH, _WHITE_LOW = (bytes(part if value else 0 for value in range(256)) for part in (0x3F, 0x80))


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels: left, top, width, height. Width or height 0 makes it empty."""

    x: int
    y: int
    width: int
    height: int

    @property
    def is_empty(self) -> bool:
        return self.width <= 0 or self.height <= 0

    @property
    def pixels(self) -> int:
        return 0 if self.is_empty else self.width * self.height

    def intersect(self, other: Box) -> Box:
        """The common part; empty (0×0) where there is none."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        if right <= left or bottom <= top:
            return Box(0, 0, 0, 0)
        return Box(left, top, right - left, bottom - top)

    def shifted(self, dx: int, dy: int) -> Box:
        return Box(self.x + dx, self.y + dy, self.width, self.height)

    def grown(self, margin: int) -> Box:
        return Box(self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin)

    def strips(self, pixels: int = STRIP_PIXELS) -> Iterator[Box]:
        """The box cut into whole rows of about ``pixels`` pixels, from the top."""
        rows = max(1, pixels // max(1, self.width))
        for y in range(0, self.height, rows):
            yield Box(self.x, self.y + y, self.width, min(rows, self.height - y))


def region_around(needed: Box, canvas: Box, margin: int = MARGIN, budget: int = CONTEXT_PIXELS) -> Box:
    """What of ``canvas`` leaves GIMP for an object in ``needed``: all of a canvas of up to ``budget`` pixels, else
    ``needed`` with a margin all around, as wide as ``budget`` allows and at least ``margin``."""
    if canvas.pixels <= budget:
        return canvas
    narrow, wide = margin, max(margin, canvas.width, canvas.height)
    while narrow < wide:
        middle = (narrow + wide + 1) // 2
        if needed.grown(middle).intersect(canvas).pixels <= budget:
            narrow = middle
        else:
            wide = middle - 1
    return needed.grown(narrow).intersect(canvas)


def at_most(box: Box, budget: int = CONTEXT_PIXELS) -> Box:
    """``box``, or its middle where it has more than ``budget`` pixels."""
    if box.pixels <= budget:
        return box
    shrink = (budget / box.pixels) ** 0.5
    width, height = max(1, int(box.width * shrink)), max(1, int(box.height * shrink))
    return Box(box.x + (box.width - width) // 2, box.y + (box.height - height) // 2, width, height)


def covered_box(plane: Pixels) -> Box:
    """The smallest box that holds every non-zero sample of a one-channel picture; empty where all are zero."""
    size = plane.sample_type.size
    stride = plane.width * size
    data = bytes(plane.data)
    left, right, top, bottom = plane.width, 0, plane.height, 0
    for y in range(plane.height):
        row = data[y * stride : (y + 1) * stride]
        zeros_before = stride - len(row.lstrip(b"\0"))
        if zeros_before == stride:
            continue
        left = min(left, zeros_before // size)
        right = max(right, -(-len(row.rstrip(b"\0")) // size))
        top, bottom = min(top, y), y + 1
    return Box(left, top, right - left, bottom - top) if right else Box(0, 0, 0, 0)


def crop(picture: Pixels, box: Box) -> Pixels:
    """The part of ``picture`` inside ``box``, which must lie within it."""
    pixel = picture.channels * picture.sample_type.size
    stride = picture.width * pixel
    source = memoryview(picture.data).cast("B")
    start, length = box.x * pixel, box.width * pixel
    rows = (source[y * stride + start : y * stride + start + length] for y in range(box.y, box.y + box.height))
    return Pixels(box.height, box.width, picture.channels, picture.sample_type, b"".join(rows))


def pasted(picture: Pixels, part: Pixels, x: int, y: int) -> Pixels:
    """``picture`` with ``part``, of the same channels and samples, at (x, y)."""
    pixel = picture.channels * picture.sample_type.size
    whole, rows = bytearray(picture.data), bytes(part.data)
    length = part.width * pixel
    for row in range(part.height):
        start = ((y + row) * picture.width + x) * pixel
        whole[start : start + length] = rows[row * length : (row + 1) * length]
    return Pixels(picture.height, picture.width, picture.channels, picture.sample_type, bytes(whole))


def surrounded(plane: Pixels, box: Box, width: int, height: int) -> Pixels:
    """A one-channel picture of ``width`` × ``height`` that holds ``plane`` in ``box`` and zeros around it."""
    size = plane.sample_type.size
    row = box.width * size
    before, after = bytes(box.x * size), bytes((width - box.x - box.width) * size)
    data = bytes(plane.data)
    parts = [bytes(box.y * width * size)]
    for y in range(box.height):
        parts += (before, data[y * row : (y + 1) * row], after)
    parts.append(bytes((height - box.y - box.height) * width * size))
    return Pixels(height, width, 1, plane.sample_type, b"".join(parts))


def without_alpha(rgba: bytes, sample_type: SampleType) -> bytes:
    """The colours of RGBA samples. GEGL could do it, but looks up to a second for how, in every new process."""
    word = _WORDS[sample_type]
    source = array(word, rgba)
    target = array(word, bytes(len(source) // 4 * 3 * sample_type.size))
    for channel in range(3):
        target[channel::3] = source[channel::4]
    return target.tobytes()


def alpha_plane(rgba: bytes, width: int, height: int, sample_type: SampleType) -> Pixels:
    """The alpha of an RGBA picture of uint8 or float32 samples as a one-channel picture of its own."""
    # Bytes are sliced many times faster than a memoryview.
    alpha = rgba[3::4] if sample_type is SampleType.UINT8 else memoryview(rgba).cast("f")[3::4].tobytes()
    return Pixels(height, width, 1, sample_type, alpha)


def leading_bytes(plane: Pixels) -> bytes:
    """One byte for each sample of a uint8 or float32 plane: not 0 where the sample is above what anybody sees."""
    data = bytes(plane.data)
    # The high byte of a float32 is most of its exponent: from 2⁻¹²⁵ up it is not 0.
    return data if plane.sample_type is SampleType.UINT8 else data[3::4]


def solid(plane: bytes) -> bytes:
    """255 wherever a uint8 plane is not 0."""
    return plane.translate(_ANYTHING)


def firm(plane: bytes) -> bytes:
    """255 wherever a uint8 plane is more than half, else 0."""
    return plane.translate(_MORE_THAN_HALF)


def both(one: bytes, other: bytes) -> bytes:
    """Bit by bit: 255 where both of two solid planes are."""
    length = len(one)
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(length, "little")


def with_alpha(rgba: bytes, solid_plane: bytes, sample_type: SampleType) -> bytes:
    """The colours of ``rgba`` (uint8 or float32) under the alpha of ``solid_plane``: 255 is opaque, 0 transparent."""
    painted = bytearray(rgba)
    if sample_type is SampleType.UINT8:
        painted[3::4] = solid_plane
        return bytes(painted)
    # 1.0 as little-endian float32 is 00 00 80 3f.
    painted[12::16] = painted[13::16] = bytes(len(solid_plane))
    painted[14::16], painted[15::16] = solid_plane.translate(_WHITE_LOW), solid_plane.translate(_WHITE_HIGH)
    return bytes(painted)
