"""A laid table above the sea on a bright morning."""

from __future__ import annotations

import numpy as np
from drawing import (
    Generator,
    Sketch,
    drawn_out,
    grid,
    laid_over,
    ramp,
    rgb,
    smooth_noise,
    soft_step,
    unit_flow,
    wavy_line,
)
from strokes import Array, Scene

_HORIZON, _TABLE = 0.215, 0.545
_FRUITS = (  # x, y, radius, dark, middle, light
    (0.150, 0.705, 0.056, "9c3f1c", "e58326", "ffd27a"),
    (0.262, 0.722, 0.053, "a04418", "ef9430", "ffdc8c"),
    (0.196, 0.790, 0.054, "b3701a", "f0c23a", "fff0a6"),
)


def terrace(height: int, width: int, seed: int) -> Scene:
    """A bright morning: a laid table, flowering shrubs, and the sea with sails beyond."""
    rng = np.random.default_rng(seed)
    x, y = grid(height, width)
    colour, flow, focus = _morning(x, y, rng)
    colour, flow, focus = _sails(colour, flow, focus)
    colour, flow, focus = _shrubs(colour, flow, focus, x, y, rng)
    colour, flow, focus = _table(colour, flow, focus, x, y, rng)
    colour, flow, focus = _fruit(colour, flow, focus, x, y)
    return Scene(np.clip(colour, 0, 1), flow, np.clip(focus, 0, 1))


def _morning(x: Array, y: Array, rng: Generator) -> tuple[Array, Array, Array]:
    """Sky, headland and sea."""
    shape = (x.shape[0], x.shape[1])
    cloud = (
        0.75 * smooth_noise(shape, 0.075, rng, 3.5)
        + 0.35 * smooth_noise(shape, 0.03, rng, 2.0)
        - 2.0 * (0.12 - y).clip(0)
    )
    sky = ramp(y / _HORIZON, [(0, "7fb0dc"), (0.45, "a3cbe4"), (0.8, "d6e2dc"), (1, "f6e0c0")])
    body = ramp(0.5 + 0.35 * cloud, [(0, "c3bcd8"), (0.5, "f0dcd0"), (1, "fff8ea")])
    colour = laid_over(sky, body, 0.9 * soft_step(cloud - 0.05, 0.9))
    tilt = 0.35 * smooth_noise(shape, 0.2, rng)
    flow = unit_flow(1 + 0 * x, tilt)

    land = wavy_line(x, _HORIZON - 0.070, ((0.012, 17, 0.5), (0.006, 41, 2.0))) + 0.16 * (x - 0.08).clip(0) ** 1.5
    inside = soft_step(y - land, 0.004) * (y < _HORIZON)
    slopes = ramp(
        0.5 + 0.3 * smooth_noise(shape, 0.02, rng), [(0, "6f7fb4"), (0.5, "93a0c4"), (0.8, "a9b79c"), (1, "dcc8a8")]
    )
    colour = laid_over(colour, slopes, inside)

    depth = np.clip((y - _HORIZON) / (0.5 - _HORIZON), 0, 1)
    ripples = drawn_out(unit_flow(1 + 0 * x, 0 * x), 0.008, 0.05, rng)
    sea = ramp(depth, [(0, "8fb3d6"), (0.25, "5e9ccb"), (0.55, "3f93b4"), (0.8, "3fa19f"), (1, "6bb79c")])
    sea = sea + (ripples - 0.5)[..., None] * np.array([0.24, 0.20, 0.12], np.float32) * (0.5 + depth)[..., None]
    violet = np.clip(smooth_noise(shape, 0.05, rng) - 0.5, 0, 1)
    sea = laid_over(sea, rgb("7a78bd"), 0.7 * violet * depth)
    glitter = np.exp(-(((x - 0.90) / (0.05 + 0.16 * depth)) ** 2)) * soft_step(ripples - 0.60, 0.2)
    sea = laid_over(sea, rgb("fff3cf"), 0.85 * glitter)
    water = soft_step(y - _HORIZON, 0.003)
    colour = laid_over(colour, sea, water)
    flow = np.where((water > 0.5)[..., None], unit_flow(1 + 0 * x, 0.05 * tilt), flow)
    focus = 0.2 + 0.45 * np.exp(-(((y - _HORIZON) / 0.03) ** 2)) + 0.25 * inside
    return colour, flow, focus.astype(np.float32)


