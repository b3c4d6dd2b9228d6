"""The instant preset from request to result, with the built-in network and decoders."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from painterly_engine import first_look
from painterly_engine.arrays import to_array, to_pixels
from painterly_engine.job import Harmonized, run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT
from painterly_engine.repaint.scales import levels, surroundings
from painterly_engine.window import Box
from painterly_protocol.request import HarmonizeRequest, Parameters

SHELF = NetworkShelf("cpu")
INSTANT = Parameters(preset="instant")


def scene(height: int = 150, width: int = 200, top: int = 40, left: int = 60, side: int = 70) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    painting = 128 + 60 * np.sin(x / 4 + y / 7)[..., None] * np.float32([1, 0.6, -0.5])
    painting = (painting + 20 * rng.random((height, width, 3))).clip(0, 255).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[top : top + side, left : left + side] = 255
    composite = np.where(mask[..., None] > 0, np.uint8([20, 200, 90]), painting)
    return {"painting": painting, "composite": composite, "mask": mask}


def run(pictures: dict[str, np.ndarray], parameters: Parameters = INSTANT) -> tuple[Harmonized, np.ndarray]:
    request = HarmonizeRequest(**{name: to_pixels(array) for name, array in pictures.items()}, parameters=parameters)
    outcome = run_request(request, SHELF, SILENT)
    whole, picture = pictures["painting"].copy(), to_array(outcome.picture)
    whole[outcome.y : outcome.y + picture.shape[0], outcome.x : outcome.x + picture.shape[1]] = picture
    return outcome, whole


def test_colours_come_nearer_to_the_paintings_and_nothing_else_changes() -> None:
    pictures = scene()
    outcome, whole = run(pictures)
    inside, outside = np.s_[50:100, 70:120], np.s_[:30]
    assert np.array_equal(whole[outside], pictures["painting"][outside])
    goal = pictures["painting"].mean((0, 1))
    before, after = (np.abs(one[inside].mean((0, 1)) - goal).sum() for one in (pictures["composite"], whole))
    assert after < 0.7 * before
    network = outcome.metadata["network"]
    assert isinstance(network, dict) and network["name"] == "slim"


def test_the_same_request_gives_the_same_bytes() -> None:
    first, second = (run(scene())[1] for _ in range(2))
    assert np.array_equal(first, second)


def test_other_weights_are_not_asked_for() -> None:
    outcome, _ = run(scene(), dataclasses.replace(INSTANT, weights="/nowhere/vgg.pth"))
    network = outcome.metadata["network"]
    assert isinstance(network, dict) and network["name"] == "slim"


@pytest.mark.parametrize(
    "place", [{"top": 0, "left": 0}, {"top": 140, "left": 190, "side": 10}, {"top": 70, "side": 3}, {"side": 200}]
)
def test_borders_small_and_large_objects(place: dict[str, int]) -> None:
    pictures = scene(**place)
    _, whole = run(pictures)
    changed = (whole != pictures["painting"]).any(2)
    assert changed[pictures["mask"] > 0].mean() > 0.9


def test_the_object_stands_in_the_context_where_it_stands_in_the_painting() -> None:
    size = (900, 1400)
    box = Box(500, 300, 640, 480)
    around = surroundings(box, size)
    (level,) = levels(around, size, (128,), 16)
    painting = torch.zeros(3, *level.context_size)
    mask = torch.ones(level.size)

    class OnlyAround:
        pass

    canvas = OnlyAround()
    canvas.around = around  # type: ignore[attr-defined]
    _, found = first_look._in_context(canvas, level, painting, torch.ones(3, *level.size), mask)  # type: ignore[arg-type]
    rows, columns = (found.any(axis).nonzero()[:, 0] for axis in (1, 0))
    scale = level.context_size[0] / level.context.size[0]
    assert abs(int(rows[0]) - (around.top - level.context.top) * scale) <= 1
    assert abs(int(columns[-1]) + 1 - (around.right - level.context.left) * scale) <= 2
