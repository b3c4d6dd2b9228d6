"""Crops, tiles and reaches against whole pictures, in float64, for every layout, border and odd size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from painterly_engine.masks import layer_masks
from painterly_engine.network.features import FeatureNetwork, random_network
from painterly_engine.network.layouts import LAYOUTS
from painterly_engine.window import Box, box_of, features_in, reach, sizes, tiles, whole_features

NETWORKS = [random_network(seed=3, width=2, layout=layout).double() for layout in LAYOUTS.values()]
SIDES = st.integers(33, 120)  # no less than what the deepest layer of every layout can see


def picture(height: int, width: int) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(height * width), dtype=torch.float64)


def some_box(data: st.DataObject, size: tuple[int, ...]) -> Box:
    top, left = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
    return Box(top, left, data.draw(st.integers(top + 1, size[0])), data.draw(st.integers(left + 1, size[1])))


def features_of(network: FeatureNetwork, p: Tensor) -> dict[str, Tensor]:
    return network(p * network.layout.pixel_scale, network.layers)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.sampled_from(NETWORKS), SIDES, SIDES)
def test_features_of_a_crop_are_those_of_the_whole(
    data: st.DataObject, network: FeatureNetwork, height: int, width: int
) -> None:
    p = picture(height, width)
    whole = features_of(network, p)
    assert {layer: tuple(f.shape[1:]) for layer, f in whole.items()} == sizes(network, (height, width))
    layers = data.draw(st.lists(st.sampled_from(network.layers), min_size=1, max_size=3, unique=True))
    wanted = {layer: some_box(data, whole[layer].shape[1:]) for layer in layers}
    for layer, found in features_in(network, p, wanted).items():
        torch.testing.assert_close(found, wanted[layer].of(whole[layer]), rtol=1e-10, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.data(), st.sampled_from(NETWORKS), SIDES, SIDES, st.sampled_from([1, 100**2, 200**2]))
def test_tiles_cover_every_position_once_and_leave_no_seams(
    data: st.DataObject, network: FeatureNetwork, height: int, width: int, area: int
) -> None:
    p = picture(height, width)
    layers = data.draw(st.lists(st.sampled_from(network.layers), min_size=1, max_size=3, unique=True))
    whole = features_of(network, p)
    counts = {layer: torch.zeros(whole[layer].shape[1:]) for layer in layers}
    for tile in tiles(network, (height, width), layers, area):
        for layer, box in tile.items():
            box.of(counts[layer]).add_(1)
    assert all(bool((count == 1).all()) for count in counts.values())
    for layer, found in whole_features(network, p, layers, area).items():
        torch.testing.assert_close(found, whole[layer], rtol=1e-10, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.sampled_from(NETWORKS), SIDES, SIDES)
def test_nothing_beyond_its_reach_depends_on_a_box(
    data: st.DataObject, network: FeatureNetwork, height: int, width: int
) -> None:
    p = picture(height, width)
    box = some_box(data, (height, width))
    changed, mask = p.clone(), torch.zeros(height, width, dtype=torch.float64)
    box.of(changed).add_(torch.rand(3, *box.size, dtype=torch.float64))
    box.of(mask).fill_(1)
    before, after = features_of(network, p), features_of(network, changed)
    masks = layer_masks(mask, network, network.layers)
    for layer, reached in reach(network, box, (height, width)).items():
        touched = (before[layer] != after[layer]).any(0) | (masks[layer] > 0)
        reached.of(touched).fill_(False)
        assert not touched.any()


def test_a_crop_is_no_larger_than_the_published_margin() -> None:
    """relu4_1 sees 30 px to the one side and 37 to the other of its own 8; then the grid of 8."""
    seen: list[tuple[int, ...]] = []

    class Spy(FeatureNetwork):
        def forward(self, pixels: Tensor, layers: object) -> dict[str, Tensor]:
            seen.append(tuple(pixels.shape[1:]))
            return super().forward(pixels, layers)  # type: ignore[arg-type]

    network = random_network(width=1)
    network.__class__ = Spy
    features_in(network, torch.rand(3, 400, 400), {"relu4_1": Box(20, 20, 21, 22)})
    assert seen == [(30 + 2 + 8 + 30 + 2, 30 + 2 + 16 + 30 + 2)]


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.float32])
def test_the_box_of_a_mask(kind: torch.dtype) -> None:
    mask = torch.zeros(9, 8, dtype=kind)
    assert box_of(mask) is None
    mask[2, 5] = 1 if kind is torch.uint8 else 0.1
    mask[6, 3] = 1
    assert box_of(mask) == Box(2, 3, 7, 6)


@pytest.mark.parametrize("outer", [Box(0, 0, 9, 8), Box(1, 2, 9, 7)])
def test_places_within_a_box_and_back(outer: Box) -> None:
    box = Box(2, 3, 7, 6)
    assert box.within(outer).beyond(outer) == box
    planes = torch.arange(72).view(9, 8)
    assert torch.equal(box.within(outer).of(outer.of(planes)), box.of(planes))
