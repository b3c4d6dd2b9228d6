"""Whole training runs, as small as they come: reproducible, logged, and what comes out can be loaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from painterly_engine.cli.main import main
from painterly_engine.instant.decoder import load_decoders
from painterly_engine.network import store
from painterly_engine.network.features import TORCHVISION, VGG19_BLOCKS, random_network
from painterly_engine.network.layouts import Recognised
from painterly_engine.training import decoders, stylize
from painterly_engine.training.batches import batch_features
from painterly_engine.training.crops import Crops
from painterly_engine.training.distill import Plan, distill
from painterly_engine.training.pictures import gallery
from painterly_engine.training.teachers import LAYERS, Teacher


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow VGG-19 of random weights to relu5_1."""
    network = random_network(0, 4, TORCHVISION, (*VGG19_BLOCKS[:4], 1))
    convolutions = {
        layer: (network.get_buffer(f"{layer}_weight"), network.get_buffer(f"{layer}_bias")) for layer in network.layers
    }
    file = tmp_path_factory.mktemp("teacher") / "vgg.safetensors"
    store.save(file, Recognised(convolutions, network.steps, TORCHVISION))
    return file


def train(teacher: Path, folder: Path, seed: int = 0) -> dict[str, str]:
    """SHA-256 by file of a run of two steps."""
    arguments = ["train-features", "--teacher", str(teacher), "-o", str(folder), "--seed", str(seed), "--device", "cpu"]
    arguments += ["--steps", "2", "--decoder-steps", "2", "--pictures", "2", "--crop", "32", "--decoder-crop", "32"]
    assert main(arguments) == 0
    return {file.name: store.file_sha256(file) for file in folder.glob("*.safetensors")}


def test_the_same_seed_gives_the_same_files_and_another_does_not(teacher: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    first, second = train(teacher, tmp_path / "a"), train(teacher, tmp_path / "b")
    assert sorted(first) == ["slim.safetensors", "slim_decoders.safetensors"]
    assert first == second
    assert train(teacher, tmp_path / "c", seed=1) != first
    log = (tmp_path / "a" / "train.log").read_text()
    assert all(digest in log for digest in first.values()) and "feature/twin/Gram" in log
    for name, digest in first.items():
        passport = json.loads((tmp_path / "a" / name.replace(".safetensors", ".json")).read_text())
        assert passport["sha256"] == digest
    network = store.read_safetensors(tmp_path / "a" / "slim.safetensors").network("slim")
    assert set(LAYERS) <= set(network.layers)
    assert set(load_decoders(tmp_path / "a" / "slim_decoders.safetensors", network)) == {"relu3_1", "relu4_1"}
    torch.set_num_threads(threads)


def test_a_short_teacher_alone_is_refused_in_a_sentence(
    teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = store.read_safetensors(teacher)
    short = {layer: found.convolutions[layer] for layer in list(found.convolutions)[:5]}
    store.save(tmp_path / "short.safetensors", Recognised(short, found.steps[:7], TORCHVISION))
    arguments = ["--teacher", str(tmp_path / "short.safetensors"), "-o", str(tmp_path / "out")]
    assert main(["train-features", *arguments]) == 1
    assert "has no relu4_1, relu5_1" in capsys.readouterr().err


def test_learning_lowers_the_error(teacher: Path) -> None:
    torch.manual_seed(0)
    network = store.read_safetensors(teacher).network("vgg")
    lines: list[str] = []
    plan = Plan(steps=60, chunk=16, rehearsals=8)
    crops = Crops(gallery(0, 2, 64), 32)
    distill(crops, [Teacher(network, LAYERS, {})], plan, torch.device("cpu"), lines.append)

    def errors(line: str) -> list[float]:
        return [float(part.split("/")[0]) for part in line.split("error")[1].split()[1::2]]

    assert sum(errors(lines[-1])) < 0.8 * sum(errors(lines[0]))


def test_decoders_learn_to_give_pictures_back() -> None:
    lines: list[str] = []
    network = random_network(0, 8, TORCHVISION, (2, 2, 3, 1))
    crops = Crops(gallery(0, 2, 64), 32)
    plan = Plan(steps=151, crops=4, rate=1e-3)
    learnt = decoders.train_decoders(crops, network, plan, torch.device("cpu"), lines.append)["relu3_1"]
    images = crops.draw(np.random.default_rng(9), 32)
    with torch.no_grad():
        given = learnt(batch_features(network, images, ["relu3_1"])["relu3_1"])
    assert float((given - images).square().mean()) < 0.5 * float(images.var())
    assert "decoder step   150" in lines[-1]


def test_the_stylization_model_learns_what_can_be_learnt(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    levels = torch.tensor([1.0, 5.0, 10.0]).repeat(4)
    statistics = torch.randn(12, 6, generator=generator) * 0.3 + levels.log()[:, None]
    names = [str(i) for i in range(12)]
    by_layers = dict.fromkeys(stylize.LAYERS, statistics)
    rows = stylize.judge(by_layers, levels.log(), names)
    assert sum(row.right for row in rows) >= 10
    noise = dict.fromkeys(stylize.LAYERS, torch.randn(12, 6, generator=generator))
    assert sum(row.right for row in stylize.judge(noise, levels.log(), names)) <= 8
    model = stylize.fit(statistics, levels.log(), stylize.CHOICES[0])
    first, second = (stylize.save(model, tmp_path, "twelve levels") for _ in range(2))
    assert first == second and first.sha256 == store.file_sha256(tmp_path / "stylization.safetensors")
    assert "twelve levels" in (tmp_path / "stylization.json").read_text()


def test_no_painting_helps_to_judge_itself() -> None:
    generator = torch.Generator().manual_seed(1)
    statistics, logarithms = torch.randn(6, 4, generator=generator), torch.rand(6, generator=generator)
    by_layers = dict.fromkeys(stylize.LAYERS, statistics)
    before = stylize.judge(by_layers, logarithms, list("abcdef"))[2].estimated
    logarithms[2] = 2.3
    assert stylize.judge(by_layers, logarithms, list("abcdef"))[2].estimated == before


def test_the_whole_stylization_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = random_network(0, 2, TORCHVISION)
    monkeypatch.setattr(store, "load_stored", lambda _: network)
    labels = {}
    for i in range(5):
        Image.effect_noise((40, 32), 20 + 20 * i).convert("RGB").save(tmp_path / f"{i}.jpg")
        labels[str(i)] = {"genre": "Noise", "stylization_weight": 1.0 + i}
    (tmp_path / "stylization.json").write_text(json.dumps(labels))
    arguments = ["train-stylization", "--paintings", str(tmp_path), "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "nearest level right for" in capsys.readouterr().out
    from painterly_engine.stylization import load_model

    model = load_model(tmp_path / "out" / "stylization.safetensors")
    assert model.coefficients.shape == (stylize.WAVES,) and model.longest == stylize.LONGEST
