"""The whole way, nothing faked: GIMP starts the engine that install.py configured, which harmonizes a real picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageStat

import painterly_engine
from painterly_protocol.client import connect
from painterly_protocol.messages import Result
from painterly_protocol.pixels import Pixels, SampleType
from painterly_protocol.request import HarmonizeRequest, Parameters
from support.gimp_cases import HARMONIZE, Outcome
from support.gimp_house import GimpHouse, Profile
from support.gimp_window import PATIENCE

SIZE = 96
ITERATIONS = 3
SCENE = """
image = new_image(width, height)
add_layer(image, "painting", (width, height), painting)
group = Gimp.GroupLayer.new(image, "guests"); image.insert_layer(group, None, 0)
layers = [add_layer(image, "guest", (width, height), composite, parent=group)]
select(image, mask)
options = {"size": 96, "iterations": 3, "weights": weights, "seed": 5}
"""


@dataclass(frozen=True)
class Pictures:
    """A published pair, scaled down: RGBA and coverage bytes."""

    width: int
    height: int
    painting: bytes
    composite: bytes
    mask: bytes

    def request(self, weights: str) -> HarmonizeRequest:
        """The job that the plug-in should make of them."""

        def pixels(data: bytes, channels: int) -> Pixels:
            return Pixels(self.height, self.width, channels, SampleType.UINT8, data)

        return HarmonizeRequest(
            pixels(_rgb(self.painting), 3),
            pixels(_rgb(self._pasted()), 3),
            pixels(self.mask, 1),
            parameters=Parameters(size=SIZE, iterations=ITERATIONS, weights=weights, seed=5),
            as_layer=True,
        )

    def _pasted(self) -> bytes:
        size = (self.width, self.height)
        whole = Image.frombytes("RGBA", size, self.painting)
        whole.paste(Image.frombytes("RGBA", size, self.composite), mask=Image.frombytes("L", size, self.mask))
        return whole.tobytes()


def _rgb(rgba: bytes) -> bytes:
    return b"".join(rgba[i : i + 3] for i in range(0, len(rgba), 4))


@pytest.fixture(scope="module")
def pictures(shared: Path) -> Pictures:
    folder = shared / "pairs" / "5"
    with Image.open(folder / "painting.jpg") as image:
        size = (round(image.width * SIZE / image.height), SIZE)
    painting, composite = (
        Image.open(folder / f"{name}.jpg").convert("RGBA").resize(size).tobytes() for name in ("painting", "composite")
    )
    mask = Image.open(folder / "mask.jpg").convert("L").resize(size)
    # Hard edges: how GIMP blends half-covered pixels is not the matter here.
    return Pictures(*size, painting, composite, mask.point([0] * 128 + [255] * 128).tobytes())


@pytest.fixture(scope="module")
def weights(shared: Path) -> str:
    return str(shared / "weights" / "vgg19_normalised_to_relu3_1.pth")


@pytest.fixture(scope="module")
def done(profile: Profile, pictures: Pictures, weights: str) -> dict[str, Any]:
    """The first call: no engine runs yet."""
    assert not (profile.runtime_dir / "engine.json").exists()
    values = {**vars(pictures), "weights": weights}
    answer: dict[str, Any] = profile.run(SCENE + HARMONIZE, timeout=4 * PATIENCE, **values)
    return answer


@pytest.fixture(scope="module")
def by_hand(profile: Profile, done: dict[str, Any], pictures: Pictures, weights: str) -> Result:
    """The same job, given to the engine that GIMP has left running."""
    assert done["status"] == "success", done["message"]
    with connect(profile.runtime_dir, timeout_s=60.0) as client:
        return client.run(pictures.request(weights))


def test_the_layer_holds_what_the_engine_painted(done: dict[str, Any], by_hand: Result, pictures: Pictures) -> None:
    """Its colours, and as its mask how much of them shows."""
    layer, made = done["layer"], by_hand.picture
    assert (layer["offsets"], layer["size"]) == ([by_hand.x, by_hand.y], [made.width, made.height])
    painted = bytes(made.data)
    assert _rgb(layer["rgba"]) == _rgb(painted)
    assert set(layer["rgba"][3::4]) == {255}
    assert layer["coverage"] == painted[3::4]
    places = [
        (by_hand.y + i // made.width) * pictures.width + by_hand.x + i % made.width for i in range(len(painted) // 4)
    ]
    changed = [
        pictures.mask[place] > 0 and painted[4 * i : 4 * i + 3] != pictures.composite[4 * place : 4 * place + 3]
        for i, place in enumerate(places)
    ]
    assert sum(changed) > sum(map(bool, pictures.mask)) // 2, "the object looks as it did"


def test_the_layer_mask_is_the_soft_selection(done: dict[str, Any], pictures: Pictures) -> None:
    """What was selected, its outline softened as a brush would lose it: no further than a few pixels."""
    layer = done["layer"]
    (x0, y0), size = layer["offsets"], tuple(layer["size"])
    shown = Image.new("L", (pictures.width, pictures.height))
    shown.paste(Image.frombytes("L", size, layer["coverage"]), (x0, y0))
    selected = Image.frombytes("L", shown.size, pictures.mask)
    inner, outer = (selected.filter(kind(13)) for kind in (ImageFilter.MinFilter, ImageFilter.MaxFilter))
    for inside, outside, value in zip(inner.tobytes(), outer.tobytes(), shown.tobytes(), strict=True):
        assert value >= 254 or not inside
        assert value == 0 or outside
    softer = selected.filter(ImageFilter.GaussianBlur(2))
    assert ImageStat.Stat(ImageChops.difference(shown, softer)).mean[0] < 2


def test_nothing_else_changed(done: dict[str, Any]) -> None:
    Outcome(done, engine=None).check_done("guest")  # type: ignore[arg-type]
    guests = next(layer for layer in done["after"] if layer["name"] == "guests")
    assert [layer["name"] for layer in guests["children"]] == ["Harmonized: guest", "guest"]


def test_the_layer_remembers_how_it_was_made(done: dict[str, Any], weights: str) -> None:
    note = json.loads(done["layer"]["note"])
    assert note["arguments"]["weights"] == Path(weights).name
    assert str(Path(weights).parent) not in done["layer"]["note"]
    assert (note["arguments"]["seed"], note["result"]["seed"]) == (5, 5)
    assert (note["plug-in"], note["result"]["engine_version"]) == ("test", painterly_engine.__version__)
    assert len(note["result"]["network"]["sha256"]) == 64
    assert note["result"]["iterations"] == ITERATIONS
    assert sum(note["result"]["seconds"].values()) > 0
    assert note["layers"]["object"] > 0


def test_the_engine_outlives_gimp_and_serves_the_next_one(
    profile: Profile, done: dict[str, Any], pictures: Pictures, weights: str
) -> None:
    published = profile.runtime_dir / "engine.json"
    before = json.loads(published.read_text())
    again = profile.run(SCENE + HARMONIZE, timeout=4 * PATIENCE, **{**vars(pictures), "weights": weights})
    assert json.loads(published.read_text()) == before, "another engine was started"
    assert again["layer"]["rgba"] == done["layer"]["rgba"]


def test_a_gimp_whose_python_cannot_load_pyzmq_goes_through_the_bridge(
    gimp_house: GimpHouse, pictures: Pictures, weights: str
) -> None:
    """As on Windows, where PyPI's wheels do not fit GIMP's Python."""
    if not gimp_house.reaches_engine:
        pytest.skip("a GIMP in a plain chroot cannot start the engine outside it")
    with gimp_house.profile() as profile:
        blocked = profile.folder / "blocked" / "zmq"
        blocked.mkdir(parents=True)
        (blocked / "__init__.py").write_text("raise ImportError('made for another Python')")
        profile.environment["PYTHONPATH"] = str(blocked.parent)
        values = {**vars(pictures), "weights": weights}
        done = profile.run(SCENE + HARMONIZE, timeout=4 * PATIENCE, **values)
        assert done["status"] == "success", done["message"]
        with connect(profile.runtime_dir, timeout_s=60.0) as client:
            result = client.run(pictures.request(weights))
    assert done["layer"]["offsets"] == [result.x, result.y]
    assert _rgb(done["layer"]["rgba"]) == _rgb(bytes(result.picture.data))
