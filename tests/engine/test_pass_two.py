"""Pass 2: its gradient by the table of mask powers, and how it behaves (algorithm.md 1.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from painterly_engine import iterating, lbfgs
from painterly_engine.balance import Balance
from painterly_engine.losses.histogram import HistogramLoss
from painterly_engine.masks import layer_masks
from painterly_engine.network.features import (
    CAFFE,
    GATYS,
    TORCHVISION,
    VGG16_BLOCKS,
    VGG19_BLOCKS,
    FeatureNetwork,
    Layout,
    random_network,
)
from painterly_engine.pass_two import run_pass_two
from painterly_engine.progress import SILENT
from painterly_protocol.messages import Phase
from support.passes import (
    Recorder,
    Scene,
    assert_same_gradient,
    gated_backward,
    movable,
    on_its_way,
    scene,
    slow_gram_gradient,
)

HEIGHT, WIDTH = 37, 34
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
BOTH = Balance(content=1.0, style=5.0, histogram=20.0, variation=30.0)


def ring_for(network: FeatureNetwork) -> Tensor:
    """Some positions of the painting, at the reference layer's size."""
    reference = network(torch.rand(3, HEIGHT, WIDTH, dtype=torch.float64), [network.deepest("relu4_1")])
    (features,) = reference.values()
    ring = torch.zeros(features.shape[1:], dtype=torch.bool)
    ring[1:3, 0:2] = True
    return ring


def run(s: Scene, network: FeatureNetwork, balance: Balance = BOTH, **changes: object) -> Tensor:
    arguments: dict[str, object] = {"weights": balance, "iterations": 5, "observer": SILENT, **changes}
    ring = arguments.pop("ring", None)
    loose = arguments.pop("loose", s.loose)
    ring = ring_for(network) if ring is None else ring
    return run_pass_two(s.composite, s.painting, loose, ring, network, **arguments)  # type: ignore[arg-type]


def evaluation(monkeypatch: pytest.MonkeyPatch, s: Scene, network: FeatureNetwork, balance: Balance) -> lbfgs.Evaluate:
    """What the pass gives to L-BFGS, as a function of pixel values."""
    centre = network.layout.centre().double()
    caught: list[lbfgs.Evaluate] = []

    def spy(evaluate: lbfgs.Evaluate, x: Tensor, settings: lbfgs.Settings) -> Tensor:
        caught.append(evaluate)
        assert settings == lbfgs.Settings(5, 0.1, -1, -1, 100, network.layout.pixel_scale)
        assert torch.equal(x, movable(s.composite * network.layout.pixel_scale - centre, s.loose))
        return x

    monkeypatch.setattr(iterating, "minimise", spy)
    run(s, network, balance)
    return lambda pixels: caught[0](movable(pixels - centre, s.loose))


def n(x: Tensor) -> Tensor:
    return x / (x.square().sum().sqrt() + 1e-8)


