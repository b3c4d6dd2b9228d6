"""What each part of our own method buys: the table of docs/method.md, from pairs beside the project.

    python tests/support/ablation.py OUT [--shared DIR] [--ids 5 14 27] [--genuine WEIGHTS]

harmonizes every pair with one thing changed at a time, in one thread, and writes OUT/NAME/ID.png.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

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


def row(folder: Path, weights: str, ids: list[str], shared: Path) -> str:
    """A line of the table: means of style, patch, content, seam and processor seconds."""
    seconds = 0.0
    for pair in ids:
        given = dict(zip(*[iter(pairs.pictures(shared / "pairs" / pair, folder / "given" / pair))] * 2, strict=True))
        opened = [Image.open(given[f"--{name}"]) for name in ("painting", "composite", "mask")]
        begun = time.process_time()
        harmonize(*opened, preset="standard", weights=weights).save(folder / f"{pair}.png")
        seconds += time.process_time() - begun
    figures = folder / "figures.json"
    measure = [sys.executable, str(shared / "quality" / "measure.py"), str(folder), "--json", str(figures), "--ids"]
    subprocess.run([*measure, *ids], check=True, stdout=subprocess.DEVNULL)
    ours = [pair["yours"] for pair in json.loads(figures.read_text()).values()]
    names = {"style": 3, "patch": 3, "content": 3, "seam": 2}
    means = [f"{sum(one[name] for one in ours) / len(ours):.{digits}f}" for name, digits in names.items()]
    return " | ".join([*means, f"{seconds / len(ids):.0f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--shared", type=Path, default=pairs.SHARED)
    parser.add_argument("--ids", nargs="*", default=["5", "14", "27"])
    parser.add_argument("--genuine", metavar="WEIGHTS", help="also with this network instead of the built-in one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = {name: ("slim", change) for name, change in CHANGES.items()}
    if arguments.genuine:
        runs["genuine VGG-19 to relu3_1 instead of the built-in network"] = (arguments.genuine, [])
    print("| | style | patch | content | seam | seconds |\n|---|---|---|---|---|---|", flush=True)
    for number, (name, (weights, change)) in enumerate(runs.items()):
        with changed(change):
            figures = row(arguments.output / f"{number:02}", weights, arguments.ids, arguments.shared)
        print(f"| {name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
