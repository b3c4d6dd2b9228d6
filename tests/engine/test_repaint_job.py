"""From a request to the repainted object: what is promised about pixels, sliders and hard cases."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import msgpack
import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from painterly_engine import harmonize
from painterly_engine.arrays import to_array, to_pixels
from painterly_engine.job import Harmonized, run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT, Observer
from painterly_engine.repaint import repaint as repainting_scales
from painterly_engine.repaint.descent import Tick
from painterly_engine.repaint.support import gaussian
from painterly_engine.resample import resize
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Phase
from painterly_protocol.request import HarmonizeRequest, Parameters
from support import hard_cases

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Scene = Mapping[str, np.ndarray]
QUICK = Parameters(preset="draft", size=96, iterations=4, weights="slim", stylization=5.0)
SHELF = NetworkShelf("cpu")


def scene(mask: np.ndarray, kind: str = "uint8", colour: tuple[float, float, float] = (0.9, 0.2, 0.1)) -> Scene:
    """Rough stripes as the painting, an object of one colour."""
    height, width = mask.shape
    white = 1.0 if kind == "float32" else float(np.iinfo(kind).max)
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    stripes = 0.5 + 0.25 * np.sin(x / 3 + y / 5)[..., None] * np.float32([1, 0.7, 0.3])
    painting = (stripes + 0.1 * rng.random((height, width, 3), dtype=np.float32)).clip(0, 1)
    composite = np.where(mask[..., None] > 0, np.float32(colour), painting)
    return {
        "painting": (painting * white).astype(kind),
        "composite": (composite * white).astype(kind),
        "mask": (mask * 255).astype(np.uint8),
    }


def disc(height: int = 90, width: int = 120, radius: float = 20, feather: float = 1) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return ((radius - np.hypot(y - height / 2, x - width / 2)) / feather).clip(0, 1)


def run(pictures: Scene, parameters: Parameters = QUICK, observer: Observer = SILENT) -> tuple[Harmonized, np.ndarray]:
    """The outcome, and the whole painting with the result in it."""
    request = HarmonizeRequest(**{name: to_pixels(array) for name, array in pictures.items()}, parameters=parameters)
    outcome = run_request(request, SHELF, observer)
    whole = pictures["painting"].copy()
    picture = to_array(outcome.picture)
    whole[outcome.y : outcome.y + picture.shape[0], outcome.x : outcome.x + picture.shape[1]] = picture
    return outcome, whole


def far_from(mask: np.ndarray, distance: int = 9) -> np.ndarray:
    grown = mask > 0
    for _ in range(distance):
        padded = np.pad(grown, 1)
        grown = padded[1:-1, 1:-1] | padded[2:, 1:-1] | padded[:-2, 1:-1] | padded[1:-1, 2:] | padded[1:-1, :-2]
    return ~grown


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_outside_nothing_changes_inside_it_does(kind: str) -> None:
    pictures = scene(disc(), kind)
    outcome, whole = run(pictures)
    away = far_from(pictures["mask"])
    assert np.array_equal(whole[away], pictures["painting"][away]) and whole.dtype == pictures["painting"].dtype
    inside = pictures["mask"] == 255
    assert (whole[inside] != pictures["composite"][inside]).any(1).mean() > 0.9
    assert msgpack.packb(outcome.metadata)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("preset", ["instant", "draft", "published"])
def test_a_layer_laid_over_the_painting_is_the_picture(preset: str, kind: str) -> None:
    pictures = scene(disc(feather=6), kind)
    parameters = dataclasses.replace(QUICK, preset=preset, iterations=None if preset == "instant" else 2)
    plain, whole = run(pictures, parameters)
    request = HarmonizeRequest(**{name: to_pixels(array) for name, array in pictures.items()}, parameters=parameters)
    outcome = run_request(dataclasses.replace(request, as_layer=True), SHELF, SILENT)
    layer = to_array(outcome.picture)
    assert (outcome.x, outcome.y) == (plain.x, plain.y) and layer.shape[2] == 4
    white = 1.0 if kind == "float32" else float(np.iinfo(kind).max)
    box = np.s_[outcome.y : outcome.y + layer.shape[0], outcome.x : outcome.x + layer.shape[1]]
    below, alpha = pictures["painting"][box].astype(np.float64), layer[..., 3:].astype(np.float64) / white
    seen = below + alpha * (layer[..., :3].astype(np.float64) - below)
    allowed = 1.5 if kind != "float32" else 1e-5  # three roundings: of what is seen, of colours, of alpha
    # Published colours may lie beyond white where the edge is soft; whole numbers know nothing beyond.
    off = np.abs(seen - whole[box]) > (allowed if preset != "published" else max(allowed, 0.02 * white))
    assert off.mean() == 0
    inside = disc(radius=10) == 1
    assert alpha[inside[box]].min() > 0.999, "the painting shows through the object"


def test_the_same_request_gives_the_same_bytes() -> None:
    first, second = (run(scene(disc()))[1] for _ in range(2))
    assert np.array_equal(first, second)


def test_no_strength_leaves_the_object_what_it_was() -> None:
    pictures = scene(disc())
    _, whole = run(pictures, dataclasses.replace(QUICK, strength=0.0))
    inside = disc(radius=14) == 1
    assert np.abs(whole[inside].astype(int) - pictures["composite"][inside]).max() <= 1


def test_more_strength_moves_the_object_further() -> None:
    pictures = scene(disc())
    inside = disc(radius=16) == 1

    def moved(strength: float) -> float:
        _, whole = run(pictures, dataclasses.replace(QUICK, strength=strength, iterations=12))
        return float(np.abs(whole[inside].astype(float) - pictures["composite"][inside]).mean())

    steps = [moved(strength) for strength in (0.0, 0.25, 0.5, 1.0)]
    assert steps == sorted(steps) and steps[2] > 2 * steps[0] + 1


def test_more_detail_keeps_more_of_the_objects_own() -> None:
    mask = disc(radius=30)
    pictures = dict(scene(mask))
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    checks = ((x // 3 + y // 3) % 2).astype(np.float32)[..., None] * np.float32([0.5, 0.5, 0.5]) + 0.2
    pictures["composite"] = np.where(mask[..., None] > 0, (checks * 255).astype(np.uint8), pictures["painting"])
    inside = disc(radius=24) == 1

    def likeness(detail: float) -> float:
        _, whole = run(pictures, dataclasses.replace(QUICK, size=160, detail=detail, iterations=10))
        ours, theirs = (one[inside].mean(1).astype(float) for one in (whole, pictures["composite"]))
        return float(np.corrcoef(ours, theirs)[0, 1])

    steps = [likeness(detail) for detail in (0.0, 0.5, 1.0)]
    assert steps == sorted(steps) and steps[2] > steps[0] + 0.02


def test_half_a_selection_is_half_painting() -> None:
    """Whatever is painted there, it lies half over the painting."""
    full = scene(disc())
    half = {**full, "mask": (full["mask"] // 2)}
    _, whole = run(half, dataclasses.replace(QUICK, strength=0.0))
    inside = disc(radius=12) == 1
    expected = (full["painting"][inside].astype(float) + full["composite"][inside]) / 2
    assert np.abs(whole[inside] - expected).max() <= 2


def test_a_loose_mask_limits_the_change() -> None:
    pictures = scene(disc())
    allowed = np.zeros(pictures["mask"].shape, np.uint8)
    allowed[:, :60] = 255
    _, whole = run({**pictures, "loose_mask": allowed})
    assert np.array_equal(whole[:, 60:], pictures["painting"][:, 60:])
    assert not np.array_equal(whole[:, :60], pictures["painting"][:, :60])


def _line() -> np.ndarray:
    mask = np.zeros((90, 120), np.float32)
    mask[44:46, 10:110] = 1
    return mask


def _islands() -> np.ndarray:
    mask = np.zeros((120, 160), np.float32)
    for y, x in ((20, 20), (90, 30), (60, 130)):
        mask[y : y + 14, x : x + 14] = 1
    return mask


def _border() -> np.ndarray:
    mask = np.zeros((90, 120), np.float32)
    mask[:40, :50] = 1
    return mask


def _most() -> np.ndarray:
    mask = np.zeros((90, 120), np.float32)
    mask[5:80, 5:105] = 1
    return mask


HARD = {
    "tiny": disc(radius=4),
    "one pixel": (disc(radius=1.5) > 0.9).astype(np.float32),
    "a line": _line(),
    "islands": _islands(),
    "at the border": _border(),
    "most of the canvas": _most(),
    "everything": np.ones((64, 64), np.float32),
    "very wide": disc(24, 400, 8),
    "very high": disc(400, 20, 8),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_cases_are_painted(name: str) -> None:
    """Every island, line and dot is seen in the result, and nothing elsewhere."""
    mask = HARD[name]
    pictures = scene(mask)
    _, whole = run(pictures)
    changed = (whole != pictures["painting"]).any(2)
    assert changed[mask == 1].mean() > 0.8
    assert not changed[far_from(pictures["mask"])].any()


@pytest.mark.parametrize("painting", ["flat", "grey", "line art", "black"])
def test_plain_paintings_give_plain_pictures(painting: str) -> None:
    pictures = dict(scene(disc()))
    plain = {
        "flat": np.full((90, 120, 3), 140, np.uint8),
        "grey": pictures["painting"].mean(2, keepdims=True).repeat(3, 2).astype(np.uint8),
        "line art": np.where(np.arange(120)[None, :, None] % 12 < 2, 0, 255)
        .repeat(90, 0)
        .repeat(3, 2)
        .astype(np.uint8),
        "black": np.zeros((90, 120, 3), np.uint8),
    }[painting]
    pictures["composite"] = np.where(pictures["mask"][..., None] > 0, pictures["composite"], plain)
    pictures["painting"] = plain
    _, whole = run(pictures, dataclasses.replace(QUICK, iterations=10))
    inside = disc(radius=14) == 1
    spread = whole[inside].astype(int).max(1) - whole[inside].astype(int).min(1)
    # Strokes come from the painting: what has no colours gives none.
    assert spread.max() <= 2


@pytest.mark.parametrize("ground", [0, 140, 255])
def test_an_object_is_seen_even_where_nothing_was_painted(ground: int) -> None:
    """A painting of one colour has no strokes to tell an object with: its light and shade stay, without its colours."""
    painting = np.full((90, 120, 3), ground, np.uint8)
    x = np.mgrid[:90, :120][1]
    stripes = np.where((x // 8 % 2 > 0)[..., None], (250, 60, 60), (20, 30, 60))
    composite = np.where(disc()[..., None] > 0, stripes, painting).astype(np.uint8)
    _, whole = run({"painting": painting, "composite": composite, "mask": (disc() * 255).astype(np.uint8)})
    inside = disc(radius=16) == 1
    light, theirs = (picture.astype(float).mean(2)[inside] for picture in (whole, composite))
    assert light.std() > 5 and np.corrcoef(light, theirs)[0, 1] > 0.8


@pytest.mark.parametrize(
    "name", ["24 px", "most of the canvas", "at the border", "islands", "line art", "very wide", "busy"]
)
def test_hard_cases_are_still_told(name: str) -> None:
    """The cup's light and shade are where they were, whatever it was pasted into (pictures: docs/method.md)."""
    painting, composite, mask = hard_cases.cases()[name]
    painted = harmonize(painting, composite, mask, preset="draft", weights="slim")
    inside = np.asarray(mask) > 127
    ours, theirs = (np.asarray(one, float).mean(2)[inside] for one in (painted, composite))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.75


