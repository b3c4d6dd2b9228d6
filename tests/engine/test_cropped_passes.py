"""Both passes and the matching between them compute only what the object needs, and nothing else comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from painterly_engine import iterating, lbfgs, workspace
from painterly_engine.balance import Balance
from painterly_engine.network.features import FeatureNetwork, Layout, random_network
from painterly_engine.network.layouts import LAYOUTS
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.pass_one import run_pass_one
from painterly_engine.pass_two import run_pass_two
from painterly_engine.progress import SILENT
from painterly_engine.two_passes import Scene, _painting_positions_to_imitate
from painterly_engine.window import Box, sizes

BOTH = Balance(content=1.0, style=5.0, histogram=20.0, variation=30.0)
CORNERS = {"inside": (110, 130), "top left": (0, 0), "bottom right": (231, 277), "left": (115, 0)}
SHALLOW = (1, 1, 2, 1, 1)
"""Convolutions in each block: all five blocks, but a small receptive field, so that small pictures have an outside."""


def small_network(layout: Layout) -> FeatureNetwork:
    return random_network(seed=2, width=2, layout=layout, blocks=SHALLOW).double()


def scene(corner: tuple[int, int], size: tuple[int, int] = (251, 305)) -> Scene:
    """Noise, nowhere flat: among equal values it would be rounding that decides where max-pooling sends a gradient."""
    generator = torch.Generator().manual_seed(sum(corner))
    painting = torch.rand(3, *size, generator=generator, dtype=torch.float64)
    composite, loose = painting.clone(), torch.zeros(size, dtype=torch.float64)
    y, x = corner
    composite[:, y : y + 20, x : x + 28] = 0.6 + 0.4 * torch.rand(3, 20, 28, generator=generator, dtype=torch.float64)
    loose[max(0, y - 2) : y + 22, max(0, x - 1) : x + 30] = 0.4
    loose[y : y + 20, x : x + 28] = 1
    return Scene(painting, composite, (loose == 1).double(), loose)


def run(s: Scene, network: FeatureNetwork, iterations: int) -> tuple[Tensor, Tensor, Tensor]:
    first = run_pass_one(s.composite, s.painting, s.loose, network, iterations=iterations, observer=SILENT)
    ring = _painting_positions_to_imitate(first, s, network, SILENT)
    second = run_pass_two(
        s.composite, s.painting, s.loose, ring, network, weights=BOTH, iterations=iterations, observer=SILENT
    )
    return first, ring, second


def space(s: Scene, network: FeatureNetwork) -> workspace.Workspace:
    found = workspace.workspace(s.loose, network, ["relu3_1", "relu4_1", "relu5_1"])
    assert found is not None
    return found


def compute_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the object reached everywhere."""

    def everywhere(network: FeatureNetwork, _box: Box, size: tuple[int, int]) -> dict[str, Box]:
        return {layer: Box.whole(of_layer) for layer, of_layer in sizes(network, size).items()}

    monkeypatch.setattr(workspace, "reach", everywhere)


@pytest.mark.parametrize("corner", CORNERS.values(), ids=CORNERS)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_cropped_is_whole(monkeypatch: pytest.MonkeyPatch, layout: Layout, corner: tuple[int, int]) -> None:
    s, network = scene(corner), small_network(layout)
    cropped = run(s, network, 4)
    least = space(s, network)
    compute_everything(monkeypatch)
    whole = run(s, network, 4)
    assert least.box.area < 0.75 * space(s, network).box.area
    torch.testing.assert_close(cropped[0], whole[0], rtol=0, atol=1e-9)
    assert torch.equal(cropped[1], whole[1])
    torch.testing.assert_close(cropped[2], whole[2], rtol=0, atol=1e-8)
    assert min((picture - s.composite).abs().max() for picture in cropped[::2]) > 1e-5


@pytest.mark.parametrize("height", [192, 193, 207, 208])
def test_odd_sizes(monkeypatch: pytest.MonkeyPatch, height: int) -> None:
    """At the far border, where poolings meet odd rows, with and without ceil."""
    s = scene((height - 25, 90), (height, 199))
    for layout in (LAYOUTS["caffe"], LAYOUTS["torchvision"]):
        network = small_network(layout)
        with monkeypatch.context() as patch:
            cropped = run(s, network, 2)
            compute_everything(patch)
            whole = run(s, network, 2)
        torch.testing.assert_close(cropped[0], whole[0], rtol=0, atol=1e-10)
        torch.testing.assert_close(cropped[2], whole[2], rtol=0, atol=1e-10)


def test_tiles_of_the_painting_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    s, network = scene(CORNERS["inside"]), small_network(LAYOUTS["caffe"])
    whole = run(s, network, 2)
    monkeypatch.setattr(workspace, "LEAST_TILE", 1)
    tiled = run(s, network, 2)
    assert torch.equal(tiled[1], whole[1])
    torch.testing.assert_close(tiled[0], whole[0], rtol=0, atol=1e-10)
    torch.testing.assert_close(tiled[2], whole[2], rtol=0, atol=1e-10)


def test_a_larger_canvas_costs_no_larger_workspace() -> None:
    network = random_network(width=1)
    found = []
    for side in (480, 960):
        loose = torch.zeros(side, side)
        loose[200:240, 208:248] = 1
        found.append(workspace.workspace(loose, network, ["relu3_1", "relu4_1", "relu5_1"]))
    small, large = found
    assert small is not None and large is not None
    assert small.box == large.box and small.box.area < 0.7 * 480**2
    assert small.positions["relu4_1"] * 4 == large.positions["relu4_1"]


def first_gradients(monkeypatch: pytest.MonkeyPatch, s: Scene, network: FeatureNetwork) -> list[Tensor]:
    """What L-BFGS gets at its start in both passes."""
    caught: list[Tensor] = []

    def spy(evaluate: lbfgs.Evaluate, x: Tensor, _settings: lbfgs.Settings) -> Tensor:
        caught.append(evaluate(x)[1])
        return x

    with monkeypatch.context() as patch:
        patch.setattr(iterating, "minimise", spy)
        run(s, network, 1)
    return caught


def read(path: Path, mode: str) -> Tensor:
    """A part of 320 px, in [0, 1]."""
    array = np.asarray(Image.open(path).convert(mode), dtype=np.float32)[180:500, 60:380] / 255
    return torch.from_numpy(array if mode == "L" else array.transpose(2, 0, 1)).contiguous()


def test_on_a_real_picture_with_the_built_in_network(monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    pair = shared / "pairs" / "5"
    painting, composite = read(pair / "painting.jpg", "RGB"), read(pair / "composite.jpg", "RGB")
    loose = torch.zeros(320, 320)
    loose[10:60, 150:190] = 1
    s = Scene(painting, composite + 0.1 * loose, loose, loose)
    network = NetworkShelf("cpu").get("slim")
    cropped = first_gradients(monkeypatch, s, network)
    compute_everything(monkeypatch)
    for found, expected in zip(cropped, first_gradients(monkeypatch, s, network), strict=True):
        assert (found - expected).norm() < 1e-4 * expected.norm()
