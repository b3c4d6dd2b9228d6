"""Patch search against exhaustive search, and the vote against a double loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.finishing import patches
from painterly_engine.finishing.patches import anchors_touching, nearest_patches, patch_size, synthesise, vote


def silent(_fraction: float) -> None:
    pass


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def all_patches(image: Tensor, size: tuple[int, int]) -> Tensor:
    return F.unfold(image[None], size)[0].T.double()


def exhaustive(image: Tensor, target: Tensor, size: tuple[int, int], queries: Tensor) -> Tensor:
    """(n,) least sums of squared differences."""
    return torch.cdist(all_patches(image, size)[queries], all_patches(target, size)).square().amin(1)


def octaves(h: int, w: int, random: torch.Generator, roughness: float) -> Tensor:
    """Noise of many scales, as clouds, foliage or canvas."""
    image = torch.zeros(3, h, w)
    for level in range(1, 7):
        noise = torch.randn(1, 3, 2**level, 2**level, generator=random)
        image += F.interpolate(noise, (h, w), mode="bicubic")[0] * roughness**level
    return image


def strokes(h: int, w: int, random: torch.Generator) -> Tensor:
    """Overlapping brush strokes: oriented soft-edged ellipses with bristle streaks along them."""
    ys, xs = torch.meshgrid(torch.arange(h) * 1.0, torch.arange(w) * 1.0, indexing="ij")
    image = octaves(h, w, random, 0.5)
    for _ in range(100):
        cy, cx, angle, length = (torch.rand(4, generator=random) * torch.tensor([h, w, 3.1, 12.0])).tolist()
        along = (xs - cx) * np.cos(angle) + (ys - cy) * np.sin(angle)
        across = (ys - cy) * np.cos(angle) - (xs - cx) * np.sin(angle)
        cover = torch.sigmoid(4 - 4 * ((along / (4 + length)) ** 2 + (across / 3) ** 2))
        colour = torch.randn(3, 1, 1, generator=random) + 0.3 * torch.sin(across * 3)
        image = image * (1 - cover) + colour * cover
    return image


def to_bytes(image: Tensor) -> Tensor:
    low, high = image.amin(), image.amax()
    return ((image - low) / (high - low) * 255).floor()


def scene(kind: str, seed: int, side: int = 64) -> tuple[Tensor, Tensor]:
    """A picture to rebuild and a painting to rebuild it from, different pictures of one palette."""
    random = generator(seed)
    if kind == "strokes":
        both = strokes(side, 2 * side, random)
    elif kind == "rough":
        both = octaves(side, 2 * side, random, 0.9)
    else:
        both = octaves(side, 2 * side, random, 0.4)
    if kind == "grain":
        both += 0.02 * torch.randn(both.shape, generator=random)
    both = to_bytes(both)
    return both[:, :, side:], both[:, :, :side]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", ["strokes", "rough", "smooth", "grain"])
def test_the_search_is_within_two_percent_of_exhaustive(kind: str, seed: int) -> None:
    image, target = scene(kind, seed)
    wanted = torch.zeros(64, 64, dtype=torch.bool)
    wanted[10:45, 20:60] = True
    queries = anchors_touching(wanted, (7, 7)).flatten().nonzero()[:, 0]
    _, distance = nearest_patches(image, target, (7, 7), queries, generator(seed), silent)
    best = exhaustive(image, target, (7, 7), queries)
    assert (distance >= best - 0.5).all()
    assert distance.mean() <= 1.02 * best.mean()


def test_the_distances_are_those_of_the_matches() -> None:
    image, target = scene("strokes", 4)
    queries = torch.tensor([0, 17, 500, 58 * 58 - 1])
    match, distance = nearest_patches(image, target, (7, 7), queries, generator(), silent)
    differences = all_patches(image, (7, 7))[queries] - all_patches(target, (7, 7))[match]
    assert distance.tolist() == differences.square().sum(1).tolist()


def test_few_patches_are_searched_exhaustively() -> None:
    image, target = to_bytes(torch.rand(2, 3, 20, 22, generator=generator(5)))
    queries = torch.arange(14 * 16)
    _, distance = nearest_patches(image, target, (7, 7), queries, generator(), silent)
    assert distance.tolist() == exhaustive(image, target, (7, 7), queries).round().tolist()


def test_black_against_white_is_exact() -> None:
    queries = torch.arange(16)
    _, distance = nearest_patches(
        torch.zeros(3, 10, 10), torch.full((3, 10, 10), 255.0), (7, 7), queries, generator(), silent
    )
    assert (distance == 147 * 255**2).all()


def test_one_seed_one_field_and_small_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image, target = scene("rough", 6)
    queries = torch.arange(0, 58 * 58, 7)

    def field(seed: int) -> list[int]:
        return nearest_patches(image, target, (7, 7), queries, generator(seed), silent)[0].tolist()

    first = field(1)
    assert field(1) == first
    assert field(2) != first
    monkeypatch.setattr(patches, "COMPARISONS", 20000)
    assert field(1) == first


def test_a_picture_is_rebuilt_from_itself() -> None:
    image, _ = scene("strokes", 7)
    wanted = torch.zeros(64, 64, dtype=torch.bool)
    wanted[:9, 50:] = True
    rebuilt = synthesise(image, image, wanted, generator(), silent)
    assert torch.equal(rebuilt, image * wanted)


def test_flat_and_repeated_targets() -> None:
    image, _ = scene("smooth", 8)
    wanted = torch.zeros(64, 64, dtype=torch.bool)
    wanted[40:50, 40:50] = True
    flat = torch.full((3, 60, 50), 77.0)
    assert torch.equal(synthesise(image, flat, wanted, generator(), silent), 77.0 * wanted.expand(3, -1, -1))
    tiles = scene("smooth", 8)[1][:, 20:30, 20:30].repeat(1, 6, 6)
    queries = anchors_touching(wanted, (7, 7)).flatten().nonzero()[:, 0]
    _, distance = nearest_patches(image, tiles, (7, 7), queries, generator(), silent)
    assert distance.mean() <= 1.02 * exhaustive(image, tiles, (7, 7), queries).mean()


def test_a_mostly_flat_target_still_lends_its_corner() -> None:
    # Half the target is one colour: one crowded cell, whose members are all the same.
    image, target = scene("strokes", 10)
    target[:, :, :35] = 128.0
    image[:, :20] = 128.0
    queries = torch.arange(58 * 58)
    _, distance = nearest_patches(image, target, (7, 7), queries, generator(), silent)
    assert distance.mean() <= 1.02 * exhaustive(image, target, (7, 7), queries).mean()


@pytest.mark.parametrize(
    ("shape", "target_shape", "size"),
    [((1, 12), (1, 20), (1, 7)), ((12, 1), (30, 5), (7, 1)), ((3, 4), (40, 40), (3, 4)), ((1, 1), (1, 1), (1, 1))],
)
def test_tiny_pictures_use_smaller_patches(
    shape: tuple[int, int], target_shape: tuple[int, int], size: tuple[int, int]
) -> None:
    image = to_bytes(torch.rand(3, *shape, generator=generator(11))) if shape != (1, 1) else torch.full((3, 1, 1), 9.0)
    target = torch.randint(256, (3, *target_shape), generator=generator(12)).float()
    assert patch_size(image, target) == size
    rebuilt = synthesise(image, target, torch.ones(shape, dtype=torch.bool), generator(), silent)
    assert rebuilt.shape == image.shape
    assert rebuilt.amin() >= target.amin()
    assert rebuilt.amax() <= target.amax()


def test_nothing_wanted_nothing_done() -> None:
    image, target = scene("smooth", 13)
    assert not synthesise(image, target, torch.zeros(64, 64, dtype=torch.bool), generator(), silent).any()


def test_only_patches_that_touch_the_wanted_pixels_are_searched() -> None:
    wanted = torch.zeros(12, 14, dtype=torch.bool)
    wanted[8, 5] = True
    touching = anchors_touching(wanted, (7, 7))
    assert touching.shape == (6, 8)
    # Anchors 6 pixels up and left of the pixel at most, inside the grid.
    assert touching.nonzero()[:, 0].unique().tolist() == [2, 3, 4, 5]
    assert touching.nonzero()[:, 1].unique().tolist() == [0, 1, 2, 3, 4, 5]


def test_every_vote_is_the_mean_of_the_covering_patches() -> None:
    random = generator(14)
    target = torch.randint(256, (3, 11, 9), generator=random).float()
    wanted = torch.rand(10, 12, generator=random) < 0.3
    size = (3, 2)
    queries = anchors_touching(wanted, size).flatten().nonzero()[:, 0]
    field = torch.randint(9 * 8, queries.shape, generator=random)
    total, count = np.zeros((3, 10, 12)), np.zeros((10, 12))
    for query, match in zip(queries.tolist(), field.tolist(), strict=True):
        (y, x), (v, u) = divmod(query, 11), divmod(match, 8)
        total[:, y : y + 3, x : x + 2] += target[:, v : v + 3, u : u + 2].numpy()
        count[y : y + 3, x : x + 2] += 1
    expected = np.where(wanted.numpy(), total / np.maximum(count, 1), 0)
    voted = vote(queries, field, target.permute(1, 2, 0).contiguous(), wanted, torch.ones(size)).round()
    assert np.abs(voted.numpy() - expected).max() <= 0.5
    assert torch.equal(voted, voted.round())


def test_progress_can_stop_the_search() -> None:
    class CancelledError(Exception):
        pass

    def stop(_fraction: float) -> None:
        raise CancelledError

    image, target = scene("smooth", 15)
    with pytest.raises(CancelledError):
        synthesise(image, target, torch.ones(64, 64, dtype=torch.bool), generator(), stop)


def test_searching_for_a_few_at_a_time_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the object, the search takes no more memory; and strips meet without a seam."""
    image, target = (torch.randint(0, 256, (3, 40, 50), generator=generator(one)).float() for one in (1, 2))
    queries = torch.arange(0, 34 * 44, 3)
    whole = nearest_patches(image, target, (7, 7), queries, generator(), silent)
    told: list[float] = []
    monkeypatch.setattr(patches, "QUERIES", 100)
    parts = nearest_patches(image, target, (7, 7), queries, generator(), told.append)
    assert all(torch.equal(*pair) for pair in zip(whole, parts, strict=True))
    assert told == sorted(told) and told[-1] == 1
