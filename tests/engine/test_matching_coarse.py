"""Coarse-to-fine matching: exact where that is affordable, near it beyond."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from painterly_engine.matching import match_patches
from painterly_engine.matching.coarse import PatchCosines, match_at_any_size
from painterly_engine.matching.correlation import Query
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.window import Box

FEW = 3000  # pairs


def features(seed: int, *shape: int) -> Tensor:
    """Smooth, so that averaging keeps something of them."""
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return F.avg_pool2d(noise[None], 5, 1, 2)[0].clamp(min=0)


def part(positions: Box, size: tuple[int, int]) -> Query:
    return Query(positions, positions.grown(1, size), size)


def test_few_pairs_are_compared_exactly() -> None:
    source, target = features(1, 4, 12, 13), features(2, 4, 11, 14)
    assert torch.equal(match_at_any_size(source, target), match_patches(source, target))


@pytest.mark.parametrize("budget", [1, 2**29])
def test_scores_are_those_that_the_exact_search_compares(budget: int) -> None:
    source, target = features(3, 4, 9, 8).double(), features(4, 4, 7, 9).double()
    query = part(Box(2, 0, 9, 5), (9, 8))
    given, field = query.given.of(source), match_patches(source, target)
    best = PatchCosines(given, target, query, budget)(query.positions.of(field))
    for seed in range(20):
        others = torch.randint(63, best.shape, generator=torch.Generator().manual_seed(seed))
        assert (PatchCosines(given, target, query, budget)(others) <= best + 1e-6).all()
    unfolded = [F.unfold(x[None], 3, padding=1)[0].T.view(*x.shape[1:], -1) for x in (source, target)]
    inner = unfolded[0][4, 3], unfolded[1].flatten(0, 1)[3 * 9 + 4]  # both with all neighbours
    one = torch.full(best.shape, 3 * 9 + 4)
    expected = F.cosine_similarity(*inner, dim=0)
    torch.testing.assert_close(PatchCosines(given, target, query, budget)(one)[2, 3], expected)


def test_a_picture_finds_itself_and_a_moved_one_its_place() -> None:
    target = features(5, 6, 40, 44)
    itself = match_at_any_size(target, target, exact_pairs=FEW)
    assert (itself == torch.arange(40 * 44).view(40, 44)).float().mean() > 0.95
    moved = match_at_any_size(target[:, 4:, 6:], target, exact_pairs=FEW)
    expected = (torch.arange(40 * 44).view(40, 44))[4:, 6:]
    assert (moved == expected)[1:-1, 1:-1].float().mean() > 0.9


@pytest.mark.parametrize("box", [Box(3, 5, 30, 33), Box(0, 0, 31, 12), Box(11, 20, 37, 41)])
def test_parts_at_odd_places(box: Box) -> None:
    picture = features(6, 6, 37, 41)
    query = part(box, (37, 41))
    field = match_at_any_size(query.given.of(picture), picture, query=query, exact_pairs=FEW)
    own = query.positions.of(torch.arange(37 * 41).view(37, 41))
    assert field.shape == box.size
    assert (field == own).float().mean() > 0.9


@pytest.mark.parametrize("size", [(1, 400), (3, 150), (7, 64)])
def test_strips_too_thin_to_be_averaged_are_compared_exactly(size: tuple[int, int]) -> None:
    source, target = features(7, 3, *size), features(8, 3, 9, 30)
    assert torch.equal(match_at_any_size(source, target, exact_pairs=FEW), match_patches(source, target))


def test_progress_ends_at_one() -> None:
    seen: list[float] = []
    match_at_any_size(features(9, 3, 40, 40), features(10, 3, 40, 40), seen.append, exact_pairs=FEW)
    assert seen == sorted(seen) and seen[-1] == 1 and len(seen) > 20


def test_on_a_painting_nearly_as_good_as_the_exact_match(shared: Path) -> None:
    network = NetworkShelf("cpu").get("slim")

    def of(name: str) -> Tensor:
        picture = np.asarray(Image.open(shared / "pairs" / "0" / name).convert("RGB"), dtype=np.float32)[
            200:520, 100:420
        ]
        return network(torch.from_numpy(picture).permute(2, 0, 1).contiguous(), ["relu3_1"])["relu3_1"]

    source, target = of("composite.jpg"), of("painting.jpg")
    query = Query.everything(source)
    exact = match_patches(source, target)
    found = match_at_any_size(source, target, exact_pairs=exact.numel() ** 2 // 2)
    score = PatchCosines(source, target, query)
    assert (score(found) / score(exact)).mean() > 0.95
