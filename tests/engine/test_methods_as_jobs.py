"""Jobs by the other methods: laid over the painting under the mask, everything else as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from painterly_engine import presets
from painterly_engine.arrays import to_array, to_pixels
from painterly_engine.job import Harmonized, run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT
from painterly_engine.stylizing.job import as_published
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Phase
from painterly_protocol.pixels import Pixels
from painterly_protocol.request import METHODS, MIXING, HarmonizeRequest, Parameters
from support.passes import Recorder

HEIGHT, WIDTH = 150, 200
OTHERS = METHODS[1:]


def request(kind: str = "uint8", **options: Any) -> HarmonizeRequest:
    white = 1 if kind == "float32" else np.iinfo(kind).max
    painting = (np.random.default_rng(2).random((HEIGHT, WIDTH, 3)) * white).astype(kind)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    radius = np.hypot(y - 75, x - 60)
    composite = painting.copy()
    composite[radius < 20] = (np.array([0.9, 0.2, 0.1]) * white).astype(kind)
    style = options.pop("style", to_pixels(painting[:90, ::-1]) if options.get("method") == MIXING else None)
    return HarmonizeRequest(
        to_pixels(painting),
        to_pixels(composite),
        to_pixels((np.clip(20 - radius, 0, 1) * 255).astype(np.uint8)),
        parameters=Parameters(**{"preset": "draft", "size": 80, "iterations": 4, "weights": "slim", **options}),
        style=style,
    )


def whole(asked: HarmonizeRequest, outcome: Harmonized) -> np.ndarray:
    found = to_array(asked.painting).copy()
    picture = to_array(outcome.picture)
    found[outcome.y : outcome.y + picture.shape[0], outcome.x : outcome.x + picture.shape[1]] = picture
    return found


@pytest.fixture(scope="module")
def shelf() -> NetworkShelf:
    return NetworkShelf()


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("method", OTHERS)
def test_only_the_neighbourhood_of_the_object_changes(shelf: NetworkShelf, method: str, kind: str) -> None:
    asked, heard = request(kind, method=method), Recorder()
    outcome = run_request(asked, shelf, heard)
    painting, found = to_array(asked.painting), whole(asked, outcome)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    radius = np.hypot(y - 75, x - 60)
    assert found.dtype == painting.dtype and np.array_equal(found[radius > 45], painting[radius > 45])
    assert (found != painting)[radius < 15].mean() > 0.9
    assert (found != to_array(asked.composite))[radius < 15].mean() > 0.5
    about = outcome.metadata
    assert about["method"] == method and about["warnings"] == []
    assert about["iterations"] == (0 if method == "adain" else 4)
    assert Phase.PASS_TWO not in heard.phases and heard.phases[-1] is Phase.FINISHING
    for picture in heard.pictures:  # all of the painting, in whatever size
        assert picture.shape[2] / picture.shape[1] == pytest.approx(WIDTH / HEIGHT, rel=0.02)


@pytest.mark.parametrize("method", ["local", "global", "multi-style"])
def test_losses_are_told_and_go_down(shelf: NetworkShelf, method: str) -> None:
    heard = Recorder()
    run_request(request(method=method, iterations=12), shelf, heard)
    totals = [sum(losses.values()) for losses in heard.losses]
    assert len(totals) == 12 and totals[-1] < 0.8 * totals[0]
    assert heard.iterations == list(range(1, 13))


@pytest.mark.parametrize("method", ["local", "global", "adain"])
def test_strength_0_keeps_more_than_strength_1(shelf: NetworkShelf, method: str) -> None:
    def changed(strength: float) -> float:
        asked = request(method=method, strength=strength, iterations=15, detail=1.0)
        return float(
            np.abs(whole(asked, run_request(asked, shelf, SILENT)).astype(int) - to_array(asked.composite)).mean()
        )

    assert changed(0.0) < 0.8 * changed(1.0)


@pytest.mark.parametrize("method", ["pass-one", "local", "adain"])
def test_another_picture_can_be_imitated(shelf: NetworkShelf, method: str) -> None:
    blue = np.zeros((90, 70, 3), np.uint8)
    blue[..., 2] = np.random.default_rng(5).integers(100, 255, (90, 70))
    asked, own = request(method=method, style=to_pixels(blue), iterations=15, strength=1.0), request(method=method)
    bluish, usual = (whole(one, run_request(one, shelf, SILENT))[60:90, 45:75].mean((0, 1)) for one in (asked, own))
    assert bluish[2] - bluish[0] > usual[2] - usual[0]


def test_multi_style_lies_between_the_painting_and_the_other_picture(shelf: NetworkShelf) -> None:
    def coloured(channel: int, height: int, width: int) -> np.ndarray:
        found = np.full((height, width, 3), 40, np.uint8)
        found[..., channel] = np.random.default_rng(channel).integers(100, 255, (height, width))
        return found

    green, blue = coloured(1, HEIGHT, WIDTH), to_pixels(coloured(2, 90, 70))
    composite, red = green.copy(), np.s_[60:90, 45:75]
    composite[red] = (230, 50, 25)
    mask = (composite != green).any(2).astype(np.uint8) * 255

    def greenness(method: str, style: Pixels | None) -> float:
        settings = Parameters("draft", 80, 80, strength=1.0, detail=0.0, weights="slim", method=method)
        pictures = (to_pixels(green), to_pixels(composite), to_pixels(mask))
        asked = HarmonizeRequest(*pictures, parameters=settings, style=style)
        return float(whole(asked, run_request(asked, shelf, SILENT))[red][..., 1].mean())

    both = greenness("multi-style", blue)
    assert greenness("global", blue) + 5 < both < greenness("global", None) - 5


def test_multi_style_needs_something_to_mix_the_painting_with() -> None:
    with pytest.raises(PainterlyError, match="mixes the painting with another picture") as caught:
        request(method="multi-style", style=None)
    assert caught.value.code is ErrorCode.BAD_REQUEST and "style" in caught.value.advice


def test_a_preset_says_how_large_and_how_long() -> None:
    asked = request(method="pass-one", size=None, iterations=None)
    draft = presets.effective(asked.parameters)
    assert isinstance(draft, presets.Repaint)
    all_of_them = len(draft.sides) * draft.iterations
    assert as_published(asked, draft) == presets.Published(WIDTH, all_of_them)  # nothing is enlarged
    assert as_published(asked, presets.Published(700, 1000)) == presets.Published(700, 1000)
    assert as_published(asked, presets.Instant(84)) == presets.Published(112, 30)


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(PainterlyError, match="no method 'mosaic'") as caught:
        Parameters(method="mosaic")
    assert caught.value.code is ErrorCode.BAD_REQUEST
