"""From a request to its result, with a small random network: what is promised about sizes, pixels and refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import msgpack
import numpy as np
import pytest
import torch

from painterly_engine.arrays import to_array, to_pixels
from painterly_engine.job import Harmonized, run_request
from painterly_engine.network.features import FeatureNetwork, Layout, random_network
from painterly_engine.network.layouts import LAYOUTS
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.presets import Published
from painterly_engine.progress import SILENT, Observer
from painterly_engine.published import run_published
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Phase
from painterly_protocol.request import DEFAULT_METHOD, METHODS, MIXING, HarmonizeRequest, Parameters

HEIGHT, WIDTH = 60, 80
QUICK = Parameters(preset="published", size=48, iterations=3)


class OneNetwork(NetworkShelf):
    """A shelf with a tiny random network on it, whatever is asked for."""

    def get(self, weights: str) -> FeatureNetwork:
        assert weights == "auto"
        return random_network(seed=1, width=4)


def scene(kind: str = "uint8", height: int = HEIGHT, width: int = WIDTH) -> dict[str, np.ndarray]:
    """A painting of noise on a slope, a disc of another colour in it, and the disc's soft mask."""
    white = 1.0 if kind == "float32" else float(np.iinfo(kind).max)
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    slope = np.stack([x / width, y / height, 0.5 + 0 * x], axis=2) * 0.8 + 0.1
    painting = slope + 0.1 * rng.random((height, width, 3), dtype=np.float32)
    radius = np.hypot(y - height / 2, x - width / 2)
    mask = np.clip(height / 5 - radius, 0, 1)
    composite = painting * (1 - mask[..., None]) + mask[..., None] * np.float32([0.9, 0.2, 0.1])
    return {
        "painting": (painting * white).astype(kind),
        "composite": (composite * white).astype(kind),
        "mask": (mask * 255).astype(np.uint8),
    }


def run(
    pictures: Mapping[str, np.ndarray], parameters: Parameters = QUICK, observer: Observer = SILENT
) -> tuple[Harmonized, np.ndarray]:
    """The outcome, and the whole painting with the result in it."""
    request = HarmonizeRequest(**{name: to_pixels(array) for name, array in pictures.items()}, parameters=parameters)
    outcome = run_request(request, OneNetwork("cpu"), observer)
    whole = pictures["painting"].copy()
    picture = to_array(outcome.picture)
    whole[outcome.y : outcome.y + picture.shape[0], outcome.x : outcome.x + picture.shape[1]] = picture
    return outcome, whole


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_only_the_neighbourhood_of_the_object_changes(kind: str) -> None:
    pictures = scene(kind)
    _, whole = run(pictures)
    assert whole.dtype == pictures["painting"].dtype and whole.shape == pictures["painting"].shape
    changed = (whole != pictures["painting"]).any(2)
    inside = pictures["mask"] > 127
    assert changed[inside].mean() > 0.95
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    far = np.hypot(y - HEIGHT / 2, x - WIDTH / 2) > HEIGHT / 5 + 17 * HEIGHT / 36
    assert not changed[far].any()


def test_a_given_loose_mask_bounds_the_change_bit_for_bit() -> None:
    pictures = scene()
    loose = np.zeros((HEIGHT, WIDTH), np.uint8)
    loose[20:40, 30:45] = 255
    outcome, whole = run({**pictures, "loose_mask": loose})
    changed = (whole != pictures["painting"]).any(2)
    assert changed.any() and not changed[loose == 0].any()
    assert outcome.x >= 30 and outcome.y >= 20


def test_the_box_is_as_small_as_the_change_allows() -> None:
    outcome, _ = run(scene())
    assert outcome.picture.width < WIDTH and outcome.picture.height < HEIGHT


