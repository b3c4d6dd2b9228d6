"""No command writes over what it reads, nor one result over another: told before any work is done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from painterly_engine.cli.main import main
from painterly_engine.pictures.sparing import spare
from painterly_protocol.errors import PainterlyError


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A painting, an object alone and pasted in, masks; a snapshot and a comparison's tile of an earlier day."""
    rng = np.random.default_rng(0)
    painting = rng.integers(0, 255, (48, 64, 3), np.uint8)
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 20:45] = 255
    composite = np.where(mask[..., None] > 0, np.uint8([200, 30, 30]), painting)
    cutout = np.dstack([composite, mask])[8:32, 18:47]
    (tmp_path / "looks").mkdir()
    (tmp_path / "tiles").mkdir()
    for name, array in {
        "paint": painting, "comp": composite, "mask": mask, "wide": mask, "cup": cutout, "night": painting,
        "where": mask, "photo": composite, "strokes": mask, "looks/000002": painting, "tiles/01-pasted": painting,
        "sheet": painting,
    }.items():  # fmt: skip
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    os.link(tmp_path / "paint.png", tmp_path / "twin.png")
    example = {"name": "sheet", "painting": "sheet.png", "object": "cup.png", "at": [0, 0], "scale": 1}
    (tmp_path / "examples.json").write_text(json.dumps([example]))
    return tmp_path


QUICK = "--preset draft --weights random --size 64 --iterations 1 --inline"
HARMONIZE = f"harmonize --painting paint.png --composite comp.png --mask mask.png {QUICK}"
PLACED = f"harmonize --painting paint.png --object cup.png --at 18,8 {QUICK}"
STYLIZE = "stylize --method adain --content paint.png --style night.png --mask mask.png"
COMPARE = "compare --object cup.png --methods pasted"


@pytest.mark.parametrize(
    "command",
    [
        f"{HARMONIZE} -o paint.png",
        f"{HARMONIZE} -o ./looks/../comp.png",
        f"{HARMONIZE} -o mask.png",
        f"{HARMONIZE} -o twin.png",
        f"{HARMONIZE} --loose-mask wide.png -o wide.png",
        f"{HARMONIZE} --style night.png --style-mask where.png -o night.png",
        f"{HARMONIZE} --style night.png --style-mask where.png -o where.png",
        f"{HARMONIZE} -o out.png --film mask.png",
        f"{PLACED} -o cup.png",
        f"harmonize --painting looks/000002.png --object cup.png {QUICK} -o out.png --snapshots looks",
        f"{STYLIZE} -o paint.png",
        f"{STYLIZE} -o night.png",
        f"{STYLIZE} -o mask.png",
        f"{STYLIZE} -o out.png --film night.png",
        "cutout photo.png --box 10,5,40,30 -o photo.png",
        "cutout photo.png --scribble strokes.png -o strokes.png",
        f"{COMPARE} --painting tiles/01-pasted.png -o tiles",
        "demo --examples . --inline -o .",
    ],
)
def test_nothing_that_is_read_is_written_over(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(files)
    before = {path: path.read_bytes() for path in files.rglob("*.*")}
    assert main(command.split()) == 1
    assert "would be written over, but it is read here" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in files.rglob("*.*")} == before


def test_no_result_is_written_over_another(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    assert main(f"{STYLIZE} -o out.png --film looks/../out.png".split()) == 1
    assert "out.png would be written twice" in capsys.readouterr().err and not (files / "out.png").exists()


def test_links_lead_to_one_file_and_the_same_words_elsewhere_do_not(files: Path) -> None:
    (files / "link.png").symlink_to(files / "paint.png")
    (files / "loop.png").symlink_to(files / "loop.png")
    for same in ("link.png", "twin.png", "looks/../paint.png"):
        with pytest.raises(PainterlyError, match="written over"):
            spare([files / same], [None, files / "mask.png", files / "paint.png"])
    spare([files / "new.png", files / "looks/paint.png", files / "loop.png"], [files / "paint.png", files / "none.png"])
