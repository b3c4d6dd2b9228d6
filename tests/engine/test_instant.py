"""The instant preset: moments carried over, one feed-forward pass with the shipped decoders."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from painterly_engine.instant import repaint
from painterly_engine.instant.decoder import Decoder, load_decoders
from painterly_engine.instant.manner import LAYERS, Manner, attention, features_of, study
from painterly_engine.instant.moments import Moments, moments, regular, transport
from painterly_engine.instant.repaint import instant_harmonize, restated
from painterly_engine.network import store
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.training.pictures import Array, Generator, clouds, leaves

SIDE = 96


@pytest.fixture(scope="module")
def slim() -> FeatureNetwork:
    return store.load_stored("slim")


@pytest.fixture(scope="module")
def decoders(slim: FeatureNetwork) -> dict[str, Decoder]:
    return load_decoders(store.built_in_dir() / "slim_decoders.safetensors", slim)


def made(maker: Callable[[Generator, int], Array], seed: int, side: int = SIDE) -> Tensor:
    picture = maker(np.random.default_rng(seed), side)
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


@pytest.fixture(scope="module")
def painting() -> Tensor:
    return made(leaves, 1)


@pytest.fixture(scope="module")
def composite(painting: Tensor) -> Tensor:
    return torch.where(disc() > 0.5, made(clouds, 2), painting)


def disc(row: int = 48, column: int = 48, radius: float = 24, side: int = SIDE) -> Tensor:
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return ((y - row) ** 2 + (x - column) ** 2 <= radius**2).float()


def mixed(seed: int, channels: int = 6, deviation: float = 1.0) -> Tensor:
    """Correlated channels (C, 20, 30)."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.eye(channels) + 0.4 * torch.randn(channels, channels, generator=generator)
    noise = torch.randn(channels, 600, generator=generator)
    return (deviation * mixing @ noise + torch.arange(channels)[:, None]).view(channels, 20, 30)


def test_moments_are_those_of_the_positions_that_count() -> None:
    features, weight = mixed(0), torch.zeros(20, 30)
    weight[3:9, 4:20] = 1
    found = moments(features, weight)
    some = features[:, 3:9, 4:20].flatten(1)
    torch.testing.assert_close(found.mean, some.mean(1))
    torch.testing.assert_close(found.covariance, torch.cov(some, correction=0), rtol=1e-4, atol=1e-4)


def test_transport_carries_moments_over() -> None:
    features, weight = mixed(0), torch.rand(20, 30, generator=torch.Generator().manual_seed(3))
    goal = moments(mixed(1, deviation=2.0) + 5, torch.ones(20, 30))
    found = moments(transport(features, moments(features, weight), goal), weight)
    torch.testing.assert_close(found.mean, goal.mean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.covariance, goal.covariance, rtol=1e-3, atol=1e-2)


def test_transport_to_the_same_moments_moves_nothing() -> None:
    features = mixed(0)
    own = moments(features, torch.ones(20, 30))
    torch.testing.assert_close(transport(features, own, own), features, rtol=1e-4, atol=1e-4)


def test_transport_stretches_no_direction_beyond_the_bound() -> None:
    features = mixed(0)
    own = moments(features, torch.ones(20, 30))
    goal = Moments(own.mean, own.covariance * 100)
    torch.testing.assert_close(
        transport(features, own, goal, 2.0) - own.mean[:, None, None],
        2 * (features - own.mean[:, None, None]),
        rtol=1e-3,
        atol=1e-3,
    )


