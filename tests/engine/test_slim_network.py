"""The network that ships with the package."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from painterly_engine.instant.decoder import load_decoders
from painterly_engine.network import store
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.network.shelf import NetworkShelf, resolve
from painterly_engine.training import evaluate, pictures, teachers

LIMIT = 4_000_000
FILES = ("slim", "slim_decoders", "stylization")
SPECKLED = ["relu1_1", "relu2_1", "relu3_1"]


@pytest.fixture(scope="module")
def slim() -> FeatureNetwork:
    return store.load_stored("slim")


@pytest.fixture(scope="module")
def made() -> list[Tensor]:
    """Pictures by procedure that the network was not trained on."""
    rng = np.random.default_rng(2026)
    found = [maker(rng, 128) for maker in pictures.MAKERS for _ in range(2)]
    return [torch.from_numpy(picture.transpose(2, 0, 1).copy()) for picture in found]


@pytest.mark.parametrize("name", FILES)
def test_small_enough_and_as_its_passport_says(name: str) -> None:
    file = store.built_in_dir() / f"{name}.safetensors"
    assert file.stat().st_size <= LIMIT
    store.verify(name)


def test_it_has_every_layer_that_the_passes_read(slim: FeatureNetwork) -> None:
    assert {f"relu{block}_1" for block in range(1, 6)} <= set(slim.layers)
    assert slim.layout.name == "slim"
    assert all(bool(torch.isfinite(buffer).all()) for buffer in slim.buffers())


def test_no_channel_is_dead_on_made_pictures(slim: FeatureNetwork, made: list[Tensor]) -> None:
    for row in evaluate.activity(slim, made):
        assert row.dead == 0, row


def test_mean_activations_are_near_one_on_made_pictures(slim: FeatureNetwork, made: list[Tensor]) -> None:
    for row in evaluate.activity(slim, made):
        assert 0.5 < row.mean < 2, row


@pytest.fixture(scope="module")
def compressed(shared: Path) -> FeatureNetwork:
    """The network to beat."""
    return teachers.full(shared / "weights" / "slim_vgg19_teacher.pth").network


def test_no_channel_is_dead_on_the_reference_paintings(
    slim: FeatureNetwork, compressed: FeatureNetwork, shared: Path
) -> None:
    paintings = evaluate.paintings(shared / "paintings", 256)
    ours = evaluate.activity(slim, paintings)
    assert all(row.dead == 0 and 0.9 < row.mean < 1.9 and row.least > 0.1 for row in ours), ours
    assert sum(row.dead for row in evaluate.activity(compressed, paintings[::5])) > 100


def test_textures_are_less_speckled_than_with_the_compressed_teacher(
    slim: FeatureNetwork, compressed: FeatureNetwork, shared: Path
) -> None:
    texture = evaluate.centre(evaluate.paintings(shared / "paintings", 256)[1], 64)
    ours, theirs = (
        evaluate.fine_energy(evaluate.synthesize(network, texture, SPECKLED, 60, 0)) / evaluate.fine_energy(texture)
        for network in (slim, compressed)
    )
    assert 0.5 < ours < 2 and theirs > 4 * ours


def test_a_texture_synthesis_has_no_more_speckle_than_its_texture(slim: FeatureNetwork) -> None:
    texture = torch.from_numpy(pictures.clouds(np.random.default_rng(7), 64).transpose(2, 0, 1).copy())
    made = evaluate.synthesize(slim, texture, ["relu1_1", "relu2_1"], 60, 0)
    assert evaluate.fine_energy(made) < 3 * evaluate.fine_energy(texture)


def unexplained(slim: FeatureNetwork, layer: str, pictures: list[Tensor]) -> float:
    """Squared error of a decoder over all pictures, relative to giving back each one's mean colour."""
    decoder = load_decoders(store.built_in_dir() / "slim_decoders.safetensors", slim)[layer]
    wrong = flat = 0.0
    for picture in pictures:
        given = decoder(evaluate.features_of(slim, picture, [layer])[layer][None])[0]
        wrong += float((given - picture).square().sum())
        flat += float((picture - picture.mean((1, 2), keepdim=True)).square().sum())
    return wrong / flat


def test_the_decoder_of_relu3_1_gives_made_pictures_back(slim: FeatureNetwork, made: list[Tensor]) -> None:
    assert unexplained(slim, "relu3_1", made) < 0.3


@pytest.mark.parametrize(("layer", "most"), [("relu3_1", 0.25), ("relu4_1", 0.56)])
def test_decoders_give_paintings_back(slim: FeatureNetwork, shared: Path, layer: str, most: float) -> None:
    found = evaluate.paintings(shared / "paintings", 256)[::5]
    whole = [image[:, : image.shape[1] // 8 * 8, : image.shape[2] // 8 * 8] for image in found]
    assert unexplained(slim, layer, whole) < most


def test_auto_is_the_built_in_network_where_nothing_was_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAINTERLY_DATA_DIR", str(tmp_path))
    assert resolve("auto") == "slim"
    assert NetworkShelf().get("auto").name == "slim"


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(folder)]
    subprocess.run([*command, str(repository)], check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.long
def test_the_wheel_contains_the_weights(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for name in FILES:
        assert {f"painterly_engine/weights/{name}{end}" for end in (".safetensors", ".json")} <= names


OFFLINE = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        print("ASKED", event, file=sys.stderr)
        raise OSError("there is no network")

sys.addaudithook(refuse)
import painterly_engine
from painterly_engine.cli.main import main
print(painterly_engine.__file__)
sys.exit(main(sys.argv[1:]))
"""


def harmonized_offline(packages: Path, examples: Path, folder: Path, preset: str) -> None:
    """A whole run as a user's first, in a process that is denied every connection and has fetched nothing."""
    command = [sys.executable, "-c", OFFLINE, "harmonize", "--inline", "--painting", str(examples / "terrace.jpg")]
    command += ["--object", str(examples / "coffee.png"), "--at", "340,278", "--preset", preset, "--size", "96"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAINTERLY_")}
    environment |= {"PYTHONPATH": str(packages), "PAINTERLY_DATA_DIR": str(folder / "data"), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [*command, *(["--iterations", "3"] if preset != "instant" else []), "-o", str(folder / "out.png")],
        env=environment, cwd=folder, check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0 and "ASKED" not in ran.stderr, ran.stderr
    assert ran.stdout.startswith(str(packages)) and "network slim (relu1_1 to relu5_1)" in ran.stdout
    assert ("stylization" in ran.stdout) == ("estimated from the painting" in ran.stdout) == (preset != "instant")
    assert np.asarray(Image.open(folder / "out.png").convert("RGB")).std() > 10
    assert not list((folder / "data").rglob("*.safetensors")), "nothing was fetched"


def test_a_run_with_no_network_at_all(repository: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in ("engine/painterly_engine", "protocol/painterly_protocol"):
        (packages / Path(name).name).symlink_to(repository / name)
    harmonized_offline(packages, repository / "examples", tmp_path, "published")


@pytest.mark.long
@pytest.mark.parametrize("preset", ["instant", "draft", "published"])
def test_a_run_of_the_wheel_with_no_network_at_all(wheel: Path, repository: Path, tmp_path: Path, preset: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "packages")
    harmonized_offline(tmp_path / "packages", repository / "examples", tmp_path, preset)
