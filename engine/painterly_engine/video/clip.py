"""A clip of our own to try videos with: an object moves over a painting that moves, and a tone is heard."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from painterly_engine.arrays import Array
from painterly_engine.cutout.opencv import cv2
from painterly_engine.pictures.files import Bytes
from painterly_engine.video.files import libraries

RATE, SOUND_RATE, TONE = 24, 48_000, 440.0
NOISE = 1.5  # of 255: a camera's, which makes what is painted frame by frame flicker
SOUND_FRAME = 1024


def make_clip(path: Path, masks: Path, painting: Bytes, cutout: Bytes, frames: int, size: tuple[int, int]) -> None:
    """Write the clip, and the object's mask in each frame as ``masks/000000.png`` …

    Args:
        painting: (H, W, 3).
        cutout: (h, w, 4).
        size: (height, width) of the clip.
    """
    av = libraries()
    masks.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = size[1], size[0], "yuv420p"
        video.options = {"crf": "14"}
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        tone = _tone(Fraction(frames, RATE))
        heard = 0
        for number, (picture, mask) in enumerate(moving(painting, cutout, frames, size)):
            Image.fromarray(mask).save(masks / f"{number:06}.png")
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            while heard < len(tone) and heard / SOUND_RATE <= number / RATE:
                container.mux(sound.encode(_sound(tone[heard : heard + SOUND_FRAME], heard)))
                heard += SOUND_FRAME
        container.mux(video.encode(None))
        container.mux(sound.encode(None))


def moving(painting: Bytes, cutout: Bytes, frames: int, size: tuple[int, int]) -> Iterator[tuple[Bytes, Bytes]]:
    """Frames (h, w, 3) with the object's mask (h, w)."""
    rng = np.random.default_rng(0)
    ground = painting.astype(np.float32)
    cover = cutout[..., 3:].astype(np.float32) / 255
    shaped = np.dstack([cutout[..., :3] * cover, 255 * cover])
    for number in range(frames):
        t = number / max(1, frames - 1)
        below = _seen(ground, _pan(painting, size, t), size)
        above = _seen(shaped, _path(cutout, size, t), size)
        alpha = above[..., 3:].clip(0, 255) / 255
        picture = above[..., :3] + (1 - alpha) * below + rng.normal(0, NOISE, below.shape)
        yield np.rint(picture.clip(0, 255)).astype(np.uint8), np.rint(255 * alpha[..., 0]).astype(np.uint8)


def _pan(painting: Bytes, size: tuple[int, int], t: float) -> Array:
    """Where the painting's pixels go: a slow drift over as much of it as there is beyond the frame."""
    height, width = painting.shape[:2]
    scale = max(1.12 * size[0] / height, 1.12 * size[1] / width)
    spare_x, spare_y = width * scale - size[1], height * scale - size[0]
    return np.array([[scale, 0, -spare_x * t], [0, scale, -spare_y * (0.3 + 0.3 * t)]], np.float32)


def _path(cutout: Bytes, size: tuple[int, int], t: float) -> Array:
    """Where the object's pixels go: an arc from left to right, turning and growing a little."""
    height, width = cutout.shape[:2]
    scale = (0.5 + 0.1 * t) * size[0] / height
    angle = np.deg2rad(10 * np.sin(2 * np.pi * t))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    x, y = size[1] * (0.28 + 0.42 * t), size[0] * (0.62 - 0.12 * np.sin(np.pi * t))
    return np.array(
        [[cos, -sin, x - (cos * width - sin * height) / 2], [sin, cos, y - (sin * width + cos * height) / 2]],
        np.float32,
    )


def _seen(picture: Array, matrix: Array, size: tuple[int, int]) -> Array:
    cv = cv2("video")
    found: Array = cv.warpAffine(picture, matrix, (size[1], size[0]), flags=cv.INTER_CUBIC)
    return found


def _tone(seconds: Fraction) -> Array:
    steps = np.arange(int(seconds * SOUND_RATE), dtype=np.float32)
    tone: Array = (0.2 * np.sin(2 * np.pi * TONE * steps / SOUND_RATE)).astype(np.float32)
    return tone


def _sound(samples: Array, start: int) -> Any:
    frame = libraries().AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts = SOUND_RATE, start
    return frame