def expected_gradient(s: Scene, network: FeatureNetwork, balance: Balance, x: Tensor) -> Tensor:
    """Every term by itself, through the masks below it; each histogram, style and content module masks once."""
    scale = network.layout.pixel_scale
    m = layer_masks(s.loose, network, LAYERS)
    ring = ring_for(network)
    at_x, kept, imitated = (network(v, LAYERS) for v in (x, s.composite * scale, s.painting * scale))
    chosen = {}
    for layer in LAYERS:
        height, width = at_x[layer].shape[1:]
        rows = [i * ring.shape[0] // height for i in range(height)]
        columns = [i * ring.shape[1] // width for i in range(width)]
        chosen[layer] = ring[rows][:, columns]

    def style(layer: str) -> Tensor:
        raw = slow_gram_gradient(at_x[layer], m[layer], imitated[layer], chosen[layer].double())[1]
        return balance.style * n(m[layer] * raw)

    def histogram(layer: str) -> Tensor:
        loss = HistogramLoss(imitated[layer], chosen[layer], m[layer] > 0.1)
        return balance.histogram * n(loss(at_x[layer]).gradient)

    m1, m2, m3, m4 = (m[layer] for layer in LAYERS)
    deepest = at_x["relu4_1"]
    content = m4 * (deepest * m4 - kept["relu4_1"] * m4) * 2 / deepest.numel()
    below = {"relu3_1": m3, "relu2_1": m2, "relu1_1": m1**2}
    terms = [
        ({"relu4_1": m4**3, **below}, histogram("relu4_1")),
        ({"relu4_1": m4**2, **below}, style("relu4_1")),
        ({"relu4_1": m4, **below}, balance.content * n(content)),
        (below, style("relu3_1")),
        ({"relu2_1": m2, "relu1_1": m1**2}, style("relu2_1")),
        ({"relu1_1": m1**2}, histogram("relu1_1")),
        ({"relu1_1": m1}, style("relu1_1")),
    ]
    total = sum(gated_backward(network, x, gates, injected) for gates, injected in terms)
    pixels = x.clone().requires_grad_()
    corner = pixels[:, :-1, :-1]
    variation = ((corner - pixels[:, :-1, 1:]) ** 2 + (corner - pixels[:, 1:, :-1]) ** 2).sum() / 2
    (slope,) = torch.autograd.grad(variation, pixels)
    return s.loose**2 * (total + balance.variation * n(s.loose * slope))


@pytest.mark.parametrize("layout", [CAFFE, TORCHVISION, GATYS], ids=lambda layout: layout.name)
@pytest.mark.parametrize("blocks", [VGG16_BLOCKS, VGG19_BLOCKS], ids=["vgg16", "vgg19"])
def test_the_gradient_by_the_formulas(monkeypatch: pytest.MonkeyPatch, layout: Layout, blocks: tuple[int, ...]) -> None:
    layout = replace(layout, activation_gain=1.0)
    s, network = scene(HEIGHT, WIDTH), random_network(width=2, layout=layout, blocks=blocks).double()
    x = on_its_way(s, layout.pixel_scale)
    _, gradient = evaluation(monkeypatch, s, network, BOTH)(x)
    assert_same_gradient(gradient, expected_gradient(s, network, BOTH, x), s.loose)


@pytest.mark.parametrize("off", ["histogram", "variation"])
def test_a_negligible_loss_leaves_its_masks_behind(monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    """Skipping the histogram must not take one power of m₁ from what comes from above."""
    s, network = scene(HEIGHT, WIDTH), random_network(width=2).double()
    x = on_its_way(s, network.layout.pixel_scale)
    _, gradient = evaluation(monkeypatch, s, network, replace(BOTH, **{off: 1e-6}))(x)
    expected = expected_gradient(s, network, replace(BOTH, **{off: 0.0}), x)
    assert_same_gradient(gradient, expected, s.loose)


def short_network(last: str, layout: Layout = CAFFE) -> FeatureNetwork:
    full = random_network(width=2, layout=layout).double()
    layers = full.layers[: full.layers.index(last) + 1]
    convolutions = {n: (full.get_buffer(f"{n}_weight"), full.get_buffer(f"{n}_bias")) for n in layers}
    return FeatureNetwork(convolutions, full.steps, layout, "short").double()


@pytest.mark.parametrize("last", ["relu1_1", "relu1_2", "relu2_1", "relu3_1", "relu3_4"])
def test_a_network_that_stops_early_still_harmonizes(last: str) -> None:
    s = scene(HEIGHT, WIDTH)
    found = run(s, short_network(last))
    assert found.isfinite().all()
    assert not torch.equal(found, s.composite)


def test_only_pixels_under_the_loose_mask_move() -> None:
    s, network = scene(HEIGHT, WIDTH), random_network(width=2).double()
    change = (run(s, network, iterations=8) - s.composite).abs().amax(0)
    assert change[s.loose == 0].max() == 0
    assert change[s.loose == 1].max() > 0.001


def test_without_positions_to_imitate_content_holds_and_nothing_breaks() -> None:
    s, network = scene(HEIGHT, WIDTH), random_network(width=2).double()
    no_ring = torch.zeros_like(ring_for(network))
    rough = replace(BOTH, variation=0.0)
    torch.testing.assert_close(run(s, network, rough, ring=no_ring), s.composite)


def test_an_empty_mask_changes_nothing() -> None:
    s, network = scene(HEIGHT, WIDTH), random_network(width=2).double()
    torch.testing.assert_close(run(s, network, loose=torch.zeros_like(s.loose)), s.composite)


def test_style_and_histogram_come_closer() -> None:
    s, network, told = scene(HEIGHT, WIDTH), random_network(width=2).double(), Recorder()
    run(s, network, replace(BOTH, variation=0.0), iterations=41, observer=told)
    assert told.losses[-1]["style"] < 0.5 * told.losses[0]["style"]
    assert told.losses[-1]["histogram"] < 0.9 * told.losses[0]["histogram"]


def test_every_iteration_is_reported_and_shown() -> None:
    s, network, told = scene(HEIGHT, WIDTH), random_network(width=2).double(), Recorder()
    run(s, network, iterations=12, observer=told)
    assert told.iterations == list(range(1, 13))
    assert told.fractions == [i / 12 for i in range(1, 13)]
    assert set(told.phases) == {Phase.PASS_TWO}
    assert len(told.pictures) == 12
    torch.testing.assert_close(told.pictures[0], s.composite)