@pytest.mark.parametrize("size", [40, 80, 130])
def test_any_working_size_gives_the_paintings_own_size(size: int) -> None:
    """Smaller than the painting, its own size, larger."""
    outcome, whole = run(scene(), Parameters(preset="published", size=size, iterations=2))
    assert outcome.metadata["working_size"] == [size, size * HEIGHT // WIDTH]
    assert np.isfinite(whole).all()


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = run(scene())[1], run(scene())[1]
    assert np.array_equal(first, second)


def test_the_metadata_says_what_was_done_and_can_travel() -> None:
    outcome, _ = run(scene(), Parameters(preset="published", size=48, iterations=3, stylization="Cubism", seed=9))
    about = outcome.metadata
    assert msgpack.unpackb(msgpack.packb(about)) == about
    assert about["stylization"]["value"] == 10.0 and "cubism" in about["stylization"]["reason"]  # type: ignore[index]
    assert about["iterations"] == 3 and about["seed"] == 9
    assert set(about["seconds"]) == {phase.value for phase in Phase}  # type: ignore[call-overload]


def test_the_estimate_is_the_paintings_whatever_it_is_worked_at() -> None:
    ways = [Parameters(preset="published", size=size, iterations=1) for size in (40, 64, 80)]
    ways.append(Parameters(preset="draft", size=48, iterations=1))
    found = [run(scene(), way)[0].metadata["stylization"] for way in ways]
    assert "estimated" in found[0]["reason"]  # type: ignore[index]
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("method", [{"preset": "instant"}, {"method": "adain"}])
def test_feed_forward_says_that_it_did_not_use_the_network_asked_for(method: dict[str, str]) -> None:
    pictures = {name: to_pixels(array) for name, array in scene().items()}

    def notes(weights: str) -> object:
        request = HarmonizeRequest(**pictures, parameters=Parameters(**method, size=48, weights=weights))  # type: ignore[arg-type]
        return run_request(request, NetworkShelf("cpu"), SILENT).metadata["notes"]

    assert notes("auto") == notes("slim") == []
    for other in ("random", "vgg19", "/nowhere.pth"):
        assert f"{other} was not used" in str(notes(other))


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_content_weighs_as_published_with_every_network_but_our_own(name: str) -> None:
    """With VGG of whatever origin the two passes stay the paper's, bit for bit; the result says what was used."""
    request = HarmonizeRequest(**{name: to_pixels(array) for name, array in scene().items()}, parameters=QUICK)
    network = random_network(seed=1, width=2, layout=LAYOUTS[name])
    change = run_published(request, network, Published(size=48, iterations=2), torch.device("cpu"), SILENT)
    assert change.about["loss_weights"]["content"] == LAYOUTS[name].content_pull  # type: ignore[index]
    assert (LAYOUTS[name].content_pull == 1.0) == (name != "slim")


def test_every_phase_is_reported_in_order_and_every_iteration_in_its_place() -> None:
    class Recorder(Observer):
        def __init__(self) -> None:
            self.seen: list[tuple[Phase, float, int]] = []
            self.pictures = 0

        def report(self, phase: Phase, fraction: float, *, iteration: int = 0, **_: object) -> None:  # type: ignore[override]
            self.seen.append((phase, fraction, iteration))

        def picture(self, make: Callable[[], torch.Tensor]) -> None:
            assert make().shape == (3, 36, 48)
            self.pictures += 1

    recorder = Recorder()
    run(scene(), observer=recorder)
    phases = [phase for phase, _, _ in recorder.seen]
    assert list(dict.fromkeys(phases)) == list(Phase)
    assert phases == sorted(phases, key=list(Phase).index)
    assert all(0 <= fraction <= 1 for _, fraction, _ in recorder.seen)
    for phase in (Phase.PASS_ONE, Phase.PASS_TWO):
        assert [i for p, _, i in recorder.seen if p is phase and i] == [1, 2, 3]
    assert recorder.pictures >= 6


def test_whatever_the_observer_raises_ends_the_work() -> None:
    class Impatient(Observer):
        def report(self, phase: Phase, *_: object, **__: object) -> None:  # type: ignore[override]
            if phase is Phase.PASS_TWO:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(scene(), observer=Impatient())


def test_an_empty_mask_is_refused_with_advice() -> None:
    pictures = scene()
    pictures["mask"][:] = 0
    with pytest.raises(PainterlyError, match="mask is empty") as caught:
        run(pictures)
    assert caught.value.code is ErrorCode.EMPTY_MASK and caught.value.advice


def test_an_object_too_thin_for_the_working_size_is_refused_with_advice() -> None:
    """The published loose mask of a thin line is empty, and the object would vanish without a word."""
    pictures = scene()
    pictures["mask"][:] = 0
    pictures["mask"][30:32, :] = 255
    with pytest.raises(PainterlyError, match="too small or too thin") as caught:
        run(pictures, Parameters(preset="published", size=80, iterations=1))
    assert caught.value.code is ErrorCode.EMPTY_MASK


def test_numbers_that_are_none_are_refused() -> None:
    pictures = scene("float32")
    pictures["composite"][5, 5, 1] = np.nan
    with pytest.raises(PainterlyError, match="composite"):
        run(pictures)


def test_an_object_over_everything_and_one_at_the_border_are_harmonized() -> None:
    pictures = scene()
    pictures["mask"][:] = 255
    assert (run(pictures)[1] != pictures["painting"]).mean() > 0.5
    pictures["mask"][:, 30:] = 0
    assert run(pictures)[0].x == 0


def test_a_grey_painting_is_harmonized() -> None:
    pictures = scene()
    pictures["painting"][:] = pictures["painting"].mean(2, keepdims=True).astype(np.uint8)
    assert np.isfinite(run(pictures)[1]).all()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("short", [1, 2, 3, 5, 9, 17, 31, 32])
def test_a_network_says_how_narrow_a_picture_may_be(layout: Layout, short: int) -> None:
    """Against what its convolutions and poolings really take."""
    network = random_network(width=1, layout=layout)
    fits = short >= network.smallest_side()
    try:
        features = network(torch.rand(3, short, 64), network.layers)
    except RuntimeError:
        assert not fits
    else:
        assert fits and all(min(feature.shape) > 0 for feature in features.values())


def test_too_narrow_a_picture_is_refused_with_the_size_that_would_do() -> None:
    class Torchvision(OneNetwork):
        def get(self, weights: str) -> FeatureNetwork:  # noqa: ARG002
            return random_network(seed=1, width=2, layout=LAYOUTS["torchvision"])

    pictures = scene(height=6, width=120)
    pictures["mask"][:, 50:70] = 255
    request = HarmonizeRequest(**{name: to_pixels(array) for name, array in pictures.items()}, parameters=QUICK)
    with pytest.raises(PainterlyError, match="48×2 px") as caught:
        run_request(request, Torchvision("cpu"), SILENT)
    enough = int(caught.value.advice.split(" px")[0].split()[-1])
    parameters = Parameters(preset="published", size=enough, iterations=1)
    run_request(dataclasses.replace(request, parameters=parameters), Torchvision("cpu"), SILENT)


def test_an_object_that_matches_nothing_is_told() -> None:
    """A strip that falls between the positions of the reference layer leaves pass 2 nothing to imitate."""
    pictures = scene(height=96, width=96)
    pictures["mask"][:] = 0
    pictures["mask"][:, 17:23] = 255
    outcome, _ = run(pictures, Parameters(preset="published", size=96, iterations=1))
    assert any("Raise the working size" in warning for warning in outcome.metadata["warnings"])  # type: ignore[attr-defined]


EVERY_WAY = [
    *(Parameters(preset=preset, size=48, iterations=2) for preset in ("instant", "draft", "published")),
    *(Parameters(method=method, size=48, iterations=2) for method in METHODS if method != DEFAULT_METHOD),
]


@pytest.mark.parametrize("parameters", EVERY_WAY, ids=lambda way: f"{way.method}-{way.preset}")
@pytest.mark.parametrize("sample", [float("nan"), 1e30, 3e38])
def test_samples_beyond_all_measure_end_in_a_sentence_or_a_picture(parameters: Parameters, sample: float) -> None:
    pictures = scene("float32")
    pictures["composite"][HEIGHT // 2, WIDTH // 2] = sample
    if parameters.method == MIXING:
        pictures["style"] = pictures["painting"][::-1]
    request = HarmonizeRequest(**{name: to_pixels(array) for name, array in pictures.items()}, parameters=parameters)
    try:
        outcome = run_request(request, NetworkShelf("cpu"), SILENT)
    except PainterlyError as error:
        assert error.code in (ErrorCode.NOT_FINITE, ErrorCode.BAD_REQUEST)
        assert error.advice
    else:
        assert sample == sample
        assert np.isfinite(to_array(outcome.picture)).all()
