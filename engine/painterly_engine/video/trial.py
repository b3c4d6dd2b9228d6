"""``painterly bench --suite video``: a clip of our own painted with and without what is carried from frame to frame."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from painterly_engine import device as devices
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.pictures.examples import EXAMPLES
from painterly_engine.pictures.files import Bytes, read_rgb, read_rgba
from painterly_engine.pictures.sheet import contact_sheet, stack
from painterly_engine.presets import PRESETS, Repaint
from painterly_engine.video.clip import make_clip
from painterly_engine.video.files import Source
from painterly_engine.video.keeping import Keeper
from painterly_engine.video.making import make_video
from painterly_engine.video.masks import everywhere, masks_in
from painterly_engine.video.painters import FeedForward, Painter, Repainting

FRAMES, SIZE = 60, (360, 640)
RESULTS, STRIP = "video.json", "video.png"
STEADY = 0.8
SHOWN = (0, 1, 2, 30, 59)
"""Which frames the strip shows: three that follow each other, and two later ones."""


@dataclass(frozen=True)
class Trial:
    """
    Attributes:
        name: as the report calls it.
        painting: of the examples.
        masked: whether only the object is painted.
        make: its painter.
    """

    name: str
    painting: str
    masked: bool
    make: Callable[[Bytes, NetworkShelf], Painter]


def _draft(painting: Bytes, shelf: NetworkShelf) -> Painter:
    """As ``painterly video --method two-pass`` does without other options."""
    settings = PRESETS["draft"]
    assert isinstance(settings, Repaint)
    return Repainting(painting, settings, 0.5, 0.5, "slim", shelf)


TRIALS = (
    Trial("adain, whole frames", "night.jpg", False, lambda one, shelf: FeedForward(one, 640, 1.0, 0.5, shelf)),
    Trial("adain, the object", "terrace.jpg", True, lambda one, shelf: FeedForward(one, 640, 0.5, 0.5, shelf)),
    Trial("two-pass, the object", "terrace.jpg", True, _draft),
)


def run_trials(
    folder: Path,
    say: Callable[[str], None],
    device: str = devices.AUTO,
    frames: int = FRAMES,
    size: tuple[int, int] = SIZE,
    examples: Path = EXAMPLES,
) -> list[dict[str, object]]:
    """Write clip, painted videos, figures and a strip of frames into a folder.

    Returns:
        What each run has taken and become: ``Made``'s fields, and its name and steadiness.
    """
    clip, masks = folder / "clip.mp4", folder / "masks"
    terrace, coffee = read_rgb(examples / "terrace.jpg").pixels, read_rgba(examples / "coffee.png").pixels
    folder.mkdir(parents=True, exist_ok=True)
    make_clip(clip, masks, terrace, coffee, frames, size)
    rows, found = [("the clip", clip)], []
    for trial in TRIALS:
        for steadiness in (0.0, STEADY):
            say(f"{trial.name}, steadiness {steadiness:g}")
            output = folder / f"{trial.name.replace(', ', '-').replace(' ', '-')}-{steadiness:g}.mp4"
            made = _made(trial, steadiness, clip, masks, output, devices.shelf(device), examples)
            found.append({"name": trial.name, "steadiness": steadiness, **made})
            rows.append((f"{trial.name}, {'steady' if steadiness else 'frame by frame'}", output))
            (folder / RESULTS).write_text(json.dumps(found, indent=1), encoding="utf-8")
    _strip(folder / STRIP, rows)
    return found


def _made(
    trial: Trial, steadiness: float, clip: Path, masks: Path, output: Path, shelf: NetworkShelf, examples: Path
) -> dict[str, object]:
    painter = trial.make(read_rgb(examples / trial.painting).pixels, shelf)
    work = output.with_suffix(".frames")
    shutil.rmtree(work, ignore_errors=True)  # a trial is timed from the first frame
    keeper = Keeper(work)
    where = masks_in(masks) if trial.masked else everywhere
    made = make_video(clip, output, painter, where, keeper, trial.name, steadiness)
    keeper.clear()
    return {**asdict(made), "seconds_each": made.seconds_each, "work_each": made.work / made.frames}


def _strip(path: Path, rows: Sequence[tuple[str, Path]]) -> None:
    sheets = []
    for name, video in rows:
        with Source(video) as source:
            shown = [
                (f"{name}, frame {frame.number}" if frame.number == SHOWN[0] else f"{frame.number}", frame.pixels)
                for frame in islice(source.read(), SHOWN[-1] + 1)
                if frame.number in SHOWN
            ]
        sheets.append(contact_sheet(shown, 200))
    Image.fromarray(np.ascontiguousarray(stack(sheets))).save(path)
