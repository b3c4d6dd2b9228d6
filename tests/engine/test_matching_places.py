"""Fields as places in the painting, and which results on the way the algorithm hands out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from painterly_engine.matching.places import places
from painterly_engine.network.features import random_network
from painterly_engine.progress import Observer
from painterly_engine.two_passes import Scene, harmonize
from support import passes

HEIGHT, WIDTH = 48, 40


class Album(Observer):
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}

    def intermediate(self, name: str, data: Tensor) -> None:
        assert name not in self.kept
        self.kept[name] = data


def test_places_are_the_centres_of_the_matches_in_fractions() -> None:
    field = torch.tensor([[0, 5], [3, 2]])  # into 2×3
    ys, xs = places(field, (2, 3))
    assert torch.equal(ys, torch.tensor([[0.25, 0.75], [0.75, 0.25]]))
    assert torch.allclose(xs, torch.tensor([[1 / 6, 5 / 6], [1 / 6, 5 / 6]]))


@pytest.fixture(scope="module")
def album() -> Album:
    s, kept = passes.scene(HEIGHT, WIDTH), Album()
    whole = Scene(s.painting.float(), s.composite.float(), (s.loose == 1).float(), s.loose.float())
    harmonize(whole, random_network(width=8), stylization=5.0, iterations=1, observer=kept)
    return kept


def test_pictures_masks_and_fields_have_the_shapes_they_are_told_by(album: Album) -> None:
    assert {name for name, data in album.kept.items() if len(data) == 3 and data.ndim == 3} == {
        "first pass", "second pass", "finished",
    }  # fmt: skip
    assert {name for name, data in album.kept.items() if data.ndim == 2} == {
        "tight mask", "loose mask", "imitated places",
    }  # fmt: skip
    fields = {name: data for name, data in album.kept.items() if len(data) == 2 and data.ndim == 3}
    assert "refined matches" in fields and len(fields) == 5
    assert all(float(field.min()) > 0 and float(field.max()) < 1 for field in fields.values())


def test_where_the_composite_is_the_painting_it_matches_itself(album: Album) -> None:
    field = album.kept["matches at relu3_1, first pass"]
    height, width = field.shape[1:]
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    assert torch.allclose(field[:, -1], torch.stack([y, x])[:, -1])
