"""A whirling night sky over a village, in homage to van Gogh's of 1889."""

from __future__ import annotations

import numpy as np
from drawing import (
    Generator,
    Sketch,
    drawn_out,
    grid,
    laid_over,
    ramp,
    rectangle,
    rgb,
    smooth_noise,
    soft_step,
    unit_flow,
    wavy_line,
)
from strokes import Array, Scene

_MOON = (1.06, 0.165)
_STARS = (
    (0.36, 0.10, 0.030), (0.50, 0.055, 0.022), (0.66, 0.085, 0.034), (0.83, 0.05, 0.022), (0.27, 0.30, 0.030),
    (1.00, 0.365, 0.026), (0.40, 0.405, 0.020), (0.05, 0.12, 0.028), (0.055, 0.37, 0.022), (1.19, 0.40, 0.024),
)  # fmt: skip
_WHIRLS = ((0.53, 0.25, 0.125, 1.0), (0.745, 0.315, 0.085, -1.0))  # x, y, radius, sense


def night(height: int, width: int, seed: int) -> Scene:
    """A whirling night sky with moon and stars over hills, a village and a cypress."""
    rng = np.random.default_rng(seed)
    x, y = grid(height, width)
    colour, flow, focus = _night_sky(x, y, rng)
    colour, flow, focus = _hills(colour, flow, focus, x, y, rng)
    colour, flow, focus = _village(colour, flow, focus)
    colour, flow, focus = _cypress(colour, flow, focus, x, y, rng)
    return Scene(np.clip(colour, 0, 1), flow, np.clip(focus, 0, 1))


def _night_sky(x: Array, y: Array, rng: Generator) -> tuple[Array, Array, Array]:
    vx, vy = 1 + 0 * x, 0.30 * np.cos(5.2 * x + 0.6) + 0.22 * np.cos(9.0 * y + 2.0 * x)
    rings = np.zeros_like(x)
    for cx, cy, radius, sense in _WHIRLS:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy) + 1e-4
        pull = 3.2 * np.exp(-((r / (1.25 * radius)) ** 4))
        # A touch of inflow makes spirals of the circles.
        vx += sense * pull * (-dy / r) - 0.35 * pull * dx / r
        vy += sense * pull * (dx / r) - 0.35 * pull * dy / r
        spiral = np.cos(2 * np.pi * r / (0.52 * radius) - sense * np.arctan2(dy, dx))
        rings += spiral * np.exp(-((r / (1.15 * radius)) ** 4))
    for cx, cy, radius in (*_STARS, (*_MOON, 0.075)):
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy) + 1e-4
        # Not at the very heart, where a circle has no direction.
        pull = 5 * np.exp(-((r / (2.1 * radius)) ** 4)) * (1 - np.exp(-((r / (0.4 * radius)) ** 2)))
        vx, vy = vx - pull * dy / r, vy + pull * dx / r
    flow = unit_flow(vx, vy)

    streaks = drawn_out(flow, 0.020, 0.34, rng)
    wide = drawn_out(flow, 0.075, 0.5, rng)
    # The river of light: a bright band that winds through the whirls.
    river = np.exp(-(((y - 0.30 - 0.055 * np.sin(5.2 * x + 0.4)) / 0.085) ** 2))
    tone = 0.04 + 0.44 * streaks + 0.20 * wide + 0.20 * river + 0.30 * rings + 0.14 * y
    colour = ramp(
        tone,
        [
            (0.0, "0b1338"), (0.18, "14265f"), (0.36, "1d3f8f"), (0.52, "2f62b0"), (0.66, "5590c6"),
            (0.8, "93bfd0"), (0.92, "cfdcc4"), (1.0, "ece3b4"),
        ],
    )  # fmt: skip
    ochre = np.clip(wide - 0.78, 0, 1) * 3.0 * (0.3 + river)
    colour = laid_over(colour, rgb("c9a24a"), 0.55 * ochre)
    low = np.clip((y - 0.34) / 0.19, 0, 1) ** 2
    colour = laid_over(colour, ramp(streaks, [(0, "4f8fa6"), (0.5, "9cc0a8"), (1, "ecdc9a")]), 0.85 * low)

    focus: Array = 0.15 + 0.35 * np.clip(np.abs(rings), 0, 1)
    for cx, cy, radius in _STARS:
        colour, focus = _star(colour, focus, np.hypot(x - cx, y - cy) / radius, streaks)
    colour = _moon(colour, x, y, streaks)
    focus = np.maximum(focus, 0.8 * np.exp(-((_from(x, y, _MOON) / 0.13) ** 4)))
    return colour, flow, focus


