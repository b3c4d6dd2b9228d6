"""``painterly compare`` as a user runs it, on tiny pictures."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COMPARE = [sys.executable, "-m", "painterly_engine.cli", "compare"]
PATIENCE_S = 180


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("content", "style", "painting"):
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8)).save(folder / f"{name}.png")
    cutout = np.full((20, 20, 4), 255, np.uint8)
    cutout[:3, :, 3] = 0
    Image.fromarray(cutout).save(folder / "object.png")
    return folder


def compare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMPARE, *arguments, "-o", "new/folder"]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=PATIENCE_S)


def test_an_object_by_several_methods(pictures: Path) -> None:
    ran = compare(
        pictures, "--painting", "painting.png", "--object", "object.png", "--at", "30,20", "--methods", "pasted",
        "local", "adain", "--iterations", "2", "--weights", "slim", "--devices", "cpu", "cuda", "--size", "48",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    rows = list(csv.DictReader((pictures / "new/folder/compare.csv").open()))
    assert rows[0]["variant"] == "pasted" and rows[1]["variant"].startswith("local")
    if len(rows) == 3:  # without a graphics card
        assert "only the CPU was timed" in ran.stdout
        assert "only the CPU was timed" in (pictures / "new/folder/compare.html").read_text()
    assert (pictures / "new/folder/grid.png").is_file() and (pictures / "new/folder/01-pasted.png").is_file()


def test_a_whole_picture_by_several_settings(pictures: Path) -> None:
    ran = compare(
        pictures, "--content", "content.png", "--style", "style.png", "--ratios", "1", "0.01", "--iterations", "1", "3",
        "--weights", "slim", "--size", "48",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    rows = list(csv.DictReader((pictures / "new/folder/compare.csv").open()))
    assert [row["variant"] for row in rows] == [
        f"{n} iterations, ratio {ratio}" for n in (1, 3) for ratio in ("1", "0.01")
    ]
    told = list(csv.DictReader((pictures / "new/folder/losses.csv").open()))
    assert [row["iteration"] for row in told if row["variant"] == "3 iterations, ratio 1"] == ["1", "2", "3"]
    for row in told:
        parts = sum(float(row[name] or 0) for name in ("style", "content", "histogram", "variation"))
        assert float(row["total"]) == pytest.approx(parts, rel=1e-4)
    drawn = (pictures / "new/folder/losses.svg").read_text()
    assert "total loss" in drawn and "3 iterations, ratio 0.01" in drawn


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "not clear what"),
        (["--content", "content.png"], "not clear what"),
        (["--painting", "painting.png"], "no object"),
        (["--content", "content.png", "--style", "style.png", "--methods", "local"], "needs an object"),
        (["--content", "content.png", "--style", "style.png", "--alphas", "1"], "knows alpha"),
        (["--content", "content.png", "--style", "none.png"], "none.png"),
    ],
)
def test_bad_input_gets_a_sentence(pictures: Path, arguments: list[str], words: str) -> None:
    ran = compare(pictures, *arguments)
    assert ran.returncode == 1 and words in ran.stderr and "Traceback" not in ran.stderr
