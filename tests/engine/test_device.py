"""Which device is computed on, and what is said where it is not there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from painterly_engine import device
from painterly_engine.bench import scenes
from painterly_engine.cli.main import main
from painterly_engine.device import AUTO, VARIABLE, choose
from painterly_engine.progress import SILENT
from painterly_engine.service import command
from painterly_engine.service.runner import harmonizing_runner
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import Parameters


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_best_at_hand(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, best: str) -> None:
    monkeypatch.setattr(device, "at_hand", lambda: {"cuda": cuda, "mps": mps, "cpu": True})
    assert choose(AUTO).type == best
    assert choose("cpu").type == "cpu"
    for name, here in (("cuda", cuda), ("mps", mps)):
        if here:
            assert choose(name).type == name
        else:
            with pytest.raises(PainterlyError, match="torch can use"):
                choose(name)


def test_a_device_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(PainterlyError, match=r"abacus.*auto, cuda, mps, cpu"):
        choose("abacus")


@pytest.fixture
def no_apple(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "at_hand", lambda: {"cuda": False, "mps": False, "cpu": True})


@pytest.mark.usefixtures("no_apple")
def test_a_worker_on_a_device_that_is_not_there_says_so_for_every_job(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = scenes.request(64, 64, 30, Parameters(preset="instant"))
    monkeypatch.setenv(VARIABLE, "mps")
    runner = harmonizing_runner()
    for _ in range(2):
        with pytest.raises(PainterlyError) as failed:
            runner(asked, SILENT)
        assert failed.value.code is ErrorCode.BAD_REQUEST and "Apple" in failed.value.sentence
    monkeypatch.setenv(VARIABLE, "cpu")
    assert runner(asked, SILENT).metadata["device"] == "cpu"


@pytest.mark.usefixtures("no_apple")
def test_the_command_lines_device_is_heeded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "cpu")
    picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    for name, pixels in (("painting", picture), ("composite", 255 - picture), ("mask", (picture > 200)[..., 0] * 255)):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    files = [
        part for name in ("painting", "composite", "mask") for part in (f"--{name}", str(tmp_path / f"{name}.png"))
    ]
    assert main(["harmonize", *files, "-o", str(tmp_path / "out.png"), "--device", "mps"]) != 0
    assert "Apple" in capsys.readouterr().err


def test_an_engine_hands_its_device_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """To its workers, which inherit what its environment says."""
    monkeypatch.setenv(VARIABLE, AUTO)
    (tmp_path / "a file").touch()
    assert command.main(["--device", "cpu", "--runtime-dir", str(tmp_path / "a file")]) == 1
    assert os.environ[VARIABLE] == "cpu"
