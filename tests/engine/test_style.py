"""What is imitated: all of the painting, a part of it, another picture, a part of that; by every method."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from painterly_engine.arrays import to_array, to_pixels
from painterly_engine.finishing.patches import anchors_inside
from painterly_engine.job import run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT
from painterly_engine.repaint.neighbours import Vocabulary
from painterly_engine.repaint.scales import levels
from painterly_engine.style import Style, laid_out, lent, only_lent, style_of
from painterly_engine.window import Box
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.pixels import Pixels
from painterly_protocol.request import HarmonizeRequest, Parameters

SHELF = NetworkShelf("cpu")
RED, BLUE, GREEN = (190, 40, 30), (30, 60, 190), (40, 170, 60)


def streaked(height: int, width: int, colour: tuple[int, int, int], seed: int = 1) -> np.ndarray:
    """A picture of one colour, in streaks of light and dark."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    shade = 0.85 + 0.15 * np.sin(x / 3 + y / 5) + 0.05 * rng.random((height, width))
    return (shade[..., None] * np.float32(colour)).clip(0, 255).astype(np.uint8)


def scene() -> dict[str, np.ndarray]:
    """A painting that is red on the left and blue on the right, a grey object in the middle of the blue."""
    painting = np.hstack([streaked(112, 80, RED), streaked(112, 96, BLUE)])
    mask = np.zeros((112, 176), np.uint8)
    mask[36:76, 108:148] = 255
    composite = np.where(mask[..., None] > 0, np.uint8([128, 128, 128]), painting)
    return {"painting": painting, "composite": composite, "mask": mask}


def parameters(preset: str) -> Parameters:
    if preset == "instant":
        return Parameters(preset="instant", strength=1.0, detail=0.0)
    rounds = 6 if preset == "draft" else 12
    size = 96 if preset == "draft" else 176
    return Parameters(preset, size=size, iterations=rounds, stylization=8.0, weights="slim", strength=0.9, detail=0.2)


def colour_of_object(preset: str, **style: Pixels) -> np.ndarray:
    """Mean RGB of what became of the object; outside it nothing may have changed."""
    pictures = scene()
    given = {name: to_pixels(array) for name, array in pictures.items()}
    request = HarmonizeRequest(**given, parameters=parameters(preset), **style)
    outcome = run_request(request, SHELF, SILENT)
    whole, picture = pictures["painting"].copy(), to_array(outcome.picture)
    whole[outcome.y : outcome.y + picture.shape[0], outcome.x : outcome.x + picture.shape[1]] = picture
    assert np.array_equal(whole[:20], pictures["painting"][:20])
    assert np.array_equal(whole[:, :70], pictures["painting"][:, :70])
    found: np.ndarray = whole[44:68, 116:140].reshape(-1, 3).mean(0)
    return found


def nearness(found: np.ndarray, colour: tuple[int, int, int]) -> float:
    """How much of the colour's hue it has, lightness aside."""
    own, goal = (np.float64(one) - np.mean(one) for one in (found, colour))
    return float(own @ goal / (np.linalg.norm(goal) ** 2))


@pytest.mark.parametrize("preset", ["instant", "draft", "published"])
def test_a_part_of_the_painting_is_imitated(preset: str) -> None:
    """The red part, though the object stands in the blue one."""
    left = np.zeros((112, 176), np.uint8)
    left[:, :72] = 255
    usual = colour_of_object(preset)
    asked = colour_of_object(preset, style_mask=to_pixels(left))
    assert nearness(asked, RED) > nearness(asked, BLUE)
    assert nearness(asked, RED) > nearness(usual, RED) + 0.2


@pytest.mark.parametrize("preset", ["instant", "draft", "published"])
@pytest.mark.parametrize("size", [(60, 50), (150, 260)])
def test_another_picture_is_imitated(preset: str, size: tuple[int, int]) -> None:
    """Of another size, and in other samples than the painting's."""
    other = streaked(*size, GREEN).astype(np.uint16) * 257
    found = colour_of_object(preset, style=to_pixels(other))
    assert nearness(found, GREEN) > max(nearness(found, BLUE), nearness(found, RED)) + 0.2


@pytest.mark.parametrize("preset", ["instant", "draft", "published"])
def test_a_part_of_another_picture_is_imitated(preset: str) -> None:
    other = np.vstack([streaked(60, 90, GREEN), streaked(60, 90, RED)])
    lends = np.zeros((120, 90), np.uint8)
    lends[66:] = 255
    found = colour_of_object(preset, style=to_pixels(other), style_mask=to_pixels(lends))
    assert nearness(found, RED) > max(nearness(found, BLUE), nearness(found, GREEN)) + 0.2


@pytest.mark.parametrize("preset", ["instant", "draft", "published"])
def test_a_single_pixel_that_lends_and_a_tiny_style_are_enough(preset: str) -> None:
    dot = np.zeros((112, 176), np.uint8)
    dot[50, 20] = 255
    assert np.isfinite(colour_of_object(preset, style_mask=to_pixels(dot))).all()
    assert np.isfinite(colour_of_object(preset, style=to_pixels(streaked(3, 5, GREEN)))).all()


