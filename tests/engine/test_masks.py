"""The loose mask, the blending mask, and the mask's way through the network (algorithm.md 1.0, 1.4)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from painterly_engine.masks import blend, blend_mask, layer_masks, loose_mask
from painterly_engine.network.features import CAFFE, TORCHVISION, random_network


def slow_filter(mask: Tensor, size: int, sigma: float) -> Tensor:
    """Correlation with the normalised two-dimensional Gaussian, zeros outside, one product at a time."""
    half = size // 2
    kernel = {
        (dy, dx): math.exp(-(dx * dx + dy * dy) / (2 * sigma**2))
        for dy in range(-half, half + 1)
        for dx in range(-half, half + 1)
    }
    total = sum(kernel.values())
    height, width = mask.shape
    values = mask.tolist()
    result = [
        [
            sum(
                k * values[y + dy][x + dx]
                for (dy, dx), k in kernel.items()
                if 0 <= y + dy < height and 0 <= x + dx < width
            )
            / total
            for x in range(width)
        ]
        for y in range(height)
    ]
    return torch.tensor(result)


def slow_average(mask: Tensor) -> Tensor:
    """3×3 mean, zeros outside counted."""
    height, width = mask.shape
    result = torch.zeros(height, width)
    for y in range(height):
        for x in range(width):
            result[y, x] = mask[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].sum() / 9
    return result


def slow_halve(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Area average by repeating every sample until the sizes divide."""
    (height, width), (new_height, new_width) = mask.shape, size
    fine = mask.repeat_interleave(new_height, 0).repeat_interleave(new_width, 1)
    return fine.view(new_height, height, new_width, width).mean((1, 3))


def test_the_loose_mask_is_the_blurred_one_cut_at_a_tenth() -> None:
    tight = torch.zeros(22, 25)
    tight[8:14, 9:20] = torch.rand(6, 11, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loose_mask(tight), (slow_filter(tight, 35, 35 / 3) > 0.1).float())


def test_a_loose_mask_reaches_past_a_long_straight_edge() -> None:
    tight = torch.zeros(101, 120)
    tight[:, :60] = 1
    reach = int(loose_mask(tight)[50, 60:].sum())
    line = [math.exp(-(d * d) / (2 * (35 / 3) ** 2)) for d in range(-17, 18)]
    tails = [sum(line[n:]) / sum(line) for n in range(18, 35)]  # what a pixel n - 17 past the edge still sees
    assert reach == sum(tail > 0.1 for tail in tails) == 12


def test_an_empty_mask_stays_empty() -> None:
    assert not loose_mask(torch.zeros(40, 40)).any()


def test_the_blending_mask_is_nearly_a_box() -> None:
    tight = torch.rand(12, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(blend_mask(tight), slow_filter(tight, 7, 21.0))
    dot = torch.zeros(9, 9)
    dot[4, 4] = 1
    soft = blend_mask(dot)
    assert soft[1, 1] / soft[4, 4] == pytest.approx(0.98, abs=0.001)  # the figure in algorithm.md 1.0
    assert float(soft.sum()) == pytest.approx(1)


def test_blend_takes_each_picture_by_its_share() -> None:
    picture, painting = torch.full((3, 1, 3), 0.8), torch.full((3, 1, 3), 0.2)
    result = blend(picture, painting, torch.tensor([[0.0, 0.5, 1.0]]))
    torch.testing.assert_close(result, torch.tensor([0.2, 0.5, 0.8]).expand(3, 1, 3))


def test_masks_at_the_layers_by_the_list_of_the_published_chain() -> None:
    """relu4_1: two averages, halve, two, halve, four, halve, one: written out as in algorithm.md 1.0."""
    mask = torch.rand(21, 18, generator=torch.Generator().manual_seed(2))
    found = layer_masks(mask, random_network(width=1), ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"])
    m = slow_average(mask)
    torch.testing.assert_close(found["relu1_1"], m)
    m = slow_average(slow_halve(slow_average(m), (11, 9)))
    torch.testing.assert_close(found["relu2_1"], m)
    m = slow_average(slow_halve(slow_average(m), (6, 5)))
    torch.testing.assert_close(found["relu3_1"], m)
    for _ in range(3):
        m = slow_average(m)
    m = slow_average(slow_halve(m, (3, 3)))
    torch.testing.assert_close(found["relu4_1"], m)
    for _ in range(3):
        m = slow_average(m)
    torch.testing.assert_close(found["relu5_1"], slow_average(slow_halve(m, (2, 2))))


@pytest.mark.parametrize("layout", [CAFFE, TORCHVISION])
@pytest.mark.parametrize("size", [(32, 32), (37, 50), (63, 45)])
def test_every_mask_has_its_features_size(layout: object, size: tuple[int, int]) -> None:
    network = random_network(width=1, layout=layout)  # type: ignore[arg-type]
    features = network(torch.rand(3, *size), network.layers)
    masks = layer_masks(torch.ones(size), network, network.layers)
    assert {name: m.shape for name, m in masks.items()} == {name: f.shape[1:] for name, f in features.items()}


def test_the_support_grows_by_thirty_pixels_until_relu4_1() -> None:
    mask = torch.zeros(192, 192)
    mask[96, 96] = 1
    found = layer_masks(mask, random_network(width=1), ["relu4_1"])["relu4_1"] > 0
    covered = found.any(0).nonzero()[:, 0]
    first, last = int(covered.min()) * 8, int(covered.max()) * 8 + 7
    assert 96 - 30 - 7 <= first <= 96 - 30 + 7
    assert 96 + 30 - 7 <= last <= 96 + 30 + 7
