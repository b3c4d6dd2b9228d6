"""From the first frame to the last: painted, steadied, kept.

Shots, the frames between two cuts, know nothing of each other: neither their pictures nor their keys depend on what was
before the cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from painterly_engine.arrays import Array
from painterly_engine.pictures.files import Bytes
from painterly_engine.video.files import Frame
from painterly_engine.video.flicker import Flicker
from painterly_engine.video.flow import Flow, Motion, carried
from painterly_engine.video.keeping import Keeper, chained
from painterly_engine.video.painters import Before, Painter, State

EDGE = 0.5
"""Mask values above this count as the object where flicker is measured."""


@dataclass(frozen=True)
class Painted:
    """
    Attributes:
        frame: with the painted pixels.
        was_kept: whether it was painted earlier.
    """

    frame: Frame
    was_kept: bool


@dataclass(frozen=True)
class _Last:
    """The frame before: as it came, as it was painted, its key, and what its painter remembered then."""

    given: Bytes
    painted: Bytes
    key: str
    state: State


class Film:
    """
    Args:
        painter: of the frames.
        keeper: of the finished ones.
        settings: all that the painter does depends on, as text.
        steadiness: 0, every frame for itself, to 1, as much as possible carried over from the one before.

    Attributes:
        flicker: of the frames so far.
        shots: so far.
    """

    def __init__(self, painter: Painter, keeper: Keeper, settings: str, steadiness: float) -> None:
        self._painter, self._keeper, self._steadiness = painter, keeper, steadiness
        self._settings = chained("painterly-video-1", settings.encode(), str(steadiness).encode())
        self._flow = Flow()
        self._last: _Last | None = None
        self.flicker, self.shots = Flicker(), 0

    def paint(self, frames: Iterable[tuple[Frame, Bytes]]) -> Iterator[Painted]:
        """Each frame with its mask (H, W); one at a time."""
        for frame, mask in frames:
            motion = self._motion(frame)
            if motion is None:
                self.shots += 1
            last = self._last if motion is not None else None
            key = chained(
                self._settings if last is None else last.key,
                np.ascontiguousarray(frame.pixels).data.cast("B"),
                np.ascontiguousarray(mask).data.cast("B"),
            )
            kept = self._kept(frame, key)
            found, state = kept or self._made(frame, mask, last, motion, key)
            if last is not None and motion is not None:
                object_there = mask > 255 * EDGE
                self.flicker.add(motion, (last.given, frame.pixels), (last.painted, found), object_there)
            self._last = _Last(frame.pixels, found, key, state)
            yield Painted(Frame(frame.number, found, frame.time), kept is not None)

    def _kept(self, frame: Frame, key: str) -> tuple[Bytes, State] | None:
        """None too for a picture without what was remembered at it, from which no other frame could go on."""
        picture, state = self._keeper.picture(frame.number, key), self._keeper.state(frame.number, key)
        if picture is None or state is None or picture.shape != frame.pixels.shape:
            return None
        return picture, state

    def _motion(self, frame: Frame) -> Motion | None:
        """None for the first frame of a shot."""
        if self._last is None or self._last.given.shape != frame.pixels.shape:
            return None
        motion = self._flow.between(self._last.given, frame.pixels)
        return None if motion.is_cut else motion

    def _made(
        self, frame: Frame, mask: Bytes, last: _Last | None, motion: Motion | None, key: str
    ) -> tuple[Bytes, State]:
        self._painter.remember({} if last is None else last.state)
        before = None
        if self._steadiness > 0 and last is not None and motion is not None:
            moved = carried(last.painted.astype(np.float32) / 255, motion.back).clip(0, 1)
            before = Before(moved, self._steadiness * motion.sure)
        painted = frame.pixels if not mask.any() else _bytes(self._steadied(frame, mask, before))
        state = self._painter.state()
        self._keeper.keep(frame.number, key, painted, state)
        return painted, state

    def _steadied(self, frame: Frame, mask: Bytes, before: Before | None) -> Array:
        """(H, W, 3) in [0, 1]: as painted, mixed with the frame before where that is sure."""
        painted = self._painter.paint(frame.pixels, mask, before)
        if before is None:
            return painted
        share = (before.sure * (mask.astype(np.float32) / 255))[..., None]
        mixed: Array = painted + share * (before.picture - painted)
        return mixed


def _bytes(picture: Array) -> Bytes:
    found: Bytes = np.rint(255 * picture.clip(0, 1)).astype(np.uint8)
    return found
