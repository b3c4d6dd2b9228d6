"""Predicted memory against what processes of their own were seen to take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from painterly_engine.memory import predict
from painterly_engine.network.features import random_network
from painterly_engine.window import Box

MEASURE = """
import resource, sys
from pathlib import Path
import painterly_engine, torch
from painterly_engine.balance import Balance
from painterly_engine.network.features import random_network
from painterly_engine.pass_one import run_pass_one
from painterly_engine.pass_two import run_pass_two
from painterly_engine.progress import SILENT

side, object_side, width, iterations = map(int, sys.argv[1:])
torch.set_num_threads(1)
network = random_network(width=width)
network(torch.rand(3, 64, 64), ["relu5_1"])
painting = torch.rand(3, side, side)
loose = torch.zeros(side, side)
loose[90 : 90 + object_side, 90 : 90 + object_side] = 1
ring = torch.nn.functional.max_pool2d(loose[None], 8, ceil_mode=True)[0] > 0
Path("/proc/self/clear_refs").write_text("5")
before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
first = run_pass_one(painting * (1 - loose / 2), painting, loose, network, iterations=iterations, observer=SILENT)
weights = Balance(content=1.0, style=5.0, histogram=50.0, variation=30.0)
run_pass_two(first, painting, loose, ring, network, weights=weights, iterations=iterations, observer=SILENT)
(peak,) = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(int(peak) * 1024 - before)
"""
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks are told by Linux's /proc only"
)


def measured(*arguments: int) -> int:
    command = [sys.executable, "-c", MEASURE, *map(str, arguments)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@needs_proc
@pytest.mark.parametrize(
    ("side", "object_side", "width", "iterations"),
    [
        (480, 100, 16, 3),
        pytest.param(960, 300, 16, 2, marks=pytest.mark.long),
        pytest.param(640, 260, 16, 60, marks=pytest.mark.long),
        pytest.param(480, 120, 64, 2, marks=pytest.mark.long),
    ],
)
def test_what_is_predicted_is_taken(side: int, object_side: int, width: int, iterations: int) -> None:
    box = Box(90, 90, 90 + object_side, 90 + object_side)
    predicted = predict(random_network(width=width), (side, side), box, object_side**2, iterations).peak
    assert predicted == pytest.approx(measured(side, object_side, width, iterations), rel=0.3)


def test_a_larger_canvas_adds_pictures_and_deep_features_only() -> None:
    """No feature of the pixels' own size exists for all of a canvas; and history counts moving pixels."""
    network, box = random_network(width=64), Box(300, 300, 600, 600)
    small, large = (predict(network, (side, side), box, 300**2, 1000) for side in (1000, 2000))
    assert small.history == large.history == 2 * 100 * 3 * 300**2 * 4
    pixels = 12 * (2000**2 - 1000**2)
    assert large.pass_two - small.pass_two == 4 * pixels
    assert large.peak - small.peak <= 4 * pixels
    few = predict(network, (1000, 1000), box, 300**2, 10)
    assert few.history == small.history // 10
