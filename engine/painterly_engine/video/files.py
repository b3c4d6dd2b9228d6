"""Video files by FFmpeg's libraries: frames out of one, painted frames and the untouched sound into another.

Nothing here holds more than a few frames at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from painterly_engine.pictures.files import Bytes
from painterly_protocol.errors import ErrorCode, PainterlyError

CODECS = ("libx264", "libopenh264", "mpeg4")
"""The first one that this FFmpeg has; all players know them."""
QUALITY = 16  # x264's crf: paint has more fine detail than film
SIDE_OF_SD = 576  # rows; more of them are of BT.709 by custom where a file does not say
BT601, BT709 = 5, 1  # FFmpeg's numbers


@dataclass(frozen=True)
class Frame:
    """
    Attributes:
        number: from 0.
        pixels: (H, W, 3) uint8 RGB, upright.
        time: of its showing, in the stream's own units.
    """

    number: int
    pixels: Bytes
    time: int


def libraries() -> ModuleType:
    """PyAV.

    Raises:
        PainterlyError: BAD_REQUEST where it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "Videos need PyAV, which is not installed.",
            "Install it with: pip install 'painterly-harmonize[video]'",
        ) from error
    return av


class Source:
    """A video file, opened; a context manager.

    Attributes:
        frames: how many it says there are; 0 where it does not say.
        rate: frames a second, on average.
        time_base: the unit of frames' times, in seconds.

    Raises:
        PainterlyError: UNREADABLE_FILE.
    """

    def __init__(self, path: Path) -> None:
        av = libraries()
        self.path = path
        if not path.is_file():
            raise _unreadable(path, "there is no such file")
        try:
            self._container: Any = av.open(str(path))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _unreadable(path, _gist(error)) from error
        if not self._container.streams.video:
            self._container.close()
            raise _unreadable(path, "it has no pictures")
        self.video: Any = self._container.streams.video[0]
        self.video.thread_type = "AUTO"
        self.audio: list[Any] = list(self._container.streams.audio)
        self.time_base: Fraction = self.video.time_base
        self.rate: Fraction = self.video.average_rate or self.video.guessed_rate or Fraction(25)
        self.frames: int = self.video.frames or self._guessed_frames()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def read(self, heard: Callable[[Any], None] = lambda _packet: None) -> Iterator[Frame]:
        """All frames in order; ``heard`` gets the sound's packets as they come between them.

        Raises:
            PainterlyError: UNREADABLE_FILE where the file is damaged.
        """
        av = libraries()
        number, last = 0, None
        try:
            for packet in self._container.demux([self.video, *self.audio]):
                if packet.stream is not self.video:
                    if packet.dts is not None:
                        heard(packet)
                    continue
                for picture in packet.decode():
                    last = _after(picture.pts, last, self.rate, self.time_base)
                    yield Frame(number, _upright(picture), last)
                    number += 1
        except (av.error.FFmpegError, ValueError) as error:
            raise _unreadable(self.path, f"after {number} frames: {_gist(error)}") from error
        if number == 0:
            raise _unreadable(self.path, "it has no pictures")

    def _guessed_frames(self) -> int:
        seconds = self.video.duration * self.time_base if self.video.duration else None
        if seconds is None and self._container.duration:
            seconds = Fraction(self._container.duration, 1_000_000)
        return 0 if seconds is None else round(seconds * self.rate)


