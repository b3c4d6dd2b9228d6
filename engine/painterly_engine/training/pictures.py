"""Pictures that a shipped network may learn from: made by procedure, or photographs that permissive packages carry.

Every maker takes a random generator and a size and gives (size, size, 3) float32 RGB in [0, 1].
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[np.float32]
Generator = np.random.Generator

PHOTOGRAPHS = {
    "skimage": (
        "data/astronaut.png",  # NASA, public domain
        "data/chelsea.png",  # CC0, Stefan van der Walt
        "data/coffee.png",  # CC0, Rachel Michetti
        "data/rocket.jpg",  # SpaceX, public domain
        "data/hubble_deep_field.jpg",  # NASA, public domain
        "data/retina.jpg",  # CC0
        "data/camera.png",  # CC0, Lav Varshney
        "data/brick.png",  # CC0 Textures
        "data/grass.png",  # CC0 Textures
        "data/gravel.png",  # CC0 Textures
        "data/coins.png",  # no known copyright restrictions
    ),
    "sklearn": (
        "datasets/images/china.jpg",  # CC BY 2.0, danielbuechele
        "datasets/images/flower.jpg",  # CC BY 2.0, vultilion
    ),
}
"""Files inside installed packages (scikit-image, scikit-learn; both BSD-3-Clause) with the licence of each picture."""


def photograph_files() -> list[Path]:
    """Those of ``PHOTOGRAPHS`` that are installed, in a fixed order. The packages are looked at, not imported."""
    found: list[Path] = []
    for package, files in PHOTOGRAPHS.items():
        spec = importlib.util.find_spec(package)
        folders = (spec.submodule_search_locations or []) if spec else []
        found += [path for folder in folders for file in files if (path := Path(folder) / file).is_file()]
    return found


def missing_photographs() -> list[str]:
    """The names of those of ``PHOTOGRAPHS`` that are not installed."""
    found = {path.name for path in photograph_files()}
    return [name for files in PHOTOGRAPHS.values() for file in files if (name := Path(file).name) not in found]


def read(path: Path, longest: int = 640) -> Array:
    """A picture file as RGB, shrunk to at most ``longest`` pixels a side."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return _unit(image)


def _unit(image: Image.Image) -> Array:
    values: Array = np.asarray(image, np.float32) / np.float32(255)
    return values


def _picture(values: NDArray[Any]) -> Array:
    clipped: Array = np.clip(values, 0, 1).astype(np.float32)
    return clipped


def palette(rng: Generator, count: int) -> Array:
    """Colours that could be one picture's: around a few centres, some muted, some not; (count, 3)."""
    centres = rng.random((rng.integers(2, 5), 3)) ** rng.uniform(0.6, 1.8)
    grey = centres.mean(1, keepdims=True)
    centres = grey + (centres - grey) * rng.uniform(0.3, 1.3)
    picked = centres[rng.integers(len(centres), size=count)]
    return _picture(picked + rng.normal(0, rng.uniform(0.02, 0.15), (count, 3)))


def spectral_noise(rng: Generator, size: int, slope: float, channels: int = 1) -> Array:
    """Gaussian noise with amplitude 1/f^slope, zero mean and unit variance; (size, size, channels)."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = np.inf
    white = rng.normal(size=(channels, size, size))
    noise = np.fft.irfft2(np.fft.rfft2(white) / frequency**slope, (size, size))
    noise /= noise.std((1, 2), keepdims=True) + 1e-9
    scaled: Array = noise.transpose(1, 2, 0).astype(np.float32)
    return scaled


def _coloured(rng: Generator, field: Array) -> Array:
    """Map a scalar field (H, W) through a smooth random colour ramp."""
    low, high = np.quantile(field, [0.02, 0.98])
    position = np.clip((field - low) / (high - low + 1e-9), 0, 1)
    stops = palette(rng, int(rng.integers(2, 7)))
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(position, at, stops[:, c]) for c in range(3)], -1).astype(np.float32)


def clouds(rng: Generator, size: int) -> Array:
    """Noise with a natural picture's spectrum, each colour by itself or all through one ramp."""
    slope = rng.uniform(0.5, 1.7)
    if rng.random() < 0.5:
        return _coloured(rng, spectral_noise(rng, size, slope)[..., 0])
    mixing = rng.normal(size=(3, 3)) * 0.5 + np.eye(3)
    noise = spectral_noise(rng, size, slope, 3) @ mixing.astype(np.float32)
    return _picture(rng.uniform(0.3, 0.7) + noise * rng.uniform(0.08, 0.25))


