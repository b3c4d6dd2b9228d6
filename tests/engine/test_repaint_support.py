"""Where the repainted picture shows, and how much of it."""

from __future__ import annotations

import pytest
import torch

from painterly_engine.repaint import support as supports
from painterly_engine.repaint.support import support


def test_half_a_selection_shows_half_of_the_object() -> None:
    mask = torch.full((60, 60), 0.5)
    assert torch.allclose(support(mask, 60), mask, atol=1e-6)


def test_a_feather_keeps_its_slope() -> None:
    ramp = (torch.arange(200.0) / 200).repeat(60, 1)
    shown = support(ramp, 200)
    middle = shown[30, 50:150]
    assert torch.allclose(middle.diff(), torch.full((99,), 1 / 200), atol=1e-5)
    assert 0 <= float((middle - ramp[30, 50:150]).max()) <= 4 / 200  # it reaches a little further out, no more


@pytest.mark.parametrize("width", [1, 2])
def test_nothing_is_too_thin(width: int) -> None:
    mask = torch.zeros(40, 80)
    mask[20 : 20 + width] = 1
    shown = support(mask, 80)
    assert float(shown[20].min()) > 0.9


def test_far_from_the_object_nothing_shows_at_all() -> None:
    mask = torch.zeros(60, 60)
    mask[30, 30] = 1
    shown = support(mask, 60)
    ys, xs = torch.meshgrid(torch.arange(60), torch.arange(60), indexing="ij")
    assert (shown[(ys - 30) ** 2 + (xs - 30) ** 2 > 9**2] == 0).all()
    assert float(shown[30, 30]) > 0.8


def test_large_pictures_have_larger_edges() -> None:
    mask = torch.zeros(100, 100)
    mask[50:, :] = 1
    narrow, wide = (int((support(mask, longest)[:50, 50] > 0).sum()) for longest in (600, 2560))
    assert wide >= 3 * narrow


@pytest.mark.parametrize("far", [1, 2, 7, 12])
@pytest.mark.parametrize("band", [1, 500, 2**21])
def test_the_largest_around_is_that_of_a_disc(monkeypatch: pytest.MonkeyPatch, far: int, band: int) -> None:
    """However many rows are looked at at a time, the border included."""
    monkeypatch.setattr(supports, "BAND", band)
    mask = torch.rand(40, 50, generator=torch.Generator().manual_seed(2)).clamp(0.9) - 0.9
    found = supports.largest_around(mask, far)
    steps = torch.arange(-far, far + 1)
    disc = steps[:, None] ** 2 + steps**2 <= far**2
    around = torch.nn.functional.unfold(torch.nn.functional.pad(mask, (far,) * 4)[None, None], 2 * far + 1)[0]
    assert torch.equal(found, around[disc.flatten()].amax(0).view(40, 50))