class Target:
    """A video file being written, beside its place until it is whole; a context manager.

    Args:
        path: of the file.
        source: whose times and sound it gets.
        quality: of the picture, 0 to 51, 0 the best.

    Raises:
        PainterlyError: BAD_REQUEST for a kind of file that cannot be written, or not with this sound; UNREADABLE_FILE.
    """

    def __init__(self, path: Path, source: Source, quality: int = QUALITY) -> None:
        av = libraries()
        self.path, self._part = path, path.with_name(f".{path.stem}.part{path.suffix}")
        self._source, self._quality = source, quality
        self._video: Any = None
        self._audio: dict[int, Any] = {}
        self._unheard: list[Any] = []
        try:
            self._container: Any = av.open(str(self._part), "w")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._part.unlink(missing_ok=True)
            raise _unwritable(path, error) from error

    def __enter__(self) -> Target:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Put the whole file into its place; after an error, nothing."""
        try:
            if kind is None:
                self._finish()
            else:
                self._close()
        finally:
            self._part.unlink(missing_ok=True)

    def show(self, frame: Frame) -> None:
        """Add a frame; the first one tells the size.

        Raises:
            PainterlyError: BAD_REQUEST, UNREADABLE_FILE.
        """
        av = libraries()
        try:
            if self._video is None:
                self._begin(frame.pixels.shape[1], frame.pixels.shape[0])
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.pixels), format="rgb24")
            space = self._video.codec_context.colorspace
            picture = picture.reformat(format=self._video.codec_context.pix_fmt, dst_colorspace=space)
            picture.pts, picture.time_base = frame.time, self._source.time_base
            self._container.mux(self._video.encode(picture))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _unwritable(self.path, error) from error

    def hear(self, packet: Any) -> None:
        """Add a packet of the source's sound as it is."""
        av = libraries()
        if self._video is None:  # a file begins with a list of its streams, and the first frame is not there yet
            self._unheard.append(packet)
            return
        packet.stream = self._audio[packet.stream.index]
        try:
            self._container.mux(packet)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _unwritable(self.path, error) from error

    def _begin(self, width: int, height: int) -> None:
        """Add the streams, and write what tells of them: what the file cannot take is refused at the first frame."""
        self._video = self._stream(width, height)
        self._audio = {stream.index: self._container.add_stream_from_template(stream) for stream in self._source.audio}
        self._container.start_encoding()
        for packet in self._unheard:
            self.hear(packet)
        self._unheard.clear()

    def _stream(self, width: int, height: int) -> Any:
        av = libraries()
        codec = next((name for name in CODECS if name in av.codecs_available), None)
        if codec is None:
            raise PainterlyError(
                ErrorCode.BAD_REQUEST, "This PyAV can write no video.", "Install the one from PyPI: pip install av"
            )
        stream = self._container.add_stream(codec, rate=self._source.rate)
        stream.width, stream.height = width, height
        even = width % 2 == 0 and height % 2 == 0
        stream.pix_fmt = "yuv420p" if even or codec == "mpeg4" else "yuv444p"
        context = stream.codec_context
        context.time_base = stream.time_base = self._source.time_base
        context.colorspace = context.color_primaries = context.color_trc = BT709 if height > SIDE_OF_SD else BT601
        context.color_range = 1  # "television": 16 to 235
        x264 = {"crf": str(self._quality), "preset": "medium", **_repeatable()}
        stream.options = x264 if codec == "libx264" else {"q": "2"}
        return stream

    def _finish(self) -> None:
        av = libraries()
        try:
            if self._video is not None:
                self._container.mux(self._video.encode(None))
            self._container.close()
            self._part.replace(self.path)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _unwritable(self.path, error) from error

    def _close(self) -> None:
        av = libraries()
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError, ValueError):
            return  # the error that led here is the one to tell


def _repeatable() -> dict[str, str]:
    """Options with which x264 makes the same bytes of the same frames. Its AVX-512 code (for macroblock trees) was seen
    not to, in PyAV 18: other bytes in most runs, with one thread too. Its AVX2 code takes as long."""
    return {"x264-params": "asm=AVX2"} if torch.backends.cpu.get_cpu_capability() == "AVX512" else {}


def _after(time: int | None, last: int | None, rate: Fraction, base: Fraction) -> int:
    """Times of frames rise; where a file leaves one out, or goes back, the rate says it."""
    step = max(1, round(1 / (rate * base)))
    if last is None:
        return time if time is not None else 0
    return time if time is not None and time > last else last + step


def _upright(picture: Any) -> Bytes:
    """(H, W, 3), as a player would turn it."""
    pixels: Bytes = picture.to_ndarray(format="rgb24")
    quarters = round(getattr(picture, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels


def _gist(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _unreadable(path: Path, reason: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNREADABLE_FILE, f"{path} cannot be read as a video: {reason}.", "Check that a player shows it."
    )


def _unwritable(path: Path, error: Exception) -> PainterlyError:
    return PainterlyError(
        ErrorCode.BAD_REQUEST,
        f"{path} cannot be written as a video: {_gist(error)}.",
        "Use .mp4 or .mkv; the latter takes every kind of sound.",
    )