def test_a_plain_object_has_moments_that_can_be_inverted() -> None:
    plain = torch.ones(4, 5, 5)
    found = transport(
        plain, regular(moments(plain, torch.ones(5, 5))), regular(moments(mixed(0, 4), torch.ones(20, 30)))
    )
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_features_get_the_paintings_statistics(
    slim: FeatureNetwork, layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly but for what is added to covariances so that they can be inverted; the bound on stretching is lifted."""
    monkeypatch.setattr(repaint, "FEATURE_STRETCH", math.inf)
    painting, composite = made(leaves, 1, 320), made(leaves, 2, 320)
    manner = study(painting, composite, torch.zeros(320, 320), slim)
    features = features_of(composite, slim, layer)
    weight = torch.ones(features.shape[1:])
    before, after = moments(features, weight), moments(restated(features, weight, manner, layer), weight)
    goal = manner.features[layer]
    assert float((after.mean - goal.mean).norm()) < 1e-3 * float(goal.mean.norm())

    def off(found: Moments) -> float:
        return float((found.covariance - goal.covariance).norm() / goal.covariance.norm())

    assert off(after) < 0.2 < 0.6 * off(before)


def test_nothing_under_the_mask_is_imitated() -> None:
    weight = attention(disc())
    assert not weight[disc() > 0].any()
    assert weight[48, 80] > weight[2, 2] > 0
    assert bool((attention(torch.ones(20, 20)) == 1).all())


def test_no_strength_gives_the_composite_back(
    slim: FeatureNetwork, decoders: dict[str, Decoder], painting: Tensor, composite: Tensor
) -> None:
    manner = study(painting, composite, disc(), slim)
    found = instant_harmonize(composite, disc(), manner, slim, decoders, strength=0.0)
    torch.testing.assert_close(found, composite, rtol=0, atol=2e-3)


def test_more_strength_goes_further_and_nearer_to_the_palette(
    slim: FeatureNetwork, decoders: dict[str, Decoder], painting: Tensor, composite: Tensor
) -> None:
    manner = study(painting, composite, disc(), slim)
    pictures = [
        instant_harmonize(composite, disc(), manner, slim, decoders, strength=strength)
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    steps = [float((picture - composite).square().mean()) for picture in pictures]
    assert steps == sorted(steps) and steps[-1] > steps[1] > 1e-4
    goal = moments(painting, attention(disc())).mean
    off = [float((moments(picture, disc()).mean - goal).norm()) for picture in pictures]
    assert off[-1] < off[0]


def test_detail_keeps_the_objects_own(
    slim: FeatureNetwork, decoders: dict[str, Decoder], painting: Tensor, composite: Tensor
) -> None:
    manner = study(painting, composite, disc(), slim)

    def likeness(detail: float) -> float:
        found = instant_harmonize(composite, disc(), manner, slim, decoders, strength=1.0, detail=detail)
        fine = [one - torch.nn.functional.avg_pool2d(one, 5, 1, 2) for one in (found, composite)]
        inside = disc(radius=20) > 0
        return float(torch.corrcoef(torch.stack([one[:, inside].flatten() for one in fine]))[0, 1])

    assert likeness(0.0) < likeness(0.5) < likeness(1.0)


def test_the_same_again_is_the_same(
    slim: FeatureNetwork, decoders: dict[str, Decoder], painting: Tensor, composite: Tensor
) -> None:
    first, second = (
        instant_harmonize(composite, disc(), study(painting, composite, disc(), slim), slim, decoders) for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    "mask",
    [disc(48, 48, 0.5), disc(0, 0, 20), disc(95, 50, 30), torch.ones(SIDE, SIDE), disc() * 0.01, disc() * 0],
    ids=["one pixel", "corner", "edge", "everything", "faint", "nothing"],
)
def test_any_mask_gives_a_picture(
    slim: FeatureNetwork, decoders: dict[str, Decoder], painting: Tensor, composite: Tensor, mask: Tensor
) -> None:
    manner = study(painting, composite, mask, slim)
    found = instant_harmonize(composite, mask, manner, slim, decoders, strength=1.0)
    assert found.shape == composite.shape and bool(torch.isfinite(found).all())
    assert float(found.min()) >= 0 and float(found.max()) <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (17, 33)])
def test_windows_of_any_size(
    slim: FeatureNetwork, decoders: dict[str, Decoder], painting: Tensor, composite: Tensor, size: tuple[int, int]
) -> None:
    manner: Manner = study(painting, composite, disc(), slim)
    window = composite[:, : size[0], : size[1]]
    found = instant_harmonize(window, torch.ones(size), manner, slim, decoders)
    assert found.shape == window.shape and bool(torch.isfinite(found).all())
    small = study(window, window, torch.zeros(size), slim)
    assert all(bool(torch.isfinite(one.covariance).all()) for one in small.features.values())


def test_it_takes_about_as_long_as_a_few_passes_of_the_network(
    slim: FeatureNetwork, decoders: dict[str, Decoder]
) -> None:
    """Counted in passes of this network over the same pixels in the same run, so that a busy machine tells no lie."""
    side = 256
    painting, mask = made(leaves, 1, side), disc(128, 128, 80, side)
    passing, whole = [], []
    for _ in range(3):
        started = time.process_time()
        slim(painting * slim.layout.pixel_scale, ["relu4_1"])
        passed = time.process_time()
        manner = study(painting, painting, mask, slim)
        instant_harmonize(painting, mask, manner, slim, decoders)
        passing.append(passed - started)
        whole.append(time.process_time() - passed)
    assert min(whole) < 40 * min(passing)


@pytest.mark.parametrize("pair", ["5", "14"])
def test_on_reference_pairs_colours_come_nearer_and_the_object_stays(
    slim: FeatureNetwork, decoders: dict[str, Decoder], shared: Path, pair: str
) -> None:
    folder = shared / "pairs" / pair
    size = tuple(side // 2 for side in Image.open(folder / "painting.jpg").size)

    def read(name: str, mode: str = "RGB") -> Tensor:
        with Image.open(folder / name) as image:
            values = np.asarray(image.convert(mode).resize(size), np.float32) / 255
        return torch.from_numpy(values.transpose(2, 0, 1).copy() if values.ndim == 3 else values.copy())

    painting, composite, mask = read("painting.jpg"), read("composite.jpg"), read("mask.jpg", "L")
    found = instant_harmonize(composite, mask, study(painting, composite, mask, slim), slim, decoders)
    goal = moments(painting, attention(mask)).mean

    def off(picture: Tensor) -> float:
        return float((moments(picture, mask).mean - goal).norm())

    assert off(found) < 0.6 * off(composite)
    light = [one.mean(0)[mask > 0.9] for one in (found, composite)]
    assert float(torch.corrcoef(torch.stack(light))[0, 1]) > 0.8
