"""The sample pictures: there, small, cut out softly, placed inside their paintings, and made again by one command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
INDEX: list[dict[str, Any]] = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
FIELDS = {"name": str, "title": str, "painting": str, "object": str, "at": list, "scale": float, "stylization": float}

each_example = pytest.mark.parametrize("example", INDEX, ids=[example["name"] for example in INDEX])


def opaque(example: dict[str, Any]) -> np.ndarray:
    """The object's alpha in [0,1]."""
    with Image.open(EXAMPLES / example["object"]) as cutout:
        assert cutout.mode == "RGBA"
        return np.asarray(cutout.getchannel("A"), np.float32) / 255


def test_there_are_at_least_two_with_names_of_their_own() -> None:
    names = [example["name"] for example in INDEX]
    assert len(names) >= 2
    assert len(set(names)) == len(names)


@each_example
def test_an_entry_says_all_that_the_demo_reads(example: dict[str, Any]) -> None:
    assert {field: type(value) for field, value in example.items()} == FIELDS
    assert [type(number) for number in example["at"]] == [int, int]
    assert 0 < example["stylization"] <= 100


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in EXAMPLES.iterdir() if path.is_file()) < 1_500_000


@each_example
def test_the_painting_is_an_rgb_picture_of_demo_size(example: dict[str, Any]) -> None:
    path = EXAMPLES / example["painting"]
    assert path.stat().st_size < 400_000
    with Image.open(path) as painting:
        pixels = np.asarray(painting, np.float32)
    assert pixels.shape == (608, 768, 3)
    assert pixels.std() > 30, "a painting, not a flat colour"


@each_example
def test_the_object_is_cut_out_with_soft_edges(example: dict[str, Any]) -> None:
    assert (EXAMPLES / example["object"]).stat().st_size < 300_000
    alpha = opaque(example)
    inside, soft = alpha == 1, (alpha > 0) & (alpha < 1)
    assert inside.mean() > 0.4
    # An outline is about as long as the box around it; a hard edge would have no partly covered pixels along it.
    assert soft.sum() > 2 * sum(alpha.shape)
    assert soft.sum() < 0.1 * inside.sum(), "a film over the whole object"


@each_example
def test_the_object_lies_inside_its_painting_and_fills_a_moderate_part_of_it(example: dict[str, Any]) -> None:
    with Image.open(EXAMPLES / example["painting"]) as painting:
        width, height = painting.size
    alpha = opaque(example)
    x, y = example["at"]
    assert 0 <= x <= width - alpha.shape[1] * example["scale"]
    assert 0 <= y <= height - alpha.shape[0] * example["scale"]
    assert 0.15 <= alpha.sum() * example["scale"] ** 2 / (width * height) <= 0.25


def test_the_paintings_are_made_again_by_one_command_and_the_same_each_time(tmp_path: Path) -> None:
    runs = [tmp_path / "first", tmp_path / "second"]
    for folder in runs:
        folder.mkdir()
        subprocess.run([sys.executable, EXAMPLES / "paint.py", "--height", "76", "--out", folder], check=True)
    for example in INDEX:
        first, second = (folder / example["painting"] for folder in runs)
        assert first.read_bytes() == second.read_bytes()
        # The small one shows what the large one shows.
        with Image.open(first) as small, Image.open(EXAMPLES / example["painting"]) as large:
            coarse = [np.asarray(picture.resize((12, 10), Image.Resampling.BOX), float) for picture in (small, large)]
        likeness = np.corrcoef(coarse[0].ravel(), coarse[1].ravel())[0, 1]
        assert likeness > 0.8
