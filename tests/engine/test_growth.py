"""A larger canvas around the same object takes no more memory than its own pixels, whatever the preset."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEASURE = """
import json, sys, tracemalloc
import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from painterly_engine.arrays import to_pixels
from painterly_engine.job import run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT
from painterly_protocol.request import HarmonizeRequest, Parameters

torch.set_num_threads(1)
parameters, shelf, peaks = Parameters(**json.loads(sys.argv[1])), NetworkShelf(), []

def asked(height, width):
    rng = np.random.default_rng(1)
    painting = rng.integers(0, 256, (height, width, 3), np.uint8)
    composite, mask = painting.copy(), np.zeros((height, width, 1), np.uint8)
    place = slice(height // 2, height // 2 + 96), slice(width // 2, width // 2 + 96)
    composite[place], mask[place] = 255 - painting[place] // 2, 255
    return HarmonizeRequest(*map(to_pixels, (painting, composite, mask)), parameters=parameters)

run_request(asked(120, 160), shelf, SILENT)
for size in json.loads(sys.argv[2]):
    request = asked(*size)
    tracemalloc.start()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        run_request(request, shelf, SILENT)
    events = [event for event in watched.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = np.cumsum([event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())])
    peaks.append(int(held.max()) + tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
print(json.dumps(peaks))
"""
SMALL, LARGE = (1300, 1300), (1300, 2600)
"""The smaller is no smaller than what an object is ever compared with."""
ROUNDING = 2 * 2**20
"""Bytes: what is compared is not quite of the same shape."""


@pytest.mark.parametrize(
    "parameters",
    [
        '{"preset": "instant"}',
        '{"preset": "draft", "iterations": 2}',
        pytest.param('{"preset": "standard", "iterations": 2}', marks=pytest.mark.long),
        pytest.param('{"preset": "high", "iterations": 4}', marks=pytest.mark.long),
        '{"preset": "published", "size": 300, "iterations": 2, "weights": "slim"}',
        pytest.param('{"preset": "published", "iterations": 1, "weights": "slim"}', marks=pytest.mark.long),
    ],
)
def test_a_larger_canvas_takes_no_more_than_its_own_pixels(parameters: str) -> None:
    """What torch and NumPy were asked for, at the worst moment: what an allocator makes of it comes and goes."""
    command = [sys.executable, "-c", MEASURE, parameters, f"[{list(SMALL)}, {list(LARGE)}]"]
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    small, large = (int(peak) for peak in done.strip().splitlines()[-1].strip("[]").split(","))
    assert small > 10 * 2**20
    assert large - small <= 3 * (LARGE[0] * LARGE[1] - SMALL[0] * SMALL[1]) + ROUNDING
