"""A painter's hand: lays curved, bristly brush strokes on a canvas until it resembles a scene.

Layers run from broad brushes to fine ones; a stroke starts where the canvas differs most from the scene, takes the
scene's colour there, follows the flow field and ends before it would spoil a place that is already better (after
Hertzmann, "Painterly Rendering with Curved Brush Strokes of Multiple Sizes", SIGGRAPH 1998). What makes it look like
oil is ours: every stroke is a ribbon of bristles, each with a streak of its own colour, leaving ridges in a height
map which is lit from the upper left at the end.

The canvas is ``SUPERSAMPLING`` times finer than the picture: paint covers or does not, and averaging makes the edges
soft.
Pure functions of their arguments and of the random generator handed in; numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]  # float32 wherever it is large
Indices = NDArray[np.int64]

SUPERSAMPLING = 2
_STEP = 2.0  # canvas pixels between two points of a traced path
_ALONG, _ACROSS = 0.6, 0.6  # canvas pixels between two samples of a ribbon: below 0.7 leaves no holes
_SAMPLES_AT_ONCE = 1_500_000
_BRISTLES = (512, 1024)  # samples across and along, of textures that tile


@dataclass(frozen=True)
class Scene:
    """What is to be painted: colour (H,W,3) in [0,1], flow (H,W,2) of unit vectors (x,y), focus (H,W) in [0,1].

    Focus is how much a place deserves the fine brushes: 0 leaves it to the broad ones.
    """

    colour: Array
    flow: Array
    focus: Array


@dataclass(frozen=True)
class Brush:
    """One layer's brush. Lengths in pixels of the picture, colours in [0,1]."""

    width: float
    shortest: float
    longest: float
    spacing: float = 0.5  # between starting points, in widths
    threshold: float = 0.06  # start only where the canvas is off by more than this
    focus: float = 0.0  # start only where the scene's focus reaches this
    broken: float = 0.05  # how far each stroke's colour strays from the scene's
    streaks: float = 0.05  # how far a bristle's colour strays from its stroke's
    wander: float = 0.12  # how far a stroke's direction strays from the flow, in radians
    dryness: float = 0.3  # how early the paint runs out: 0 never, 1 at once
    load: float = 1.0  # thickness of the paint

    def scaled(self, factor: float) -> Brush:
        """The same brush for a picture that many times as large."""
        sizes = (self.width * factor, self.shortest * factor, self.longest * factor)
        return replace(self, width=max(1.5, sizes[0]), shortest=max(2.0, sizes[1]), longest=max(4.0, sizes[2]))


@dataclass
class Canvas:
    """Wet paint: colour (H,W,3) in [0,1] and height (H,W), both at canvas resolution."""

    colour: Array
    height: Array


@dataclass(frozen=True)
class Strokes:
    """N strokes of one layer, in canvas pixels: path (N,K,2) as x,y, length (N,), two paints each (N,2,3)."""

    path: Array
    length: Array
    width: float
    colour: Array


def primed(height: int, width: int, ground: tuple[float, float, float]) -> Canvas:
    """A canvas for a picture of that size, toned with one colour."""
    shape = (height * SUPERSAMPLING, width * SUPERSAMPLING)
    return Canvas(np.full((*shape, 3), ground, np.float32), np.zeros(shape, np.float32))


def make_bristles(rng: np.random.Generator) -> Array:
    """Three streaky noises (3, across, along), uniform in [0,1]: colour, thickness and coverage of the bristles."""
    noise = rng.standard_normal((2, 3, *_BRISTLES)).astype(np.float32)
    long = np.stack([_wrapped(n, 40, 1) for n in noise[0]])
    short = np.stack([_wrapped(n, 8, 1) for n in noise[1]])
    streaks = np.stack([_wrapped(n, 1, 0) for n in long + 0.5 * short])
    ranks = streaks.reshape(3, -1).argsort(axis=1, kind="stable")
    uniform = np.empty(ranks.shape, np.float32)
    np.put_along_axis(uniform, ranks, np.linspace(0, 1, ranks.shape[1], dtype=np.float32)[None], axis=1)
    return uniform.reshape(streaks.shape)