def _from(x: Array, y: Array, place: tuple[float, float]) -> Array:
    distance: Array = np.hypot(x - place[0], y - place[1]).astype(np.float32)
    return distance


def _star(colour: Array, focus: Array, r: Array, streaks: Array) -> tuple[Array, Array]:
    """A star: a white heart, a yellow body, a halo of broken rings; r in radii of the star."""
    rings = 0.5 + 0.5 * np.cos(2 * np.pi * r / 0.85)
    halo = np.exp(-((r / 1.9) ** 2)) * (0.35 + 0.45 * rings + 0.2 * streaks)
    colour = laid_over(colour, rgb("b9d3b0"), 0.9 * halo)
    colour = laid_over(colour, rgb("eec443"), soft_step(0.95 - r, 0.35))
    colour = laid_over(colour, rgb("fdf3c8"), soft_step(0.48 - r, 0.25))
    return colour, np.maximum(focus, np.exp(-((r / 1.8) ** 4)))


def _moon(colour: Array, x: Array, y: Array, streaks: Array) -> Array:
    """A crescent in a disc of glowing rings."""
    r = _from(x, y, _MOON) / 0.075
    rings = 0.5 + 0.5 * np.cos(2 * np.pi * r / 0.62)
    glow = np.exp(-((r / 2.0) ** 2))
    halo = ramp(
        glow * (0.62 + 0.28 * rings + 0.25 * (streaks - 0.5)),
        [(0, "2f62b0"), (0.25, "6ea3b4"), (0.45, "bdcb8e"), (0.65, "e6c65a"), (0.9, "f4d96f")],
    )
    colour = laid_over(colour, halo, 1.4 * glow)
    colour = laid_over(colour, rgb("e0901c"), soft_step(0.86 - r, 0.12))
    bite = np.hypot(x - _MOON[0] - 0.026, y - _MOON[1] + 0.012) / 0.075
    crescent = np.minimum(soft_step(0.84 - r, 0.1), soft_step(bite - 0.62, 0.1))
    return laid_over(colour, rgb("fff8d0"), crescent)


def _hills(colour: Array, flow: Array, focus: Array, x: Array, y: Array, rng: Generator) -> tuple[Array, Array, Array]:
    """Four rows of hills, blue far away, ochre and green near; strokes run down their slopes in waves."""
    rows = (
        (0.530, ((0.030, 4.6, 0.4), (0.012, 11.0, 2.0)), ("2b4a8c", "4f78b0", "8fb0c4")),
        (0.590, ((0.034, 3.9, 2.2), (0.012, 9.0, 0.3)), ("16275a", "2c4f86", "6090a0")),
        (0.700, ((0.022, 5.0, 4.0), (0.008, 13.0, 1.0)), ("1d3b3c", "3f6a4a", "93994e")),
        (0.830, ((0.030, 3.0, 1.0), (0.010, 8.0, 0.0)), ("2b3a22", "6f7434", "d0a640")),
    )
    for number, (base, waves, (dark, middle, light)) in enumerate(rows):
        ridge = wavy_line(x, base, waves)
        slope = np.gradient(ridge, axis=1) * x.shape[0]
        depth = (y - ridge) / 0.12
        tilt = slope * np.exp(-np.clip(depth, 0, None)) + 0.35 * np.sin(16 * x + 9 * y + number) * np.clip(depth, 0, 1)
        run = unit_flow(1 + 0 * x, tilt)
        streaks = drawn_out(run, 0.016, 0.12, rng)
        tone = 0.72 * streaks + 0.30 * np.exp(-np.clip(depth, 0, None) * 2.5) + 0.10 * smooth_noise(x.shape, 0.12, rng)
        inside = soft_step(y - ridge, 2 / x.shape[0])
        colour = laid_over(colour, ramp(tone, [(0.05, dark), (0.5, middle), (1.0, light)]), inside)
        rim = np.exp(-(((y - ridge) / 0.006) ** 2))
        colour = laid_over(colour, rgb("0e1a3a"), 0.75 * rim)
        flow = np.where((y > ridge - 0.008)[..., None], run, flow)
        focus = np.where(y > ridge - 0.012, 0.3 + 0.5 * rim, focus)
    return colour, flow, focus.astype(np.float32)


