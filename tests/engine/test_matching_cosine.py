"""Patch matching of pass one against double loops over the formula, and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from painterly_engine.matching import correlation, match_patches, match_reference
from painterly_engine.matching.correlation import Query
from painterly_engine.window import Box

OFFSETS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def slow_scores(source: Tensor, target: Tensor) -> np.ndarray:
    """(h, w, h2, w2) float32 scores, written from the formula."""
    a, b = source.double().numpy(), target.double().numpy()
    (_, h, w), (_, h2, w2) = a.shape, b.shape
    scores = np.zeros((h, w, h2, w2), np.float32)
    for y, x, v, u in np.ndindex(h, w, h2, w2):
        dot = norm_a = norm_b = 0.0
        for dy, dx in OFFSETS:
            if not (0 <= y + dy < h and 0 <= x + dx < w and 0 <= v + dy < h2 and 0 <= u + dx < w2):
                continue
            left, right = a[:, y + dy, x + dx], b[:, v + dy, u + dx]
            dot += float(left @ right)
            norm_a += float(left @ left)
            norm_b += float(right @ right)
        scores[y, x, v, u] = dot / (np.sqrt(norm_a) * np.sqrt(norm_b) + 1e-9)
    return scores


def slow_field(source: Tensor, target: Tensor) -> np.ndarray:
    scores = slow_scores(source, target)
    return scores.reshape(*scores.shape[:2], -1).argmax(-1)  # numpy's argmax is the first


def features(seed: int, *shape: int) -> Tensor:
    """Like a relu's: about half zeros."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).clamp(min=0)


@pytest.mark.parametrize(
    ("size", "target_size"),
    [((6, 7), (6, 7)), ((5, 4), (7, 6)), ((1, 6), (1, 6)), ((6, 1), (6, 1)), ((1, 1), (3, 2)), ((3, 2), (1, 1))],
)
def test_every_match_is_the_formulas(size: tuple[int, int], target_size: tuple[int, int]) -> None:
    source, target = features(1, 4, *size), features(2, 4, *target_size)
    field = match_patches(source, target)
    assert field.dtype == torch.int64
    assert field.tolist() == slow_field(source, target).tolist()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(0, 10**6))
def test_every_match_is_the_formulas_at_any_size(h: int, w: int, h2: int, w2: int, seed: int) -> None:
    source, target = features(seed, 2, h, w), features(seed + 1, 2, h2, w2)
    assert match_patches(source, target).tolist() == slow_field(source, target).tolist()


def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = features(3, 3, 7, 5), features(4, 3, 7, 5)
    whole = match_patches(source, target)
    for pairs in (1, 2, 3):
        monkeypatch.setattr(correlation, "CACHED_BYTES", pairs * 8 * 5 * 5)
        assert torch.equal(match_patches(source, target), whole)


def test_a_picture_matches_itself() -> None:
    source = torch.rand(5, 8, 9, generator=torch.Generator().manual_seed(0)) + 0.01
    assert torch.equal(match_patches(source, source), torch.arange(72).view(8, 9))


def test_equal_scores_go_to_the_first_in_raster_order() -> None:
    tile = features(5, 3, 4, 4) + 0.1
    source = tile.repeat(1, 3, 3)  # interior patches repeat every four pixels
    field = match_patches(source, source)
    assert field[5, 5] == 1 * 12 + 1
    assert field[6, 7] == 2 * 12 + 3
    assert field[9, 9] == 1 * 12 + 1
    assert field.tolist() == slow_field(source, source).tolist()


def test_ties_on_one_diagonal_and_across_blocks_go_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "CACHED_BYTES", 1)
    tile = features(6, 2, 3, 3) + 0.1
    source = tile.repeat(1, 3, 3)
    assert match_patches(source, source).tolist() == slow_field(source, source).tolist()


def test_constant_channels_match_the_first_position() -> None:
    source, target = torch.full((3, 5, 6), 2.0), torch.full((3, 5, 6), 7.0)
    assert (match_patches(source, target) == 0).all()


def test_dead_features_score_zero_and_match_the_first_position() -> None:
    target = features(7, 3, 4, 4)
    assert (match_patches(torch.zeros(3, 4, 4), target) == 0).all()
    assert (match_patches(target, torch.zeros(3, 4, 4)) == 0).all()


def test_norms_run_over_the_pairwise_valid_offsets() -> None:
    # One row, one channel. The last source position has only a left neighbour, the first target position only a right
    # one, so between them the centre alone counts: cosine 1. With zero-padded norms it would be 10/√(5·26) = 0.88, less
    # than the 3/√(5·2) = 0.95 of the last target position.
    source = torch.tensor([[[1.0, 2.0]]])
    target = torch.tensor([[[5.0, 1.0, 1.0]]])
    assert match_patches(source, target)[0, 1] == 0


def test_progress_ends_at_one_and_can_stop_the_search() -> None:
    source = features(8, 2, 6, 6)
    seen: list[float] = []
    match_patches(source, source, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1

    class CancelledError(Exception):
        pass

    def stop(_fraction: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        match_patches(source, source, stop)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2000, 2**29]))
def test_a_part_of_the_positions_has_the_same_matches_in_any_budget(
    data: st.DataObject, h: int, w: int, budget: int
) -> None:
    source, target = features(h, 3, h, w), features(w, 3, 8, 7)
    top, left = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    positions = Box(top, left, data.draw(st.integers(top + 1, h)), data.draw(st.integers(left + 1, w)))
    query = Query(positions, positions.grown(1, (h, w)), (h, w))
    for match in (match_patches, match_reference):
        part = match(query.given.of(source), target, query=query, budget=budget)
        assert torch.equal(part, positions.of(match(source, target)))
