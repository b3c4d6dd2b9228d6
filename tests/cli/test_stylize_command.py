"""``painterly stylize`` as a user runs it, on tiny pictures."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

STYLIZE = [sys.executable, "-m", "painterly_engine.cli", "stylize"]
PATIENCE_S = 180
QUICK = ["--weights", "slim", "--size", "48", "--iterations", "3"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A content, two paintings, a mask."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, size in {"content": (60, 80, 3), "one": (50, 50, 3), "two": (40, 70, 3)}.items():
        Image.fromarray(rng.integers(0, 255, size, np.uint8)).save(folder / f"{name}.png")
    mask = np.zeros((60, 80), np.uint8)
    mask[25:35, 30:50] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return folder


def stylize(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*STYLIZE, "--content", "content.png", *map(str, arguments), "-o", "out.png"]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--style", "one.png", *QUICK],
        ["--method", "local", "--style", "one.png", "--mask", "mask.png", "--dilation", "2", *QUICK],
        [
            "--method",
            "multi-style",
            "--style",
            "one.png",
            "--style",
            "two.png",
            "--weight",
            "2",
            "--weight",
            "1",
            *QUICK,
        ],
        ["--method", "adain", "--style", "one.png", "--style", "two.png", "--mask", "mask.png", "--alpha", "0.7"],
    ],
    ids=["global", "local", "multi-style", "adain"],
)
def test_each_method_paints(pictures: Path, arguments: list[str]) -> None:
    ran = stylize(pictures, *arguments)
    assert ran.returncode == 0, ran.stderr
    assert "out.png: " in ran.stdout and ", network slim, " in ran.stdout
    assert ("iteration 3 of 3" in ran.stderr) == ("adain" not in arguments)
    before, after = (np.asarray(Image.open(pictures / name)) for name in ("content.png", "out.png"))
    assert after.shape == before.shape and (after != before).mean() > 0.02
    if "--mask" in arguments:
        assert np.array_equal(after[:15], before[:15]) and np.array_equal(after[:, :20], before[:, :20])
    (pictures / "out.png").unlink()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--style", "none.png"], "none.png"),
        (["--style", "one.png", "--method", "local"], "needs a mask"),
        (["--style", "one.png", "--style", "two.png"], "imitates one painting"),
        (["--style", "one.png", "--alpha", "0.5"], "knows no alpha"),
        (["--style", "one.png", "--weights", "slim", "--content-layer", "5_4"], "no layer relu5_4"),
        (["--style", "one.png", "--ratio", "-1"], "ratio of -1"),
        (["--style", "one.png", "--mask", "one.png"], "mask is 50×50"),
        (["--style", "one.png", "--weights", "vgg77"], "vgg77"),
        (["--style", "one.png", "--every", "0", "--film", "film.gif"], "--every must be 1 or more."),
    ],
)
def test_bad_input_gets_a_sentence_and_no_output(pictures: Path, arguments: list[str], words: str) -> None:
    ran = stylize(pictures, *arguments)
    assert ran.returncode == 1 and words in ran.stderr and "Traceback" not in ran.stderr
    assert not (pictures / "out.png").exists()


def test_ctrl_c_stops_and_writes_nothing(pictures: Path) -> None:
    command = [
        *STYLIZE, "--content", "content.png", "--style", "one.png", "--weights", "slim", "--iterations", "100000",
        "-o", "never.png",
    ]  # fmt: skip
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=pictures, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        assert process.stderr is not None
        assert any("painting, iteration" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    assert not (pictures / "never.png").exists()


def test_progress_can_be_looked_at(pictures: Path) -> None:
    looks = ["--every", "1", "--snapshots", "new/snaps", "--film", "new/film.gif", "--losses", "new/losses.csv"]
    ran = stylize(pictures, "--style", "one.png", *QUICK, *looks)
    assert ran.returncode == 0, ran.stderr
    assert len(list((pictures / "new/snaps").iterdir())) == 3
    with Image.open(pictures / "new/film.gif") as film:
        assert film.n_frames == 3
    assert (pictures / "new/losses.csv").read_text().count("\n") == 4 and (pictures / "new/losses.svg").is_file()
    assert "new/film.gif: 3 pictures\n" in ran.stdout
    (pictures / "out.png").unlink()
    wrong = stylize(pictures, "--style", "one.png", *QUICK, "--film", "film.mov")
    assert wrong.returncode == 1 and "film.mov" in wrong.stderr