def test_a_small_face_keeps_its_eyes_and_mouth() -> None:
    """Whatever happens to its colours: wherever the face's light and shade change, the painted one's change alike."""
    painting, composite, mask = hard_cases.face()
    painted = harmonize(painting, composite, mask, weights="slim", stylization=3.0)
    window = (495, 235, 590, 335)
    ours, theirs = (
        gaussian(torch.from_numpy(np.asarray(one.crop(window), np.float32).mean(2)), 1.5)
        for one in (painted, composite)
    )

    def together(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return gaussian(one * other, 6) - gaussian(one, 6) * gaussian(other, 6)

    likeness = together(ours, theirs) / (together(ours, ours) * together(theirs, theirs)).sqrt()
    assert float(likeness.mean()) > 0.92


@pytest.mark.parametrize("name", ["at the border", "busy", "at night"])
def test_no_edge_is_seen(name: str) -> None:
    """Along the mask the picture changes about as much from pixel to pixel as the painting does elsewhere."""
    painting, composite, mask = hard_cases.cases()[name]
    painted = harmonize(painting, composite, mask, preset="draft", weights="slim")
    edge = np.asarray(mask.filter(ImageFilter.MaxFilter(5))) != np.asarray(mask.filter(ImageFilter.MinFilter(5)))
    far = np.asarray(mask.filter(ImageFilter.MaxFilter(25))) < 128

    def seam(picture: Image.Image) -> float:
        light = np.asarray(picture.convert("L"), float)
        steps = np.hypot(*np.gradient(light))
        return float(steps[edge].mean() / steps[far].mean())

    assert 0.5 < seam(painted) < 1.3


@pytest.mark.parametrize("name", ["at the border", "busy", "at night", "too sharp"])
def test_colours_are_the_paintings_without_speckle(name: str) -> None:
    """No dot is more saturated than the painting's; from pixel to pixel colours change no more than in its parts that
    change much, which lend strokes too."""
    painting, composite, mask = hard_cases.cases()[name]
    painted = harmonize(painting, composite, mask, preset="draft", weights="slim")
    inside = np.asarray(mask.filter(ImageFilter.MinFilter(9))) > 127

    def colours(picture: Image.Image) -> np.ndarray:
        """(H, W, 2), 0 for greys."""
        return np.asarray(picture.convert("YCbCr"), float)[..., 1:] - 128

    def speckle(picture: Image.Image) -> np.ndarray:
        found = colours(picture) - colours(picture.filter(ImageFilter.GaussianBlur(1)))
        return gaussian(torch.from_numpy(np.square(found).sum(2)), 12).numpy()

    theirs, ours = np.hypot(*np.moveaxis(colours(painting), 2, 0)), np.hypot(*np.moveaxis(colours(painted), 2, 0))
    assert np.percentile(ours[inside], 99.9) < np.percentile(theirs, 99.9) + 5
    assert speckle(painted)[inside].mean() < 1.1 * np.percentile(speckle(painting), 95)


def test_each_scale_sets_out_from_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without detail of the object's own, from nothing but the last one's result; the first from what was pasted."""
    starts: list[torch.Tensor] = []
    ends: list[torch.Tensor] = []

    def descend(_objective: object, picture: torch.Tensor, _iterations: int, tick: Tick) -> torch.Tensor:
        starts.append(picture)
        ends.append(1 - picture)
        tick(picture, {"style": picture.sum()})
        return ends[-1]

    monkeypatch.setattr(repainting_scales, "descend", descend)
    run(scene(disc(300, 300, 60)), dataclasses.replace(QUICK, size=256, detail=0.0))
    turns = [index for index in range(1, len(starts)) if starts[index].shape != starts[index - 1].shape]
    assert turns and all(torch.equal(starts[i], resize(ends[i - 1], starts[i].shape[1:])) for i in turns)


def test_thin_lines_are_seen() -> None:
    painting, composite, mask = hard_cases.cases()["lines"]
    painted = harmonize(painting, composite, mask, preset="draft", weights="slim")
    inside = np.asarray(mask) > 127
    off, pasted = (
        np.abs(np.asarray(one, float) - np.asarray(painting, float)).mean(2)[inside].mean()
        for one in (painted, composite)
    )
    assert off > 0.3 * pasted


@pytest.mark.parametrize("height", [24, 48])
def test_small_objects_are_still_told(height: int) -> None:
    """A cup of a few strokes has its light and shade where it had them."""
    night = Image.open(EXAMPLES / "night.jpg").convert("RGB").resize((384, 304))
    cup = Image.open(EXAMPLES / "coffee.png").resize((round(1.09 * height), height))
    alpha = cup.getchannel("A").point(lambda value: 255 * (value > 127))
    composite, mask = night.copy(), Image.new("L", night.size)
    composite.paste(cup.convert("RGB"), (230, 190), alpha)
    mask.paste(alpha, (230, 190))
    pictures = {"painting": np.asarray(night), "composite": np.asarray(composite), "mask": np.asarray(mask)}
    _, whole = run(pictures, Parameters(preset="draft", weights="slim"))
    theirs, ours = (picture.astype(float).mean(2)[pictures["mask"] > 0] for picture in (pictures["composite"], whole))
    assert np.corrcoef(theirs, ours)[0, 1] > 0.87


@pytest.mark.parametrize(("name", "least"), [("eight small", 0.82), ("eight faces", 0.86)])
def test_every_one_of_several_small_objects_is_still_told(name: str, least: float) -> None:
    """As well as if it stood alone: not their sum is small, each of them is."""
    painting, composite, mask = hard_cases.cases()[name]
    painted = harmonize(painting, composite, mask, preset="draft", weights="slim")
    for x, y in hard_cases.EIGHT:
        box = x, y, x + 50, y + 44
        inside = np.asarray(mask.crop(box)) > 127
        ours, theirs = (np.asarray(one.crop(box), float).mean(2)[inside] for one in (painted, composite))
        assert np.corrcoef(ours, theirs)[0, 1] > least


def _sharpness(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean square of what lightness differs by from that of the four pixels around."""
    light = picture.astype(np.float64).mean(2)
    around = sum(np.roll(light, step, axis) for step in (1, -1) for axis in (0, 1)) / 4
    return float(np.square(light - around)[where].mean())


@pytest.mark.parametrize("kind", ["sharper", "blurrier"])
def test_an_object_takes_on_the_paintings_sharpness(kind: str) -> None:
    """The cup of the examples on their terrace, out of focus and sharpened far too much."""
    painting = Image.open(EXAMPLES / "terrace.jpg").convert("RGB").resize((384, 304))
    cup = Image.open(EXAMPLES / "coffee.png").resize((163, 150))
    alpha = cup.getchannel("A").point(lambda value: 255 * (value > 127))
    changed = ImageFilter.GaussianBlur(5) if kind == "blurrier" else ImageFilter.UnsharpMask(2, 600, 0)
    composite, mask = painting.copy(), Image.new("L", painting.size)
    composite.paste(cup.convert("RGB").filter(changed), (170, 139), alpha)
    mask.paste(alpha, (170, 139))
    pictures = {name: np.asarray(one) for name, one in (("painting", painting), ("composite", composite))}
    _, whole = run({**pictures, "mask": np.asarray(mask)}, Parameters(weights="slim"))
    inside, everywhere = np.asarray(mask.filter(ImageFilter.MinFilter(13))) > 0, np.ones((304, 384), bool)
    usual = _sharpness(pictures["painting"], everywhere)
    before, after = (_sharpness(picture, inside) / usual for picture in (pictures["composite"], whole))
    assert not 0.1 < before < 2, "the object is about as sharp as the painting from the beginning"
    assert 0.25 < after < 1.5


def test_an_empty_mask_is_refused_with_advice() -> None:
    pictures = scene(np.zeros((40, 50), np.float32))
    with pytest.raises(PainterlyError) as refused:
        run(pictures)
    assert refused.value.code is ErrorCode.EMPTY_MASK and refused.value.advice


def test_progress_goes_forward_and_shows_the_whole_painting() -> None:
    class Watcher(Observer):
        def __init__(self) -> None:
            self.phases: list[Phase] = []
            self.shapes: set[tuple[int, ...]] = set()
            self.names: list[str] = []

        def report(self, phase: Phase, fraction: float, **_: object) -> None:
            assert 0 <= fraction <= 1
            self.phases.append(phase)

        def picture(self, make) -> None:  # type: ignore[no-untyped-def]
            self.shapes.add(tuple(make().shape))

        def intermediate(self, name: str, _data: object) -> None:
            self.names.append(name)

    watcher = Watcher()
    run(scene(disc(160, 240, 40)), dataclasses.replace(QUICK, size=192), watcher)
    order = list(Phase)
    assert [order.index(phase) for phase in watcher.phases] == sorted(order.index(phase) for phase in watcher.phases)
    assert watcher.shapes == {(3, 160, 240)} and len(watcher.names) == len(set(watcher.names))
    assert "loose mask" in watcher.names and "finished" in watcher.names


def test_light_and_shade_that_nothing_was_taken_from_are_told_as_no_loss() -> None:
    """Not as the millionth that rounding leaves, which would flatten every other curve of a chart of losses."""

    class Watcher(Observer):
        def __init__(self) -> None:
            self.losses: list[dict[str, float]] = []

        def report(self, *_: object, losses: dict[str, float] | None = None, **__: object) -> None:
            self.losses += [losses] if losses else []

    watcher = Watcher()
    run(scene(disc()), dataclasses.replace(QUICK, iterations=20), watcher)
    first, *_, last = watcher.losses
    assert first["shading"] == 0 < last["shading"] and first["style"] > last["style"] > 0
