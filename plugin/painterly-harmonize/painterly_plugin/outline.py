"""The mask that a result layer remembers, and where on the canvas that belongs once the image has changed.

It was made of the object, so it follows the object wherever that is moved. What turns, scales, mirrors or cuts an
image does not reach what a layer remembers: that is taken only where object or result look as they did. Everywhere else
the layer mask counts, which GIMP itself turns, scales, mirrors and cuts.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from painterly_plugin.placement import Box

PARASITE_NAME = "painterly-harmonize-mask"
MAX_SIDE = 1 << 19  # px, of a canvas in GIMP
# As a number it is further to the right than a canvas reaches: no outline of an earlier version begins like this.
_MAGIC = b"PHO2"
_BOXES = struct.Struct("<4s4i4iI4iI")
_EARLIER = struct.Struct("<4i")


@dataclass(frozen=True)
class Shape:
    """A layer at some time.

    Attributes:
        box: where on the canvas it is.
        checksum: of what it looks like; 0 where that would be the same after it was mirrored.
    """

    box: Box
    checksum: int


@dataclass(frozen=True)
class Made:
    """What an outline was made of and for: the object, and the result's layer mask."""

    of: Shape
    result: Shape


@dataclass(frozen=True)
class Outline:
    """A soft mask as a layer remembers it.

    Attributes:
        box: where on the canvas it was.
        packed: its coverage, compressed.
        made: what else was there; None where an earlier version of the plug-in did not say.
    """

    box: Box
    packed: bytes
    made: Made | None = None

    def coverage(self, canvas: Box) -> bytes | None:
        """One byte for each pixel of ``box``; None where that is damaged, or larger than ``canvas``: a few bytes could
        stand for gigabytes."""
        if self.box.is_empty or self.box.width > canvas.width or self.box.height > canvas.height:
            return None
        try:
            # One byte more than there may be, and no further.
            coverage = zlib.decompressobj().decompress(self.packed, self.box.pixels + 1)
        except zlib.error:
            return None
        return coverage if len(coverage) == self.box.pixels else None


def packed(outline: Outline) -> bytes:
    """``outline``, of which is known what it was made of, for a parasite."""
    assert outline.made is not None
    of, result = outline.made.of, outline.made.result
    return (
        _BOXES.pack(
            _MAGIC, *_numbers(outline.box), *_numbers(of.box), of.checksum, *_numbers(result.box), result.checksum
        )
        + outline.packed
    )


def unpacked(data: bytes) -> Outline | None:
    """What ``packed`` made, or what earlier versions did; None where it is damaged."""
    try:
        if data[: len(_MAGIC)] != _MAGIC:
            return _sound(Outline(Box(*_EARLIER.unpack_from(data)), data[_EARLIER.size :]))
        numbers = _BOXES.unpack_from(data)[1:]
    except struct.error:
        return None
    made = Made(Shape(Box(*numbers[4:8]), numbers[8]), Shape(Box(*numbers[9:13]), numbers[13]))
    return _sound(Outline(Box(*numbers[:4]), data[_BOXES.size :], made))


def place_of(outline: Outline, now: Made) -> Box | None:
    """Where on the canvas the outline belongs now; None where it does not fit what is there."""
    then = outline.made
    if then is None:
        # Nothing else tells whether the layer is where it was.
        return outline.box if outline.box.intersect(now.result.box) == outline.box else None
    if _size(now.of) != _size(then.of):
        return None
    if not (_alike(then.of, now.of) or (_alike(then.result, now.result) and not _may_be_turned(then, now))):
        return None
    return outline.box.shifted(now.of.box.x - then.of.box.x, now.of.box.y - then.of.box.y)


def is_lost(outline: Outline, now: Made) -> bool:
    """Whether the result's layer mask does not fit the object either: it stayed as it was, the object did not."""
    then = outline.made
    return then is not None and _size(then.result) == _size(now.result) and _size(then.of) != _size(now.of)


def shown_at(outline: Outline, place: Box, now: Made) -> Box | None:
    """Where on the canvas the result's layer mask, as it is now, shows what belongs to ``place``; None where nothing
    was painted out of it."""
    then = outline.made
    if then is None or _size(then.result) != _size(now.result):
        return place
    if _alike(then.result, now.result):
        return None
    return outline.box.shifted(now.result.box.x - then.result.box.x, now.result.box.y - then.result.box.y)


def checksum_of_rows(rows: Sequence[bytes]) -> int:
    """Of rows of RGBA bytes from equal distances above and below a picture's middle; 0 where they would be the same
    after the picture was mirrored or turned upside down."""
    mirrored = [_backwards(row) for row in rows]
    upside_down = list(reversed(rows))
    if rows in (mirrored, upside_down) or mirrored == upside_down:
        return 0
    return zlib.crc32(b"".join(rows))


def rows_to_look_at(height: int, most: int = 64) -> list[int]:
    """Up to ``most`` rows of a picture, as far from its top as from its bottom."""
    half = min(most // 2, (height + 1) // 2)
    upper = {step * ((height + 1) // 2) // half for step in range(half)}
    return sorted(upper | {height - 1 - row for row in upper})


def _sound(outline: Outline) -> Outline | None:
    boxes = [outline.box, *((outline.made.of.box, outline.made.result.box) if outline.made else ())]
    likely = all(-MAX_SIDE <= number <= MAX_SIDE for box in boxes for number in _numbers(box))
    return outline if likely and not outline.box.is_empty else None


def _numbers(box: Box) -> tuple[int, int, int, int]:
    return box.x, box.y, box.width, box.height


def _size(shape: Shape) -> tuple[int, int]:
    return shape.box.width, shape.box.height


def _alike(then: Shape, now: Shape) -> bool:
    return _size(then) == _size(now) and then.checksum == now.checksum != 0


def _may_be_turned(then: Made, now: Made) -> bool:
    """Whether the object lies beside its result where mirroring or turning both would have brought it."""
    x, y = _distance(then)
    far_x = then.result.box.width - then.of.box.width - x
    far_y = then.result.box.height - then.of.box.height - y
    turned = {(a, b) for a in (x, far_x) for b in (y, far_y)}
    turned |= {(b, a) for a, b in turned}
    return _distance(now) in turned - {(x, y)}


def _distance(made: Made) -> tuple[int, int]:
    """From the result's corner to the object's."""
    return made.of.box.x - made.result.box.x, made.of.box.y - made.result.box.y


def _backwards(row: bytes) -> bytes:
    pixels = array("I", row)
    pixels.reverse()
    return pixels.tobytes()
