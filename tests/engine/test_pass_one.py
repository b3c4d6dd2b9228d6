"""Pass 1: its gradient by the table of mask powers, and how it behaves (algorithm.md 1.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from painterly_engine import iterating, lbfgs, pass_one
from painterly_engine.masks import layer_masks
from painterly_engine.matching.correlation import Query
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
from painterly_engine.network.layouts import LAYOUTS, SLIM
from painterly_engine.pass_one import run_pass_one
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


def scattered(size: tuple[int, ...]) -> Tensor:
    """Any field will do here."""
    order = torch.randperm(size[0] * size[1], generator=torch.Generator().manual_seed(size[0] * size[1]))
    return order.view(size)


def scattered_field(source: Tensor, target: Tensor, report: Callable[[float], None], *, query: Query) -> Tensor:
    """Stands in for the matching."""
    report(1.0)
    assert source.shape[1:] == query.given.size
    return query.positions.of(scattered(target.shape[1:]))


@pytest.fixture(autouse=True)
def _cheap_matching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pass_one, "match_at_any_size", scattered_field)


def evaluation(monkeypatch: pytest.MonkeyPatch, s: Scene, network: FeatureNetwork) -> lbfgs.Evaluate:
    """What the pass gives to L-BFGS, as a function of pixel values."""
    centre = network.layout.centre().double()
    caught: list[lbfgs.Evaluate] = []

    def spy(evaluate: lbfgs.Evaluate, x: Tensor, settings: lbfgs.Settings) -> Tensor:
        caught.append(evaluate)
        assert settings == lbfgs.Settings(9, 1.0, 1e-5, 1e-9, 100, network.layout.pixel_scale)
        assert torch.equal(x, movable(s.composite * network.layout.pixel_scale - centre, s.loose))
        return x

    monkeypatch.setattr(iterating, "minimise", spy)
    run_pass_one(s.composite, s.painting, s.loose, network, iterations=9, observer=SILENT)
    return lambda pixels: caught[0](movable(pixels - centre, s.loose))


@pytest.mark.parametrize("layout", [CAFFE, TORCHVISION, GATYS, SLIM], ids=lambda layout: layout.name)
@pytest.mark.parametrize("blocks", [VGG16_BLOCKS, VGG19_BLOCKS], ids=["vgg16", "vgg19"])
def test_value_and_gradient_by_the_formulas(
    monkeypatch: pytest.MonkeyPatch, layout: Layout, blocks: tuple[int, ...]
) -> None:
    """relu5_1 term m₅·m₄²·m₃·M, relu4_1 style m₄²·m₃·M, content m₄·m₃·M, relu3_1 m₃·M, TV M."""
    content = 5 * layout.content_pull
    layout = replace(layout, activation_gain=1.0)
    s, network = scene(HEIGHT, WIDTH), random_network(width=2, layout=layout, blocks=blocks).double()
    x = on_its_way(s, layout.pixel_scale)
    value, gradient = evaluation(monkeypatch, s, network)(x)

    layers = ("relu3_1", "relu4_1", "relu5_1")
    m = layer_masks(s.loose, network, layers)
    at_x, kept, imitated = (
        network(pixels, layers) for pixels in (x, s.composite * layout.pixel_scale, s.painting * layout.pixel_scale)
    )
    style_value, style = 0.0, {}
    for layer in layers:
        field = scattered(kept[layer].shape[1:]).flatten()
        matched = torch.stack([imitated[layer].flatten(1)[:, q] for q in field], 1).view_as(kept[layer])
        loss, style[layer] = slow_gram_gradient(at_x[layer], m[layer], matched, m[layer])
        style_value += 100 * loss
    difference = at_x["relu4_1"] - kept["relu4_1"]

    m3, m4, m5 = (m[layer] for layer in layers)
    terms = [
        ({"relu5_1": m5, "relu4_1": m4**2, "relu3_1": m3}, 100 * style["relu5_1"]),
        ({"relu4_1": m4**2, "relu3_1": m3}, 100 * style["relu4_1"]),
        ({"relu3_1": m3}, 100 * style["relu3_1"]),
        ({"relu4_1": m4, "relu3_1": m3}, content * 2 / difference.numel() * difference),
    ]
    expected = sum(gated_backward(network, x, gates, injected) for gates, injected in terms)
    variation = x.clone().requires_grad_()
    corner = variation[:, :-1, :-1]
    total = ((corner - variation[:, :-1, 1:]) ** 2 + (corner - variation[:, 1:, :-1]) ** 2).sum() / 2
    (slope,) = torch.autograd.grad(total, variation)
    assert_same_gradient(gradient, s.loose * (expected + 1e-3 * slope), s.loose)
    torch.testing.assert_close(float(value), style_value + content * float((difference**2).mean()))


def short_network(last: str, layout: Layout = CAFFE) -> FeatureNetwork:
    """A network that stops early."""
    full = random_network(width=2, layout=layout).double()
    layers = full.layers[: full.layers.index(last) + 1]
    convolutions = {n: (full.get_buffer(f"{n}_weight"), full.get_buffer(f"{n}_bias")) for n in layers}
    return FeatureNetwork(convolutions, full.steps, layout, "short").double()


@pytest.mark.parametrize("last", ["relu1_2", "relu2_1", "relu3_1", "relu3_4", "relu4_1"])
def test_a_network_that_stops_early_still_harmonizes(last: str) -> None:
    s = scene(HEIGHT, WIDTH)
    found = run_pass_one(s.composite, s.painting, s.loose, short_network(last), iterations=4, observer=SILENT)
    assert found.isfinite().all()
    assert not torch.equal(found, s.composite)


def test_only_pixels_under_the_loose_mask_move() -> None:
    s, network = scene(HEIGHT, WIDTH), random_network(width=2).double()
    found = run_pass_one(s.composite, s.painting, s.loose, network, iterations=6, observer=SILENT)
    change = (found - s.composite).abs().amax(0)
    assert change[s.loose == 0].max() == 0
    assert change[s.loose == 1].max() > 0.001


def test_an_empty_mask_changes_nothing() -> None:
    s, network = scene(HEIGHT, WIDTH), random_network(width=2).double()
    found = run_pass_one(s.composite, s.painting, torch.zeros_like(s.loose), network, iterations=6, observer=SILENT)
    torch.testing.assert_close(found, s.composite)


def test_style_comes_closer() -> None:
    s, network, told = scene(HEIGHT, WIDTH), random_network(width=2).double(), Recorder()
    run_pass_one(s.composite, s.painting, s.loose, network, iterations=31, observer=told)
    styles = [losses["style"] for losses in told.losses]
    assert styles[-1] < 0.5 * styles[0]
    assert told.losses[0]["content"] == 0


def test_every_iteration_is_reported_and_shown() -> None:
    s, network, told = scene(HEIGHT, WIDTH), random_network(width=2).double(), Recorder()
    found = run_pass_one(s.composite, s.painting, s.loose, network, iterations=12, observer=told)
    assert told.iterations == list(range(1, 13))
    assert told.fractions == sorted(told.fractions)
    assert told.fractions[-1] == pytest.approx(1)
    assert told.fractions[-1] <= 1
    assert set(told.phases) == {Phase.PASS_ONE}
    assert len(told.pictures) == 12
    torch.testing.assert_close(told.pictures[0], s.composite)
    assert not torch.equal(told.pictures[-1], found)  # the last step comes after the last evaluation


def test_whoever_watches_can_stop_it() -> None:
    class StopError(Exception):
        pass

    class Impatient(Recorder):
        def picture(self, make: Callable[[], Tensor]) -> None:
            super().picture(make)
            if len(self.pictures) == 3:
                raise StopError

    s, network, told = scene(HEIGHT, WIDTH), random_network(width=2).double(), Impatient()
    with pytest.raises(StopError):
        run_pass_one(s.composite, s.painting, s.loose, network, iterations=50, observer=told)
    assert len(told.pictures) == 3


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_optimised_numbers_are_what_the_network_takes_for_its_own_zero(layout: Layout) -> None:
    """Small numbers keep more of float32: the published x is BGR minus the mean, not 0 to 256."""
    seen = (layout.centre()[list(layout.order)] - torch.tensor(layout.mean).view(3, 1, 1)).abs()
    assert seen.max() == 0