def _sails(colour: Array, flow: Array, focus: Array) -> tuple[Array, Array, Array]:
    """Boats with their reflections."""
    sails, hulls = Sketch(*focus.shape), Sketch(*focus.shape)
    for x, y, size, light, dark in (
        (0.560, 0.270, 0.105, "fffaf0", "e3cfc4"),
        (1.075, 0.245, 0.066, "f3ddc8", "d8a890"),
        (0.760, 0.232, 0.032, "ffffff", "e8e0dc"),
    ):
        sails.polygon([(x, y), (x, y - size), (x + 0.42 * size, y)], light)
        sails.polygon([(x - 0.03 * size, y), (x - 0.03 * size, y - 0.86 * size), (x - 0.30 * size, y)], dark)
        sails.polygon(
            [(x - 0.2 * size, y + 0.22 * size), (x + 0.3 * size, y + 0.22 * size), (x, y + 0.75 * size)], dark
        )
        hulls.polygon(
            [(x - 0.42 * size, y + 0.02 * size), (x + 0.52 * size, y + 0.02 * size), (x + 0.38 * size, y + 0.16 * size),
             (x - 0.32 * size, y + 0.16 * size)],
            "5a3a4c",
        )  # fmt: skip
    for sketch, direction in ((sails, (0.15, 1.0)), (hulls, (1.0, 0.0))):
        paint, alpha = sketch.layer()
        colour = laid_over(colour, paint, alpha)
        flow = np.where((alpha > 0.5)[..., None], unit_flow(direction[0] + 0 * alpha, direction[1] + 0 * alpha), flow)
        focus = np.maximum(focus, 1.2 * alpha)
    return colour, flow, focus