@pytest.mark.parametrize("preset", ["instant", "draft", "published"])
def test_a_mask_over_all_of_the_painting_changes_next_to_nothing(preset: str) -> None:
    everything = to_pixels(np.full((112, 176), 255, np.uint8))
    usual, asked = colour_of_object(preset), colour_of_object(preset, style_mask=everything)
    # The instant preset looks at what is near the object above all, unless it is told where to look.
    assert np.abs(usual - asked).max() < (60 if preset == "instant" else 6)


@pytest.mark.parametrize("preset", ["instant", "draft", "published"])
def test_an_empty_style_mask_is_refused(preset: str) -> None:
    nothing = to_pixels(np.full((112, 176), 100, np.uint8))  # less than half is no
    with pytest.raises(PainterlyError) as refused:
        colour_of_object(preset, style_mask=nothing)
    assert refused.value.code is ErrorCode.EMPTY_MASK and refused.value.advice


def test_a_request_checks_what_belongs_together() -> None:
    pictures = {name: to_pixels(array) for name, array in scene().items()}
    small = to_pixels(np.zeros((9, 8), np.uint8))
    with pytest.raises(PainterlyError, match="style mask is 8×9 px, the painting 176×112 px"):
        HarmonizeRequest(**pictures, style_mask=small)
    with pytest.raises(PainterlyError, match="style mask is 8×9 px, the style picture 5×4 px"):
        HarmonizeRequest(**pictures, style=to_pixels(streaked(4, 5, RED)), style_mask=small)
    with pytest.raises(PainterlyError, match="three channels"):
        HarmonizeRequest(**pictures, style=small)
    request = HarmonizeRequest(**pictures)
    assert style_of(request) is None
    assert style_of(dataclasses.replace(request, style=to_pixels(streaked(4, 5, RED)))) is not None


def part(lends: np.ndarray | None, height: int = 300, width: int = 400) -> Style:
    return Style(np.zeros((height, width, 3), np.uint8), lends, is_painting=False)


def test_all_that_lends_itself_is_looked_at_and_of_too_much_the_middle() -> None:
    lends = np.zeros((300, 400), bool)
    lends[100:160, 200:300] = True
    assert part(lends).part(1e9) == Box(100, 200, 160, 300)
    assert part(lends).part(1500) == Box(114, 224, 144, 274)
    assert part(None).part(1e9) == Box(0, 0, 300, 400)
    corners = np.zeros((300, 400), bool)
    corners[:3, :3] = corners[-3:, -3:] = True
    assert part(corners).part(400).of(torch.from_numpy(corners)).any(), "between the corners there is nothing"


def test_strokes_of_another_picture_keep_their_size() -> None:
    (level,) = levels(Box(0, 0, 200, 200), (500, 500), (100,), 16, part(None, 300, 240).part)
    assert (level.context, level.context_size) == (Box(0, 0, 300, 240), (150, 120))


def test_a_style_is_laid_out_by_reflection_and_cut_to_its_middle() -> None:
    ramp = np.arange(4, dtype=np.uint8)[None, :, None].repeat(2, 0).repeat(3, 2)
    picture, lends = laid_out(Style(ramp, None, is_painting=False), (2, 10), 1.0, torch.device("cpu"))
    assert (picture[0, 0] * 255).round().tolist() == [0, 1, 2, 3, 3, 2, 1, 0, 0, 1] and lends is None
    picture, _ = laid_out(Style(ramp, None, is_painting=False), (1, 2), 1.0, torch.device("cpu"))
    assert (picture[0, 0] * 255).round().tolist() == [1, 2]


def test_patches_and_features_that_may_not_be_imitated_are_not() -> None:
    lends = torch.zeros(8, 9)
    lends[2:7, 3:9] = 1
    assert lent(lends, (4, 3)).tolist() == [[False] * 3, [False, True, True], [False, True, True], [False, True, True]]
    features = torch.rand(3, 8, 9, generator=torch.Generator().manual_seed(1)) + 0.1
    assert torch.equal(only_lent(features, lends) == 0, (lends == 0).expand(3, -1, -1))
    assert only_lent(features, None) is features
    vocabulary = Vocabulary(features, lends > 0)
    assert vocabulary.positions.tolist() == (lends > 0).flatten().nonzero()[:, 0].tolist()
    asked = torch.tensor([30, 40])  # both lend themselves: each is most like itself
    found = vocabulary.nearest(vocabulary.directions(features, asked), lambda _done: None)
    assert found.tolist() == asked.tolist()
    anchors = anchors_inside(lends > 0, (3, 3))
    assert {(int(anchor) // 7, int(anchor) % 7) for anchor in anchors} == {
        (y, x) for y in (2, 3, 4) for x in range(3, 7)
    }
    assert len(anchors_inside(torch.eye(8)[:, :8] > 0, (3, 3))) > 0, "thin parts lend what holds them"