def gratings(rng: Generator, size: int) -> Array:
    """A few oriented waves, bent by noise, square or smooth."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    bend = spectral_noise(rng, size, 1.8, 2) * rng.uniform(0, 12)
    total = np.zeros((size, size), np.float32)
    for _ in range(rng.integers(1, 4)):
        angle, wavelength = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(3), np.log(60)))
        along = (x + bend[..., 0]) * np.cos(angle) + (y + bend[..., 1]) * np.sin(angle)
        total += np.sin(2 * np.pi * along / wavelength + rng.uniform(0, 7)).astype(np.float32)
    return _coloured(rng, np.tanh(total * rng.uniform(0.5, 8)))


def leaves(rng: Generator, size: int) -> Array:
    """Dead leaves: opaque shapes of power-law size, each plain, shaded or textured."""
    image = Image.new("RGB", (size, size))
    draw = ImageDraw.Draw(image)
    smallest = rng.uniform(2, 8)
    count = int(rng.integers(200, 900))
    radii = smallest / (1 - rng.random(count) * (1 - (smallest / (size / 3)) ** 2)) ** 0.5
    colours = (palette(rng, count) * 255).astype(int)
    order = np.argsort(-radii) if rng.random() < 0.5 else np.arange(count)
    for i in order:
        corners = int(rng.choice([3, 4, 5, 6, 24]))
        turn, squash, lean = rng.uniform(0, 7), rng.uniform(0.4, 1), rng.uniform(0, np.pi)
        angles = turn + np.linspace(0, 2 * np.pi, corners, endpoint=False)
        along, across = radii[i] * np.cos(angles), radii[i] * squash * np.sin(angles)
        centre = rng.uniform(-10, size + 10, 2)
        points = zip(
            centre[0] + along * np.cos(lean) - across * np.sin(lean),
            centre[1] + along * np.sin(lean) + across * np.cos(lean),
            strict=True,
        )
        draw.polygon([(float(px), float(py)) for px, py in points], fill=tuple(colours[i].tolist()))
    flat = _unit(image)
    shading = spectral_noise(rng, size, rng.uniform(0.6, 1.6)) * rng.uniform(0, 0.12)
    return _picture(flat + shading)


def fractal(rng: Generator, size: int) -> Array:
    """Escape times of a random Julia set."""
    angle = rng.uniform(0, 2 * np.pi)
    c = 0.7885 * np.exp(1j * angle) * rng.uniform(0.85, 1.05)
    span, centre = rng.uniform(0.3, 1.6), rng.normal(0, 0.3, 2)
    axis = np.linspace(-span, span, size)
    z = (axis[None] + centre[0]) + 1j * (axis[:, None] + centre[1])
    escape = np.zeros((size, size))
    for step in range(40):
        inside = np.abs(z) < 4
        z = np.where(inside, z * z + c, z)
        escape = np.where(inside, step, escape)
    smooth = escape - np.log2(np.maximum(np.log(np.abs(z) + 1.5), 0.2))
    return _coloured(rng, np.sqrt(np.maximum(smooth, 0)).astype(np.float32))


def cells(rng: Generator, size: int) -> Array:
    """Voronoi cells, plain, shaded by distance or veined, as cracked paint and foliage are."""
    count = int(rng.integers(20, 300))
    seeds = rng.uniform(0, size, (count, 2)).astype(np.float32)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    bend = spectral_noise(rng, size, 1.6, 2) * rng.uniform(0, 8)
    nearest, second = np.full((size, size), np.inf, np.float32), np.full((size, size), np.inf, np.float32)
    owner = np.zeros((size, size), np.int64)
    for i, (sx, sy) in enumerate(seeds):
        distance = np.hypot(x + bend[..., 0] - sx, y + bend[..., 1] - sy)
        closer = distance < nearest
        second = np.where(closer, nearest, np.minimum(second, distance))
        nearest, owner = np.where(closer, distance, nearest), np.where(closer, i, owner)
    edge = np.clip((second - nearest) / rng.uniform(1, 8), 0, 1)[..., None]
    colours, vein = palette(rng, count)[owner], palette(rng, 1)[0]
    return _picture(vein + (colours - vein) * np.maximum(edge, rng.uniform(0, 1)))


def strokes(rng: Generator, base: Array) -> Array:
    """Paint over a picture: bristly strokes along a smooth flow, broad ones first.

    Our own renderer in the manner of Litwinowicz 1997: every stroke takes the colour of the picture under its middle.
    """
    height, width = base.shape[:2]
    canvas = Image.fromarray((base * 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    size = max(height, width)
    flow = spectral_noise(rng, size, 2.0)[..., 0] * rng.uniform(0.4, 2)
    lean, jitter = rng.uniform(0, np.pi), rng.uniform(0.02, 0.12)
    broad = rng.uniform(5, 16)
    for brush in (broad, broad * 0.6, broad * 0.35):
        count = int(1.2 * height * width / (brush * brush * 4))
        centres = rng.uniform(0, (width - 1, height - 1), (count, 2))
        columns, rows = centres.T.astype(int)
        colours = np.clip(base[rows, columns] + rng.normal(0, jitter, (count, 3)), 0, 1)
        angles = lean + flow[rows, columns] + rng.normal(0, 0.15, count)
        lengths = brush * rng.uniform(1.5, 3.5, count)
        bend = rng.normal(0, 0.5, count)
        for i in range(count):
            _stroke(rng, draw, centres[i], float(angles[i]), float(bend[i]), float(lengths[i]), brush, colours[i])
    return _unit(canvas)


def _stroke(
    rng: Generator,
    draw: ImageDraw.ImageDraw,
    centre: NDArray[np.float64],
    angle: float,
    bend: float,
    length: float,
    width: float,
    colour: NDArray[np.float64],
) -> None:
    """Bristles side by side, each of its own tone, along a bow."""
    bristles = max(2, round(width / 2))
    at = np.linspace(-0.5, 0.5, 5)
    direction = angle + bend * at
    spine = centre + np.stack([np.cos(direction), np.sin(direction)], -1) * (at * length)[:, None]
    normal = np.stack([-np.sin(direction), np.cos(direction)], -1)
    tones = np.clip(colour + rng.normal(0, 0.05, (bristles, 1)), 0, 1) * 255
    for offset, tone in zip(np.linspace(-0.5, 0.5, bristles), tones, strict=True):
        points = spine + normal * (offset * width)
        draw.line([tuple(point) for point in points.tolist()], fill=tuple(tone.astype(int).tolist()), width=3)


MAKERS: tuple[Callable[[Generator, int], Array], ...] = (clouds, gratings, leaves, leaves, fractal, cells)


def gallery(seed: int, count: int, size: int) -> list[Array]:
    """The pictures to learn from: the photographs at hand, the photographs painted over, and ``count`` made ones.

    A third of the made ones is painted over too. The same arguments and the same packages give the same pictures.
    """
    rng = np.random.default_rng(seed)
    photographs = [read(path) for path in photograph_files()]
    made = [MAKERS[i % len(MAKERS)](rng, size) for i in range(count)]
    painted = [strokes(rng, picture) for picture in (*photographs, *photographs, *made[::3])]
    # photographs are few and worth more than any one made picture
    return [*photographs * max(1, count // 40), *painted, *made]
