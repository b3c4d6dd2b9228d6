"""The pairs beside the project, harmonized and judged: figures, and a page with the published results between.

    python tests/support/pairs.py OUT [--shared DIR] [--ids 0 5 14] [OPTIONS OF painterly harmonize]

writes OUT/ID.png, a record of each run in OUT/runs, OUT/runs/report.html, and prints the table of ``measure.py``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from PIL import Image

SHARED = Path(__file__).resolve().parents[3] / "shared"


def pictures(pair: Path, folder: Path) -> list[str]:
    """The pair as options; composite and mask at the painting's size, the mask without greys."""
    folder.mkdir(parents=True, exist_ok=True)
    size = Image.open(pair / "painting.jpg").size
    Image.open(pair / "composite.jpg").convert("RGB").resize(size, Image.Resampling.LANCZOS).save(folder / "c.png")
    mask = Image.open(pair / "mask.jpg").convert("L").resize(size, Image.Resampling.LANCZOS)
    mask.point(lambda value: 255 * (value > 127)).save(folder / "m.png")
    return [
        *("--painting", str(pair / "painting.jpg")),
        *("--composite", str(folder / "c.png"), "--mask", str(folder / "m.png")),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--ids", nargs="*", help="default: all")
    arguments, options = parser.parse_known_args()
    painterly = [sys.executable, "-m", "painterly_engine.cli"]
    pairs = sorted((arguments.shared / "pairs").iterdir(), key=lambda pair: pair.name.zfill(9))
    chosen = [pair for pair in pairs if arguments.ids is None or pair.name in arguments.ids]
    references = arguments.output / "published"
    references.mkdir(parents=True, exist_ok=True)
    for pair in chosen:
        result = arguments.output / f"{pair.name}.png"
        given = pictures(pair, arguments.output / "given" / pair.name)
        kept = ["--record", str(arguments.output / "runs" / pair.name), "-o", str(result)]
        subprocess.run([*painterly, "harmonize", *given, *kept, *options], check=True)
        size = Image.open(pair / "painting.jpg").size
        Image.open(pair / "published_final.png").convert("RGB").resize(size).save(references / result.name)
    measure = [sys.executable, str(arguments.shared / "quality" / "measure.py"), str(arguments.output)]
    subprocess.run([*measure, "--ids", *(pair.name for pair in chosen)], check=True)
    subprocess.run([*painterly, "report", str(arguments.output / "runs"), "--references", str(references)], check=True)


if __name__ == "__main__":
    main()
