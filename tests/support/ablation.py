"""What each part of our own method buys: the table of docs/method.md, from pairs beside the project.

    python tests/support/ablation.py OUT [--shared DIR] [--ids 5 14 27] [--genuine WEIGHTS]

harmonizes every pair with one thing changed at a time, in one thread, and writes OUT/NAME/ID.png.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor

from painterly_engine import harmonize, presets
from painterly_engine.repaint import colours, finish, neighbours, objective, wishes

sys.path.insert(0, str(Path(__file__).parent))
import pairs

USUAL = presets.PRESETS["standard"]

Change = list[tuple[Any, str, Any]]
"""Module, name, value."""


class NoStrokes:
    """Leaves the picture as it is."""

    def __init__(self, *_: object) -> None: ...

    def lay(self, picture: torch.Tensor, *_: object) -> torch.Tensor:
        return picture


def settings(**changed: Any) -> Change:
    return [(presets, "PRESETS", {**presets.PRESETS, "standard": replace(USUAL, **changed)})]


CHANGES: dict[str, Change] = {
    "`standard`": [],
    "one scale only, 240 iterations": settings(sides=USUAL.sides[-1:], iterations=240),
    "40 iterations a scale, patches chosen twice": settings(iterations=40, turns=2),
    "no patches": [(wishes, "PATCHES", 0.0)],
    "patches chosen with all of their common mean": [(neighbours, "CENTRED", 0.0)],
    "half of the Gram matrices from chosen positions": [(objective, "CHOSEN", 0.5)],
    "content at relu4_1 alone": [(objective, "CONTENT_LAYERS", ("relu4_1",))],
    "no light and shade": [(wishes, "SHADING", 0.0)],
    "content, shade and detail the same for every stylization": [
        (wishes, name, 0.0) for name in ("CALMER", "PLAINER", "TRUER")
    ],
    "colours as fine as lightness": [(colours, "COARSER", 1)],
    "no strokes at the end": [(finish, "Strokes", NoStrokes)],
    "outline not melted": [(finish, "_outline_melted", lambda picture, *_: picture)],
    "fine contrast not raised": [(finish, "_gain", lambda *_: 0.0)],
}


@contextmanager
def changed(change: Change) -> Iterator[None]:
    before = [(module, name, getattr(module, name)) for module, name, _ in change]
    for module, name, value in change:
        setattr(module, name, value)
    yield
    for module, name, value in before:
        setattr(module, name, value)


class Judge:
    """The figures of ``measure.py``, which knows its own results' names only and judges others' with them each time."""

    def __init__(self, shared: Path, folder: Path, ids: list[str]) -> None:
        sys.path.insert(0, str(shared / "quality"))
        self._measure = import_module("measure")
        self._style, self._lpips = self._measure.Style(), self._measure.Lpips()
        self.pairs = {name: self._pair(shared / "pairs" / name, folder / "given" / name) for name in ids}

    def _pair(self, pair: Path, folder: Path) -> list[Image.Image]:
        options = pairs.pictures(pair, folder)
        return [Image.open(options[options.index(f"--{name}") + 1]) for name in ("painting", "composite", "mask")]

    def __call__(self, name: str, result: Image.Image) -> dict[str, float]:
        _, composite, mask = self.pairs[name]
        shape, pasted, ours = (_tensor(one) for one in (mask, composite, result))
        left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
        box = (..., slice(max(0, top - 16), bottom + 16), slice(max(0, left - 16), right + 16))
        return {
            **self._style(ours, shape, self._reference(name)),
            "content": self._lpips(ours[box], pasted[box]),
            "seam": self._measure.seam(ours, shape),
        }

    @cache  # noqa: B019 - there is one judge
    def _reference(self, name: str) -> Any:
        painting, _, mask = self.pairs[name]
        return self._style.reference(_tensor(painting), _tensor(mask))


def _tensor(image: Image.Image) -> torch.Tensor:
    """(1, 3 or 1, h, w) in [0, 1]."""
    return to_tensor(image.convert("L" if image.mode == "L" else "RGB"))[None]


def row(judge: Judge, folder: Path, weights: str) -> str:
    """A line of the table: means of style, patch, content, seam and processor seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    found, seconds = [], 0.0
    for name, given in judge.pairs.items():
        begun = time.process_time()
        result = harmonize(*given, preset="standard", weights=weights)
        seconds += time.process_time() - begun
        result.save(folder / f"{name}.png")
        found.append(judge(name, result))
    digits = {"style": 3, "patch": 3, "content": 3, "seam": 2}
    means = [f"{sum(one[what] for one in found) / len(found):.{after}f}" for what, after in digits.items()]
    return " | ".join([*means, f"{seconds / len(found):.0f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--shared", type=Path, default=pairs.SHARED)
    parser.add_argument("--ids", nargs="*", default=["5", "14", "27"])
    parser.add_argument("--genuine", metavar="WEIGHTS", help="also with this network instead of the built-in one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    judge = Judge(arguments.shared, arguments.output, arguments.ids)
    runs = {name: ("slim", change) for name, change in CHANGES.items()}
    if arguments.genuine:
        runs["genuine VGG-19 to relu3_1 instead of the built-in network"] = (arguments.genuine, [])
    print("| | style | patch | content | seam | seconds |\n|---|---|---|---|---|---|", flush=True)
    for number, (name, (weights, change)) in enumerate(runs.items()):
        with changed(change):
            figures = row(judge, arguments.output / f"{number:02}", weights)
        print(f"| {name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