def _shrubs(colour: Array, flow: Array, focus: Array, x: Array, y: Array, rng: Generator) -> tuple[Array, Array, Array]:
    """A bank of leaves with roses, sunlit above and violet in its shade."""
    shape = (x.shape[0], x.shape[1])
    top = wavy_line(x, 0.430, ((0.026, 6.0, 1.3), (0.014, 15.0, 0.2))) + 0.022 * smooth_noise(shape, 0.03, rng)
    top = top - 0.17 * np.exp(-(((x - 1.26) / 0.16) ** 2)) - 0.10 * np.exp(-((x / 0.15) ** 2))
    inside = soft_step(y - top, 0.010)
    clumps = 0.6 * smooth_noise(shape, 0.07, rng) + 0.5 * smooth_noise(shape, 0.025, rng)
    sun = 0.52 + 0.26 * clumps - 1.9 * (y - top - 0.05)
    leaves = ramp(
        sun, [(0, "2b3560"), (0.2, "2f5a55"), (0.42, "4d8446"), (0.65, "8fae4c"), (0.85, "d3d272"), (1, "f6efb4")]
    )
    colour = laid_over(colour, leaves, inside)
    angle = 2.2 * smooth_noise(shape, 0.035, rng)
    flow = np.where((inside > 0.5)[..., None], unit_flow(np.cos(angle), np.sin(angle)), flow)
    bushes = smooth_noise(shape, 0.10, rng)
    for tint, shade in (("f7b7bd", "d9688a"), ("fff0ea", "e6b8c8"), ("e2524e", "b0304a")):
        blossom = smooth_noise(shape, 0.019, rng) + 0.5 * bushes
        bushes = np.roll(bushes, shape[1] // 3, axis=1)
        where = soft_step(blossom - 1.45, 0.3) * inside * (y > top + 0.012)
        colour = laid_over(colour, laid_over(np.broadcast_to(rgb(shade), colour.shape), rgb(tint), sun), where)
        focus = np.maximum(focus, 0.7 * where)
    return colour, flow, np.maximum(focus, 0.30 * inside)


def _table(colour: Array, flow: Array, focus: Array, x: Array, y: Array, rng: Generator) -> tuple[Array, Array, Array]:
    """A white cloth with a woven border of blue lines, dappled with the shade of a tree."""
    shape = (x.shape[0], x.shape[1])
    edge = _TABLE + 0.018 * (x - 0.6) + 0.004 * np.sin(13 * x)
    inside = soft_step(y - edge, 0.004)
    far = 1 / (y + 0.32)
    across, depth = (x - 0.64) * far, far * 4.2
    light = 0.62 + 0.20 * smooth_noise(shape, 0.11, rng) + 0.10 * smooth_noise(shape, 0.04, rng)
    # Where the cup will stand: its own shadow, and the tree's.
    light = light - 0.50 * np.exp(-(((x - 0.90) / 0.27) ** 4) - ((y - 0.855) / 0.095) ** 4)
    cloth = ramp(
        light, [(0, "7c7fb6"), (0.3, "a3a3cf"), (0.5, "cfc6dc"), (0.66, "f3e6da"), (0.85, "fff8e6"), (1, "fffdf4")]
    )
    lines = np.maximum(_weave(across, 0.26), _weave(depth, 0.80))
    colour = laid_over(colour, cloth, inside)
    colour = laid_over(colour, ramp(light, [(0, "3a458e"), (0.6, "5b78bd"), (1, "93b4dc")]), 0.80 * lines * inside)
    rim = np.exp(-(((y - edge) / 0.006) ** 2)) * inside
    colour = laid_over(colour, rgb("fffaf0"), 0.8 * rim)
    angle = 0.25 + 0.7 * smooth_noise(shape, 0.07, rng)
    flow = np.where((inside > 0.5)[..., None], unit_flow(np.cos(angle), np.sin(angle)), flow)
    focus = np.where(inside > 0.5, 0.2 + 0.4 * lines + 0.5 * rim, focus)
    return colour, flow, focus.astype(np.float32)


def _weave(place: Array, period: float) -> Array:
    """Pairs of lines, one broad and one fine, every so often."""
    phase = np.mod(place / period, 1)
    broad = np.exp(-(((phase - 0.5) / 0.055) ** 4))
    fine = np.exp(-(((phase - 0.64) / 0.022) ** 4))
    lines: Array = np.maximum(broad, 0.8 * fine).astype(np.float32)
    return lines


def _fruit(colour: Array, flow: Array, focus: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Two oranges and a lemon, lit from the upper left, with violet shadows on the cloth."""
    for cx, cy, radius, *_ in _FRUITS:
        shadow = np.hypot((x - cx - 0.6 * radius) / 1.35, (y - cy - 0.62 * radius) / 0.62) / radius
        colour = laid_over(colour, rgb("4f4a8e"), 0.9 * soft_step(1 - shadow, 0.35))
    for cx, cy, radius, dark, middle, light in _FRUITS:
        dx, dy = (x - cx) / radius, (y - cy) / radius
        r = np.hypot(dx, dy)
        facing = 0.62 * np.sqrt(np.clip(1 - r**2, 0, 1)) - 0.50 * dx - 0.55 * dy
        bounce = 0.25 * np.clip(dy, 0, 1) * soft_step(r - 0.75, 0.3)
        body = ramp(0.16 + 0.72 * facing + bounce, [(0, "6b3350"), (0.25, dark), (0.6, middle), (1, light)])
        inside = soft_step(1 - r, 0.06)
        colour = laid_over(colour, body, inside)
        flow = np.where((inside > 0.5)[..., None], unit_flow(-dy, dx + 0.15), flow)
        focus = np.maximum(focus, 0.85 * inside)
    return colour, flow, focus
