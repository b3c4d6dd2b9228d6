"""What the scenes are drawn with: soft shapes, noise and streaks.

Positions are in units of the picture's height: x runs from 0 to its aspect, y from 0 (top) to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from strokes import Array

Colour = tuple[float, float, float]
Generator = np.random.Generator


def rgb(text: str) -> Colour:
    red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def ramp(value: Array, stops: Sequence[tuple[float, str]]) -> Array:
    """Colours (…,3) of values in [0,1], piecewise linear between the stops."""
    at = [position for position, _ in stops]
    colours = np.array([rgb(text) for _, text in stops])
    return np.stack([np.interp(value, at, colours[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def grid(height: int, width: int) -> tuple[Array, Array]:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return (x + 0.5) / height, (y + 0.5) / height


def smooth_noise(shape: tuple[int, int], cell: float, rng: Generator, stretch: float = 1) -> Array:
    """Smooth noise, about normal, with features ``cell`` picture heights tall and ``stretch`` times as wide."""
    cells = (shape[0] / (cell * shape[0]), shape[1] / (cell * stretch * shape[0]))
    size = [max(2, int(np.ceil(n)) + 1) for n in cells]
    coarse = Image.fromarray(rng.standard_normal(size).astype(np.float32))
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float32)


def unit_flow(x: Array, y: Array) -> Array:
    flow = np.stack([x, y], axis=-1)
    unit: Array = (flow / (np.linalg.norm(flow, axis=-1, keepdims=True) + 1e-6)).astype(np.float32)
    return unit


def drawn_out(flow: Array, cell: float, length: float, rng: Generator) -> Array:
    """Noise drawn out along the flow, spread evenly over [0,1] (line integral convolution, Cabral & Leedom 1993)."""
    height, width = flow.shape[:2]
    noise = smooth_noise((height, width), cell, rng)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    total = noise.copy()
    steps = 24
    stride = length * height / (2 * steps)
    for sign in (-stride, stride):
        px, py = x.copy(), y.copy()
        for _ in range(steps):
            row, column = np.clip(py, 0, height - 1).astype(int), np.clip(px, 0, width - 1).astype(int)
            px += sign * flow[row, column, 0]
            py += sign * flow[row, column, 1]
            total += noise[np.clip(py, 0, height - 1).astype(int), np.clip(px, 0, width - 1).astype(int)]
    spread = np.empty(total.size, np.float32)
    spread[total.ravel().argsort(kind="stable")] = np.linspace(0, 1, total.size, dtype=np.float32)
    streaks: Array = spread.reshape(total.shape)
    return streaks


def laid_over(below: Array, above: Array | Colour, alpha: Array) -> Array:
    a = np.clip(alpha, 0, 1)[..., None]
    return (below * (1 - a) + np.asarray(above, np.float32) * a).astype(np.float32)


def soft_step(value: Array, width: float) -> Array:
    """1 where the value is positive, 0 where negative, with a ramp of that width."""
    ramp: Array = np.clip(value / width + 0.5, 0, 1).astype(np.float32)
    return ramp


class Sketch:
    """Polygons in picture-height units, drawn finer than the picture and averaged: flat shapes with clean edges."""

    def __init__(self, height: int, width: int) -> None:
        self._fine = 4
        self._size = (width, height)
        self._unit = height * self._fine
        self._image = Image.new("RGBA", (width * self._fine, height * self._fine), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        self._draw.polygon([(x * self._unit, y * self._unit) for x, y in points], fill="#" + colour)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: str) -> None:
        u = self._unit
        self._draw.ellipse(((x - rx) * u, (y - ry) * u, (x + rx) * u, (y + ry) * u), fill="#" + colour)

    def layer(self) -> tuple[Array, Array]:
        """Colours (H,W,3) and coverage (H,W)."""
        small = self._image.convert("RGBa").resize(self._size, Image.Resampling.BOX)
        rgba = np.asarray(small, np.float32) / 255
        alpha = rgba[..., 3]
        return rgba[..., :3] / np.maximum(alpha, 1e-3)[..., None], alpha


def wavy_line(x: Array, base: float, waves: Sequence[tuple[float, float, float]]) -> Array:
    ridge: Array = (base + sum(a * np.sin(f * x + p) for a, f, p in waves)).astype(np.float32)
    return ridge


def rectangle(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