def paint_layer(canvas: Canvas, scene: Scene, brush: Brush, bristles: Array, rng: np.random.Generator) -> None:
    """Lay one layer of strokes onto the canvas, in random order; ``bristles`` are those of ``make_bristles``."""
    target = blur(scene.colour, 0.25 * brush.width)
    starts = _starting_points(canvas, scene, target, brush, rng)
    if len(starts) == 0:
        return
    strokes = _plan(starts, canvas, scene, target, brush, rng)
    samples = (strokes.length.max() / _ALONG) * (strokes.width / _ACROSS)
    at_once = max(1, int(_SAMPLES_AT_ONCE / samples))
    for first in range(0, len(starts), at_once):
        part = slice(first, first + at_once)
        some = Strokes(strokes.path[part], strokes.length[part], strokes.width, strokes.colour[part])
        _lay(canvas, some, brush, bristles, rng)


def lit(canvas: Canvas, relief: float = 0.16, weave: float = 0.012) -> Array:
    """The finished picture (H,W,3) in [0,1]: averaged down, with the paint's relief lit from the upper left."""
    colour, height = _averaged(canvas.colour), _averaged(canvas.height[..., None])
    rows, columns = np.gradient(blur(height, 0.4)[..., 0])
    slope = np.tanh(1.3 * (rows + columns))
    gloss = np.clip(slope - 0.4, 0, None) ** 2
    y, x = np.mgrid[: height.shape[0], : height.shape[1]]
    cloth = weave * np.sin(2.1 * x) * np.sin(2.1 * y) * np.exp(-height[..., 0])
    shade = (1 + relief * slope + cloth)[..., None]
    picture: Array = np.clip(colour * shade + 0.3 * gloss[..., None], 0, 1).astype(np.float32)
    return picture


def blur(image: Array, sigma: float) -> Array:
    """Three box blurs of an (H,W,C) image, close to a Gaussian; edges are repeated."""
    radius = round(sigma)
    if radius < 1:
        return image
    for axis in (0, 1):
        for _ in range(3):
            image = _box(image, radius, axis)
    return image


def _box(image: Array, radius: int, axis: int) -> Array:
    pad = [(0, 0)] * image.ndim
    pad[axis] = (radius + 1, radius)
    sums = np.cumsum(np.pad(image, pad, mode="edge"), axis=axis, dtype=np.float64)
    size, count = 2 * radius + 1, image.shape[axis]
    upper = np.take(sums, np.arange(size, size + count), axis=axis)
    lower = np.take(sums, np.arange(count), axis=axis)
    return ((upper - lower) / size).astype(np.float32)


