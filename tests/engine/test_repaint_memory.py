"""A scale's predicted memory against what a process was seen to take; what does not fit is planned again."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from painterly_engine import published, repainting
from painterly_engine.arrays import to_pixels
from painterly_engine.network.features import FeatureNetwork, random_network
from painterly_engine.presets import PRESETS, Published, Repaint
from painterly_engine.progress import SILENT
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.memory import affordable, predict
from painterly_engine.repaint.scales import Level
from painterly_engine.two_passes import Scene
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
objective = Objective(Pictures(painting, ground, 1 - ground, support), network, Weights(1.0, 1.0, 1.0, 1.0))
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


def test_what_does_not_fit_is_planned_smaller() -> None:
    high = PRESETS["high"]
    assert isinstance(high, Repaint)
    network, around, size = random_network(1, 64), Box(0, 0, 1600, 1600), (2000, 2000)
    assert affordable(high, around, size, network, 2**40) == high
    assert affordable(high, around, size, network, 2**32).size < high.size
    assert affordable(high, around, size, network, 1).sides == high.sides[:1]
    assert affordable(high, around, size, network, None) == high


def test_where_memory_runs_out_it_is_tried_smaller_once_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = repainting.repaint

    def scarce(canvas: Canvas, network: FeatureNetwork, settings: Repaint, *others: object) -> object:
        asked.append(settings.size)
        if settings.size > 48:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return real(canvas, network, settings, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(repainting, "repaint", scarce)
    settings = Repaint(sides=(48, 96), iterations=2)
    change = repainting.run_repaint(_request(), random_network(1, 4), settings, torch.device("cpu"), SILENT)
    assert asked == [96, 48]
    # The whole painting, 90 px wide, is the object's surroundings: no plan was ever larger.
    assert change.warnings == ["There is not enough memory for a working size of 90 px, so 48 px were used."]
    assert change.about["working_size"] == [48, 43]


@pytest.mark.parametrize(
    ("free", "sides", "warned"),
    [(None, (64, 512), []), (2**40, (64, 512), []), (1, (64, 512), ["90 px, so 64 px"]), (1, (128, 512), [])],
)
def test_what_the_object_could_not_have_filled_is_no_loss(
    monkeypatch: pytest.MonkeyPatch, free: int | None, sides: tuple[int, ...], warned: list[str]
) -> None:
    monkeypatch.setattr(repainting, "free_memory", lambda _device: free)
    change = repainting.run_repaint(
        _request(), random_network(1, 4), Repaint(sides, iterations=1), torch.device("cpu"), SILENT
    )
    assert len(change.warnings) == len(warned)
    assert all(words in warning for words, warning in zip(warned, change.warnings, strict=True))


def test_both_the_plan_and_the_fallback_name_the_size_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planned at 64 px for want of memory, and then that was too much as well."""
    real = repainting.repaint

    def scarce(canvas: Canvas, network: FeatureNetwork, settings: Repaint, *others: object) -> object:
        if settings.size > 48:
            raise MemoryError
        return real(canvas, network, settings, *others)  # type: ignore[arg-type]

    def planned(settings: Repaint, *_others: object) -> Repaint:
        return dataclasses.replace(settings, sides=settings.sides[:-1])

    monkeypatch.setattr(repainting, "repaint", scarce)
    monkeypatch.setattr(repainting, "affordable", planned)
    change = repainting.run_repaint(
        _request(), random_network(1, 4), Repaint((48, 64, 96), 2), torch.device("cpu"), SILENT
    )
    (warning,) = change.warnings
    assert "of 90 px" in warning and "so 48 px" in warning


def _request() -> HarmonizeRequest:
    painting = np.random.default_rng(1).integers(0, 256, (80, 90, 3), np.uint8)
    mask = np.zeros((80, 90, 1), np.uint8)
    mask[30:50, 30:50] = 255
    return HarmonizeRequest(to_pixels(painting), to_pixels(255 - painting), to_pixels(mask))


def test_the_published_passes_are_planned_smaller_too() -> None:
    network = random_network(1, 64)
    asked = Published(size=700, iterations=1000)
    assert published.affordable(_request(), asked, network, None) == asked
    assert published.affordable(_request(), asked, network, 2**40) == asked
    less = published.affordable(_request(), asked, network, 2**30)
    assert published.LEAST <= less.size < 700
    assert published.affordable(_request(), asked, network, 1).size < 1.25 * published.LEAST


def test_where_memory_runs_out_the_published_passes_are_tried_smaller_once_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    real = published.harmonize

    def scarce(scene: Scene, *others: object, **more: object) -> object:
        asked.append(max(scene.painting.shape[1:]))
        if len(asked) == 1:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return real(scene, *others, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(published, "harmonize", scarce)
    change = published.run_published(_request(), random_network(1, 4), Published(96, 2), torch.device("cpu"), SILENT)
    assert asked == [96, 77] and any("96 px, so 77 px" in warning for warning in change.warnings)
