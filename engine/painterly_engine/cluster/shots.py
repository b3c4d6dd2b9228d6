"""``painterly video --backend ray``: a video's shots painted side by side, each frame kept as soon as it is done.

Shots know nothing of each other (``video.film``), so each goes to an actor that paints it as this machine would: with a
keeper of its own, which holds what was kept of the shot before, and whose new files come back one frame at a time.
When all have come, making the video here finds every frame painted. So the result is the local one, whatever machine
painted a frame, and whatever went down meanwhile costs no more than the frame it was at.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ObjectLostError, RayActorError, RayError, RayTaskError

from painterly_engine.cluster.joining import join
from painterly_engine.cluster.options import ClusterOptions
from painterly_engine.pictures.files import Bytes
from painterly_engine.video.files import Frame
from painterly_engine.video.film import Film
from painterly_engine.video.flow import Flow
from painterly_engine.video.keeping import Keeper
from painterly_protocol.errors import ErrorCode, PainterlyError

MOST_MOVES = 5  # actors that may go down under a shot
AHEAD = 2  # shots read for each worker
ROOM_S = 600.0  # the longest wait for the first worker: a machine may have to be switched on
LOOK_S = 5.0
LOST = (RayActorError, ObjectLostError)  # the actor, or a frame on its way from a node that went down
Files = dict[str, bytes]
Told = Callable[[int], None]


@dataclass(eq=False)
class Shot:
    """Frames between two cuts, with their masks, in the object store."""

    numbers: list[int] = field(default_factory=list)
    stored: list[Any] = field(default_factory=list)
    moves: int = 0

    def add(self, frame: Frame, mask: Bytes) -> None:
        self.numbers.append(frame.number)
        self.stored.append(ray.put((frame.pixels, mask)))


class ShotPainter:
    """The actor. Its node's networks must be those of the machine that asks."""

    def __init__(self, settings: str, steadiness: float) -> None:
        self._settings, self._steadiness = settings, steadiness

    def ready(self, arguments: argparse.Namespace, painting: Bytes) -> None:
        """Load what it needs.

        Raises:
            RuntimeError: where its node's version or networks are others.
        """
        from painterly_engine.video.choosing import painter_of

        self._painter, own = painter_of(arguments, painting)
        if own != self._settings:
            machine = socket.gethostname()
            raise RuntimeError(f"{machine} has another painterly or other networks: it needs the same as this machine")

    def paint(self, numbers: list[int], kept: Files, stored: list[Any]) -> Iterator[Files]:
        """What each frame that had not been kept adds to its keeper's folder.

        Args:
            stored: references to (frame, mask): in a list Ray fetches none before it is asked for.
        """
        with tempfile.TemporaryDirectory(prefix="painterly-shot-") as name:
            folder = Path(name)
            for file, data in kept.items():
                (folder / file).write_bytes(data)
            film = Film(self._painter, Keeper(folder), self._settings, self._steadiness)
            known = set(kept)
            for _ in film.paint(_fetched(numbers, stored)):
                new = {file.name: file.read_bytes() for file in folder.iterdir() if file.name not in known}
                known |= new.keys()
                yield new


def _fetched(numbers: list[int], stored: list[Any]) -> Iterator[tuple[Frame, Bytes]]:
    for number, reference in zip(numbers, stored, strict=True):
        pixels, mask = ray.get(reference)
        yield Frame(number, pixels, 0), mask


@dataclass(frozen=True)
class Making:
    """
    Attributes:
        arguments, painting: what ``video.choosing.painter_of`` makes the painter of.
        settings, steadiness: as ``video.film.Film``'s.
        keeper: here.
    """

    arguments: argparse.Namespace
    painting: Bytes
    settings: str
    steadiness: float
    keeper: Keeper


def paint_shots(
    frames: Iterable[tuple[Frame, Bytes]], making: Making, options: ClusterOptions, workers: int, told: Told
) -> None:
    """Have every frame painted and kept, by ``workers`` actors.

    Args:
        told: hears how many frames have been painted.

    Raises:
        PainterlyError: WORKER_DIED where no actor comes, or for a shot whose actors go down again and again; what an
            actor's painter raises becomes INTERNAL.
    """
    with contextlib.ExitStack() as leaving:
        join(options, leaving)
        _Studio(making, options, workers, told).paint(shots(frames))


