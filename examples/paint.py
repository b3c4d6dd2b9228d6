"""Paint the sample pictures again: ``python paint.py [--height 608] [--out FOLDER]``.

Needs numpy and Pillow. The same seed and height give the same picture.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from night import night
from PIL import Image
from strokes import Array, Brush, Scene, lit, make_bristles, paint_layer, primed
from terrace import terrace

_FULL_HEIGHT = 608
_ASPECT = 768 / 608


@dataclass(frozen=True)
class Recipe:
    """How one painting is made; brushes are sized for the full height."""

    seed: int
    ground: tuple[float, float, float]
    brushes: tuple[Brush, ...]
    relief: float


NIGHT = Recipe(
    seed=1889,
    ground=(0.36, 0.27, 0.16),
    brushes=(
        Brush(34, 60, 190, spacing=0.45, threshold=0.0, broken=0.05, streaks=0.06, dryness=0.35),
        Brush(18, 45, 140, spacing=0.55, threshold=0.05, broken=0.06, streaks=0.07, dryness=0.4),
        Brush(10, 26, 90, spacing=0.75, threshold=0.085, broken=0.07, streaks=0.08, dryness=0.4),
        Brush(6, 10, 44, spacing=0.8, threshold=0.08, focus=0.4, broken=0.05, streaks=0.06, dryness=0.2),
        Brush(3.4, 5, 18, spacing=0.7, threshold=0.06, focus=0.7, broken=0.02, streaks=0.03, dryness=0.1),
    ),
    relief=0.22,
)

TERRACE = Recipe(
    seed=1874,
    ground=(0.80, 0.66, 0.55),
    brushes=(
        Brush(24, 30, 70, spacing=0.55, threshold=0.05, broken=0.03, streaks=0.05, wander=0.25, dryness=0.5, load=0.7),
        Brush(14, 16, 40, spacing=0.60, threshold=0.04, broken=0.045, streaks=0.06, wander=0.25, dryness=0.4),
        Brush(9, 10, 24, spacing=0.75, threshold=0.065, broken=0.05, streaks=0.05, wander=0.25, dryness=0.3),
        Brush(5.5, 6, 14, spacing=0.75, threshold=0.06, focus=0.28, broken=0.04, streaks=0.04, wander=0.2, dryness=0.2),
        Brush(3.2, 3, 10, spacing=0.7, threshold=0.05, focus=0.65, broken=0.02, streaks=0.02, wander=0.1, dryness=0.1),
    ),
    relief=0.14,
)

PAINTINGS = {"night": (night, NIGHT), "terrace": (terrace, TERRACE)}


def paint(scene: Scene, recipe: Recipe) -> Array:
    """The finished painting (H,W,3) in [0,1] of a scene of that size."""
    height, width = scene.focus.shape
    rng = np.random.default_rng(recipe.seed)
    canvas = primed(height, width, recipe.ground)
    bristles = make_bristles(rng)
    for brush in recipe.brushes:
        paint_layer(canvas, scene, brush.scaled(height / _FULL_HEIGHT), bristles, rng)
    return lit(canvas, recipe.relief)


def main() -> None:
    parser = argparse.ArgumentParser(description="Paint the sample pictures again.")
    parser.add_argument("--height", type=int, default=_FULL_HEIGHT, help="of the pictures, in pixels")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    parser.add_argument("--only", choices=sorted(PAINTINGS), help="just this painting")
    options = parser.parse_args()
    for name, (scene, recipe) in PAINTINGS.items():
        if options.only in (None, name):
            picture = paint(scene(options.height, round(options.height * _ASPECT), recipe.seed), recipe)
            pixels = Image.fromarray(np.round(picture * 255).astype(np.uint8))
            pixels.save(options.out / f"{name}.jpg", quality=92)


if __name__ == "__main__":
    main()