def _averaged(image: Array) -> Array:
    height, width, channels = image.shape
    s = SUPERSAMPLING
    mean: Array = image.reshape(height // s, s, width // s, s, channels).mean(axis=(1, 3), dtype=np.float32)
    return mean


def _starting_points(canvas: Canvas, scene: Scene, target: Array, brush: Brush, rng: np.random.Generator) -> Array:
    """Jittered grid points (N,2), x,y in picture pixels and shuffled, where the canvas is wrong enough."""
    height, width = scene.focus.shape
    gap = max(1.0, brush.spacing * brush.width)
    # One row beyond each border, so that strokes enter the picture from outside as they leave it.
    y, x = np.meshgrid(np.arange(-gap / 2, height + gap, gap), np.arange(-gap / 2, width + gap, gap), indexing="ij")
    jitter = rng.uniform(-0.6, 0.6, (x.size, 2)) * gap
    points = (np.stack([x, y], axis=-1).reshape(-1, 2) + jitter).astype(np.float32)
    error = np.linalg.norm(_averaged(canvas.colour) - target, axis=-1)[..., None].astype(np.float32)
    error = blur(error, 0.3 * brush.width)[..., 0]
    rows, columns = _pixels(points, height, width)
    wanted = (error[rows, columns] > brush.threshold) & (scene.focus[rows, columns] >= brush.focus)
    return points[wanted][rng.permutation(int(wanted.sum()))]


def _pixels(points: Array, height: int, width: int) -> tuple[Indices, Indices]:
    """Rows and columns of the pixels under x,y points, the nearest border pixel for points outside."""
    rows = np.clip(points[..., 1], 0, height - 1).astype(np.int64)
    return rows, np.clip(points[..., 0], 0, width - 1).astype(np.int64)


def _plan(
    starts: Array, canvas: Canvas, scene: Scene, target: Array, brush: Brush, rng: np.random.Generator
) -> Strokes:
    """Paths, lengths and colours of the strokes that start there."""
    count = len(starts)
    clean = target[_pixels(starts, *target.shape[:2])]
    path = _trace(starts, scene.flow, brush, rng)
    wished = rng.uniform(brush.shortest, brush.longest, count)
    length = np.minimum(wished, _useful_length(path, clean, _averaged(canvas.colour), target, brush))
    mixes = np.stack([_stray(clean, brush.broken, rng), _stray(clean, brush.broken + brush.streaks, rng)], axis=1)
    return Strokes(
        path * SUPERSAMPLING,
        (length * SUPERSAMPLING).astype(np.float32),
        brush.width * SUPERSAMPLING,
        mixes.astype(np.float32),
    )


def _trace(starts: Array, flow: Array, brush: Brush, rng: np.random.Generator) -> Array:
    """Follow the flow from each start for the longest stroke: (N,K,2). Inertia keeps the curves smooth."""
    step = _STEP / SUPERSAMPLING
    count, points = len(starts), int(np.ceil(brush.longest / step)) + 1
    turn = rng.normal(0, brush.wander, count).astype(np.float32)
    cosine, sine = np.cos(turn), np.sin(turn)
    position, heading = starts.copy(), np.zeros_like(starts)
    path = np.empty((count, points, 2), np.float32)
    inertia = np.exp(-2.0 * step / brush.width)
    for k in range(points):
        path[:, k] = position
        ahead = flow[_pixels(position, *flow.shape[:2])]
        ahead = np.stack([cosine * ahead[:, 0] - sine * ahead[:, 1], sine * ahead[:, 0] + cosine * ahead[:, 1]], -1)
        heading = inertia * heading + (1 - inertia) * ahead if k else ahead
        heading /= np.linalg.norm(heading, axis=-1, keepdims=True) + 1e-6
        position = position + step * heading
    return path


def _useful_length(path: Array, clean: Array, painted: Array, target: Array, brush: Brush) -> Array:
    """How far each stroke goes before the canvas is nearer to the scene than its colour is (Hertzmann 1998)."""
    rows, columns = _pixels(path, *target.shape[:2])
    there = target[rows, columns]
    ours = np.linalg.norm(there - clean[:, None], axis=-1)
    theirs = np.linalg.norm(there - painted[rows, columns], axis=-1)
    spoils = ours > np.maximum(theirs, 0.09)
    first = np.where(spoils.any(axis=1), spoils.argmax(axis=1), path.shape[1] - 1)
    useful: Array = np.maximum(first * _STEP / SUPERSAMPLING, 0.8 * brush.width)
    return useful


def _stray(colour: Array, amount: float, rng: np.random.Generator) -> Array:
    """Broken colour: lightness and warmth stray separately, as a brush loaded with two half-mixed paints."""
    light, warmth, green = amount * np.clip(rng.standard_normal((3, len(colour), 1)), -2, 2)
    warmth = 0.7 * warmth * np.array([1.0, 0.15, -1.0])
    green = 0.4 * green * np.array([-0.5, 1.0, -0.5])
    strayed: Array = np.clip(colour * (1 + 1.2 * light) + 0.3 * light + warmth + green, 0, 1).astype(np.float32)
    return strayed


def _wrapped(noise: Array, radius: int, axis: int) -> Array:
    """Box blur along an axis of a noise that tiles, to unit deviation."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (radius, radius)
    smooth = _box(np.pad(noise, pad, mode="wrap"), radius, axis)
    inner = smooth[radius:-radius] if axis == 0 else smooth[:, radius:-radius]
    scaled: Array = inner / inner.std()
    return scaled


def _lay(canvas: Canvas, strokes: Strokes, brush: Brush, bristles: Array, rng: np.random.Generator) -> None:
    """Press some strokes onto the canvas; where they cross, the later one covers the earlier."""
    count = len(strokes.length)
    along = np.arange(0, strokes.length.max(), _ALONG, dtype=np.float32)
    across = np.arange(-strokes.width / 2, strokes.width / 2, _ACROSS, dtype=np.float32)
    u = (rng.integers(0, _BRISTLES[1], (count, 1, 1)) + np.arange(len(along))[None, :, None]) % _BRISTLES[1]
    v = (rng.integers(0, _BRISTLES[0], (count, 1, 1)) + np.arange(len(across))[None, None, :]) % _BRISTLES[0]
    tint, ridge, cover = bristles[0][v, u], bristles[1][v, u], bristles[2][v, u]

    side = np.abs(across) / (strokes.width / 2)
    done = along[None, :] / strokes.length[:, None]
    wet = _covered(along, side, done, strokes, cover, brush)
    rows, columns = _positions(along, across, strokes)
    wet &= (rows >= 0) & (rows < canvas.height.shape[0]) & (columns >= 0) & (columns < canvas.height.shape[1])

    stroke, k, j = np.nonzero(wet)
    row, column = rows[wet], columns[wet]
    mix = ((tint[wet] - 0.5) * 1.6 + 0.5)[:, None]
    fresh = strokes.colour[stroke, 0] * (1 - mix) + strokes.colour[stroke, 1] * mix
    # Wet paint picks up what it is dragged over, more as the brush empties.
    picked = (0.08 + 0.22 * done[stroke, k] * brush.dryness)[:, None]
    fresh = fresh * (1 - picked) + canvas.colour[row, column] * picked
    edge = np.exp(-(((side - 0.86) / 0.12) ** 2))[j]
    blob = np.exp(-(((1 - done[stroke, k]) * strokes.length[stroke] / (0.35 * strokes.width)) ** 2))
    body = (0.35 + 0.9 * ridge[wet] + 0.35 * edge + 0.25 * blob) * (1 - 0.4 * done[stroke, k])
    thickness = brush.load * body * np.sqrt(strokes.width) * 0.5
    canvas.height[row, column] = 0.35 * canvas.height[row, column] + thickness
    canvas.colour[row, column] = np.clip(fresh, 0, 1)


def _covered(along: Array, side: Array, done: Array, strokes: Strokes, cover: Array, brush: Brush) -> NDArray[np.bool_]:
    """Where a ribbon leaves paint (N,K,J): round ragged ends, frayed sides, gaps where the brush runs dry."""
    ragged = (cover[:, :1, :] - 0.5) * 0.5 * strokes.width
    cap = 0.5 * strokes.width * (1 - np.sqrt(np.clip(1 - side**2, 0, 1)))
    from_start = along[None, :, None] - cap[None, None, :]
    to_end = strokes.length[:, None, None] - along[None, :, None] - cap[None, None, :]
    inside = (from_start > 0.3 * ragged) & (to_end > ragged)
    fray = np.clip((side - 0.75) / 0.25, 0, 1) ** 2 * 0.6
    dry = np.clip((done - 1 + brush.dryness) / max(brush.dryness, 1e-6), 0, 1.2) ** 2 * 0.85 * brush.dryness**0.5
    covered: NDArray[np.bool_] = inside & (cover > np.maximum(fray[None, None, :], dry[:, :, None]))
    return covered


def _positions(along: Array, across: Array, strokes: Strokes) -> tuple[Indices, Indices]:
    """Canvas rows and columns (N,K,J) of every sample of the ribbons."""
    k = np.minimum(along / _STEP, strokes.path.shape[1] - 1.001)
    before = k.astype(int)
    part = (k - before)[None, :, None].astype(np.float32)
    after = np.minimum(before + 1, strokes.path.shape[1] - 1)
    spine = strokes.path[:, before] * (1 - part) + strokes.path[:, after] * part
    heading = np.gradient(strokes.path, axis=1)
    heading = heading[:, before] * (1 - part) + heading[:, after] * part
    heading /= np.linalg.norm(heading, axis=-1, keepdims=True) + 1e-6
    columns = spine[..., 0:1] - heading[..., 1:2] * across
    rows = spine[..., 1:2] + heading[..., 0:1] * across
    return np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