def shots(frames: Iterable[tuple[Frame, Bytes]]) -> Iterator[Shot]:
    """Cut where ``Film`` cuts."""
    flow, shot, before = Flow(), Shot(), None
    for frame, mask in frames:
        if before is not None and (before.shape != frame.pixels.shape or flow.between(before, frame.pixels).is_cut):
            yield shot
            shot = Shot()
        shot.add(frame, mask)
        before = frame.pixels
    if shot.numbers:
        yield shot


class _Studio:
    """Actors, each with a shot or none; nobody waits for those that find no room on the cluster."""

    def __init__(self, making: Making, options: ClusterOptions, workers: int, told: Told) -> None:
        self._making, self._options, self._told = making, options, told
        self._painting = ray.put(making.painting)
        self._coming: dict[Any, Any] = {}  # actors, by what tells that they are ready
        self._idle: deque[Any] = deque()
        self._at_work: dict[Any, tuple[Any, Shot]] = {}  # by the generator of its files
        self._waiting: deque[Shot] = deque()
        self._ahead = AHEAD * workers
        self._stillborn = 0
        self._heard_at = time.monotonic()
        self._painted = 0
        for _ in range(workers):
            self._hire()

    def paint(self, shots: Iterator[Shot]) -> None:
        reading = True
        while reading or self._waiting or self._at_work:
            room = reading and len(self._waiting) + len(self._at_work) < self._ahead
            if room:
                shot = next(shots, None)
                reading = shot is not None
                self._waiting.extend([shot] if shot is not None else [])
            self._send()
            self._hear(0.0 if room else LOOK_S)

    def _hire(self) -> None:
        making = self._making
        painter: Any = ray.remote(ShotPainter).options(
            num_gpus=self._options.gpus, num_cpus=self._options.cpus, scheduling_strategy="SPREAD"
        )
        actor = painter.remote(making.settings, making.steadiness)
        self._coming[actor.ready.remote(making.arguments, self._painting)] = actor

    def _send(self) -> None:
        while self._waiting and self._idle:
            actor, shot = self._idle.popleft(), self._waiting.popleft()
            kept = self._making.keeper.files(shot.numbers)
            coming = actor.paint.options(num_returns="streaming").remote(shot.numbers, kept, shot.stored)
            self._at_work[coming] = (actor, shot)

    def _hear(self, patience_s: float) -> None:
        expected = [*self._coming, *self._at_work]
        heard: list[Any] = ray.wait(expected, num_returns=1, timeout=patience_s)[0] if expected else []
        for told in heard:
            self._heard_at = time.monotonic()
            if told in self._coming:
                self._welcome(told)
            else:
                self._take(told)
        if not self._at_work and not self._idle and time.monotonic() > self._heard_at + ROOM_S:
            raise _no_worker("the cluster has no room for one")

    def _welcome(self, ready: Any) -> None:
        actor = self._coming.pop(ready)
        try:
            ray.get(ready)
        except RayTaskError as error:
            raise _failed(error) from error
        except RayActorError as error:
            self._stillborn += 1
            if self._stillborn > MOST_MOVES:
                raise _no_worker(_first_line(error)) from error
            self._hire()
        else:
            self._stillborn = 0
            self._idle.append(actor)

    def _take(self, coming: Any) -> None:
        """A frame, or the end of a shot."""
        actor, shot = self._at_work[coming]
        try:
            new: Any = ray.get(next(coming))
            self._making.keeper.take(new)
            self._painted += 1
            self._told(self._painted)
        except StopIteration:
            del self._at_work[coming]
            self._idle.append(actor)
        except RayTaskError as error:
            raise _failed(error) from error
        except LOST as error:
            del self._at_work[coming]
            ray.kill(actor)
            self._move(shot, error)

    def _move(self, shot: Shot, error: RayError) -> None:
        shot.moves += 1
        if shot.moves > MOST_MOVES:
            raise PainterlyError(
                ErrorCode.WORKER_DIED,
                f"The machines that painted a shot went down {shot.moves} times ({_first_line(error)}).",
                "Look after the cluster, then run the same command again: it goes on where it was.",
            )
        self._waiting.appendleft(shot)
        self._hire()


def _no_worker(why: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.WORKER_DIED,
        f"No worker has come to paint ({why}).",
        "Look with “ray status” what the cluster has free, and at --workers, --cpus-each and --gpus-each.",
    )


def _failed(error: RayTaskError) -> PainterlyError:
    """Ray's own text ends with the error's class and sentence."""
    said = str(error).strip().splitlines()[-1].partition(": ")
    return PainterlyError(
        ErrorCode.INTERNAL, f"A shot could not be painted: {said[2] or said[0]}.", "Look after that machine."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