_HOUSES = (  # x, foot, width, height, roof, wall, window
    (0.335, 0.705, 0.050, 0.030, "27407a", "6f8fa6", True), (0.392, 0.716, 0.044, 0.026, "7a3b2a", "a99a72", True),
    (0.446, 0.702, 0.038, 0.026, "22325e", "56789a", False), (0.520, 0.712, 0.052, 0.032, "8a4a2c", "c2b183", True),
    (0.585, 0.704, 0.040, 0.026, "203463", "7a94a0", True), (0.640, 0.718, 0.046, 0.026, "2c2f4e", "8c8a7c", True),
    (0.360, 0.748, 0.058, 0.034, "6d3425", "b9a577", True), (0.432, 0.756, 0.056, 0.032, "1f2f5c", "5f83a0", True),
    (0.505, 0.750, 0.046, 0.032, "2a4272", "86a0a4", False), (0.572, 0.758, 0.060, 0.034, "7d4129", "b39c6b", True),
    (0.640, 0.752, 0.040, 0.028, "20305a", "6a86a0", True), (0.706, 0.738, 0.044, 0.028, "733a2a", "a3936c", True),
)  # fmt: skip


def _village(colour: Array, flow: Array, focus: Array) -> tuple[Array, Array, Array]:
    """Houses with lit windows around a church."""
    height, width = focus.shape
    walls, roofs, lights = (Sketch(height, width) for _ in range(3))
    for x, foot, w, h, roof, wall, window in _HOUSES:
        walls.polygon([(x, foot), (x + w, foot), (x + w, foot - h), (x, foot - h)], wall)
        top = foot - h
        roofs.polygon(
            [(x - 0.005, top), (x + w + 0.005, top), (x + 0.78 * w, top - 0.7 * h), (x + 0.22 * w, top - 0.7 * h)],
            roof,
        )
        if window:
            for k in (0.2, 0.6):
                lights.polygon(rectangle(x + k * w, foot - 0.72 * h, 0.2 * w, 0.42 * h), "ffd25a")
    walls.polygon(rectangle(0.478, 0.60, 0.030, 0.10), "8fabc6")
    walls.polygon(rectangle(0.493, 0.60, 0.015, 0.10), "3d588c")
    roofs.polygon([(0.474, 0.602), (0.512, 0.602), (0.493, 0.478)], "1a2a56")
    roofs.polygon([(0.478, 0.602), (0.493, 0.602), (0.493, 0.478)], "7fa3c8")
    lights.polygon(rectangle(0.488, 0.625, 0.009, 0.020), "ffc64a")
    directions = ((walls, (0.05, 1.0)), (roofs, (1.0, 0.06)), (lights, (0.0, 1.0)))
    for sketch, (vx, vy) in directions:
        paint, alpha = sketch.layer()
        colour = laid_over(colour, paint, alpha)
        flow = np.where((alpha > 0.5)[..., None], unit_flow(vx + 0 * alpha, vy + 0 * alpha), flow)
        focus = np.maximum(focus, alpha)
    return colour, flow, focus


def _cypress(
    colour: Array, flow: Array, focus: Array, x: Array, y: Array, rng: Generator
) -> tuple[Array, Array, Array]:
    """Two dark flames on the left, from the foreground into the stars."""
    for foot, top, broad in ((0.215, 0.36, 0.050), (0.145, 0.075, 0.080)):
        rise = np.clip((y - top) / (1.02 - top), 0, 1)
        sway = 0.016 * np.sin(15 * y + 30 * foot) * (1 - 0.5 * rise)
        lobes = 1 + 0.20 * np.sin(33 * y + 50 * x) + 0.12 * np.sin(61 * y - 40 * x)
        half = broad * np.sin(np.pi * np.clip(rise, 0, 1) ** 0.75 * 0.78) ** 0.9 * lobes
        offset = (x - foot - sway) / (half + 1e-4)
        inside = soft_step((1 - np.abs(offset)) * half, 3 / x.shape[0]) * (y > top)
        lean = 0.40 * np.sin(24 * y + 26 * x) + 0.5 * offset * (1 - rise)
        run = unit_flow(np.clip(lean, -0.8, 0.8), -1 + 0 * x)
        streaks = drawn_out(run, 0.013, 0.16, rng)
        paint = ramp(
            streaks - 0.12 * offset,
            [(0, "080d16"), (0.35, "16241f"), (0.62, "2a3d22"), (0.82, "5c5a26"), (0.97, "a8853a")],
        )
        colour = laid_over(colour, paint, inside)
        flow = np.where((inside > 0.3)[..., None], run, flow)
        edge = np.exp(-((np.clip(np.abs(np.abs(offset) - 1) * half, 0, 1) / 0.012) ** 2)) * (y > top - 0.01)
        focus = np.maximum(focus, np.maximum(0.35 * inside, 0.75 * edge))
    return colour, flow, focus.astype(np.float32)
