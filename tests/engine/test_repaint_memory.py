"""A scale's predicted memory against what a process was seen to take; what does not fit is planned again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from painterly_engine import repainting
from painterly_engine.arrays import to_pixels
from painterly_engine.network.features import FeatureNetwork, random_network
from painterly_engine.presets import PRESETS, Repaint
from painterly_engine.progress import SILENT
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.memory import affordable, predict
from painterly_engine.repaint.scales import Level
from painterly_engine.window import Box
from painterly_protocol.request import HarmonizeRequest

MEASURE = """
import resource, sys
from pathlib import Path
import painterly_engine, torch
from painterly_engine.network.features import GATYS, random_network
from painterly_engine.repaint.descent import descend
from painterly_engine.repaint.objective import Objective, Pictures, Weights

side, context = map(int, sys.argv[1:])
torch.set_num_threads(1)
network = random_network(1, 16, GATYS)
network(torch.rand(3, 64, 64), ["relu4_1"])
painting = torch.rand(3, context, context)
ground = painting[:, :side, :side].clone()
support = torch.zeros(side, side)
support[side // 8 : -side // 8, side // 8 : -side // 8] = 1
Path("/proc/self/clear_refs").write_text("5")
before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
objective = Objective(Pictures(painting, ground, 1 - ground, support), network, Weights(1.0, 1.0, 1.0))
objective.aim(ground, lambda _: None)
descend(objective, 1 - ground, 2, lambda *_: None)
(peak,) = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(int(peak) * 1024 - before)
"""
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks are told by Linux's /proc only"
)


@needs_proc
@pytest.mark.parametrize(("side", "context"), [(256, 512), pytest.param(512, 720, marks=pytest.mark.long)])
def test_what_is_predicted_is_about_what_is_taken(side: int, context: int) -> None:
    command = [sys.executable, "-c", MEASURE, str(side), str(context)]
    taken = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    level = Level((side, side), Box(0, 0, context, context), (context, context))
    predicted = predict(level, random_network(1, 16))
    assert 0.5 * taken <= predicted <= 2 * taken


def test_what_does_not_fit_is_planned_smaller_and_said() -> None:
    high = PRESETS["high"]
    assert isinstance(high, Repaint)
    network, around, size = random_network(1, 64), Box(0, 0, 1600, 1600), (2000, 2000)
    same, nothing = affordable(high, around, size, network, 2**40)
    assert same == high and nothing == []
    smaller, (remark,) = affordable(high, around, size, network, 2**32)
    assert smaller.size < high.size and str(smaller.size) in remark and str(high.size) in remark
    least, _ = affordable(high, around, size, network, 1)
    assert least.sides == high.sides[:1]
    assert affordable(high, around, size, network, None) == (high, [])


def test_where_memory_runs_out_it_is_tried_smaller_once_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = repainting.repaint

    def scarce(canvas: Canvas, network: FeatureNetwork, settings: Repaint, *others: object) -> object:
        asked.append(settings.size)
        if settings.size > 48:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return real(canvas, network, settings, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(repainting, "repaint", scarce)
    painting = np.random.default_rng(1).integers(0, 256, (80, 90, 3), np.uint8)
    mask = np.zeros((80, 90, 1), np.uint8)
    mask[30:50, 30:50] = 255
    request = HarmonizeRequest(to_pixels(painting), to_pixels(255 - painting), to_pixels(mask))
    settings = Repaint(sides=(48, 96), iterations=2)
    change = repainting.run_repaint(request, random_network(1, 4), settings, torch.device("cpu"), SILENT)
    notes = change.about["notes"]
    assert asked == [96, 48] and isinstance(notes, list) and any("96 px" in note for note in notes)
