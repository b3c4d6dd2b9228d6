"""From a video file to the painted one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from painterly_engine.pictures.files import Bytes
from painterly_engine.video.files import QUALITY, Frame, Source, Target
from painterly_engine.video.film import Film
from painterly_engine.video.keeping import Keeper
from painterly_engine.video.masks import Masks
from painterly_engine.video.painters import Painter

Told = Callable[[int, int, int], None]
"""Frames done, frames that the file says it has (0: it does not say), and how many of those done were kept ones."""


@dataclass(frozen=True)
class Made:
    """What a video has taken and become.

    Attributes:
        frames: in it.
        kept: how many of them had been painted before.
        shots: how often something new began.
        seconds: for all the others.
        work: of them, what this process's processors worked, all together.
        flicker: the output's over the input's (video/flicker.py); None where that cannot be said.
        unexplained: the two of them, mean change that no motion explains, in steps of 1/255.
    """

    frames: int
    kept: int
    shots: int
    seconds: float
    work: float
    flicker: float | None
    unexplained: tuple[float, float]

    @property
    def seconds_each(self) -> float:
        return self.seconds / max(1, self.frames - self.kept)


def make_video(
    path: Path,
    output: Path,
    painter: Painter,
    masks: Masks,
    keeper: Keeper,
    settings: str,
    steadiness: float,
    told: Told = lambda _done, _of, _kept: None,
    quality: int = QUALITY,
    most: int | None = None,
) -> Made:
    """Paint a video; its sound, its times and its size stay. Whatever happens, no half a file is left at ``output``.

    Args:
        settings: all that the painter does depends on, as text.
        told: hears of every frame; may raise to stop.
        quality: of the picture, 0 to 51, 0 the best.
        most: how many frames are painted; None for all.

    Raises:
        PainterlyError: what the files or the painter raise.
    """
    film = Film(painter, keeper, settings, steadiness)
    done, kept, started, worked = 0, 0, time.monotonic(), time.process_time()
    with Source(path) as source, Target(output, source, quality) as target:
        frames = min(source.frames, most or source.frames)
        for painted in film.paint(_masked(islice(source.read(target.hear), most), masks)):
            target.show(painted.frame)
            done, kept = done + 1, kept + painted.was_kept
            told(done, frames, kept)
    flicker = film.flicker
    mean = (flicker.input / max(1, flicker.pairs), flicker.output / max(1, flicker.pairs))
    seconds, work = time.monotonic() - started, time.process_time() - worked
    return Made(done, kept, film.shots, seconds, work, flicker.figure, mean)


def _masked(frames: Iterator[Frame], masks: Masks) -> Iterator[tuple[Frame, Bytes]]:
    for frame in frames:
        yield frame, masks(frame)
