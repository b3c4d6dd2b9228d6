"""Whole training runs, as small as they come: reproducible, logged, and what comes out can be loaded."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
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
from painterly_engine.stylization import load_model
from painterly_engine.training import decoders, pictures, stylize
from painterly_engine.training.batches import batch_features
from painterly_engine.training.crops import Crops
from painterly_engine.training.distill import Plan, distill
from painterly_engine.training.pictures import gallery
from painterly_engine.training.teachers import LAYERS, Teacher
from support.failing import no_room


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


QUICK = ["--device", "cpu", "--decoder-steps", "2", "--pictures", "2", "--decoder-crop", "32"]


def train(teacher: Path, folder: Path, seed: int = 0) -> dict[str, str]:
    """SHA-256 by file of a run of two steps."""
    arguments = ["train-features", "--teacher", str(teacher), "-o", str(folder), "--seed", str(seed), *QUICK]
    threads = torch.get_num_threads()
    assert main([*arguments, "--steps", "2", "--crop", "32"]) == 0
    torch.set_num_threads(threads)
    return digests(folder)


def digests(folder: Path) -> dict[str, str]:
    return {file.name: store.file_sha256(file) for file in folder.glob("*.safetensors")}


@pytest.fixture(scope="module")
def trained(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of seed 0 left. Not to be written to."""
    folder = tmp_path_factory.mktemp("trained") / "once"
    train(teacher, folder)
    return folder


@pytest.fixture
def again(trained: Path, tmp_path: Path) -> Path:
    """The same to write to."""
    return Path(shutil.copytree(trained, tmp_path / "again"))


def test_the_same_seed_gives_the_same_files_and_another_does_not(teacher: Path, trained: Path, again: Path) -> None:
    first = digests(trained)
    assert sorted(first) == ["slim.safetensors", "slim_decoders.safetensors"]
    other = train(teacher, again, seed=1)
    assert not set(other.values()) & set(first.values())
    assert train(teacher, again) == first
    log = (again / "train.log").read_text()
    assert all(digest in log for digest in first.values()) and "feature/twin/Gram" in log
    assert not any(digest in log for digest in other.values()), "the log of the run before is still there"
    network = store.read_safetensors(trained / "slim.safetensors").network("slim")
    assert set(LAYERS) <= set(network.layers)
    assert set(load_decoders(trained / "slim_decoders.safetensors", network)) == {"relu3_1", "relu4_1"}


def test_the_passports_tell_of_files_teachers_and_photographs(teacher: Path, trained: Path) -> None:
    found = digests(trained)
    for name, digest in found.items():
        passport = store.Passport(**json.loads((trained / name.replace(".safetensors", ".json")).read_text()))
        assert passport.sha256 == digest
        assert passport.licence == "MIT; distilled from VGG-19 (CC BY 4.0)"
    notes = json.loads((trained / "slim.json").read_text())["notes"]
    photographs = ", ".join(file.name for file in pictures.photograph_files()) or "none"
    assert f"photographs: {photographs}; teachers: vgg {store.file_sha256(teacher)}" in notes
    assert json.loads((trained / "slim_decoders.json").read_text())["source_sha256"] == found["slim.safetensors"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_all_that_is_made_has_the_mode_of_any_new_file(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "new").touch()
    usual = stat.S_IMODE((tmp_path / "new").stat().st_mode)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in trained.iterdir()}
    assert len(modes) == 5 and set(modes.values()) == {usual}, modes


def test_a_disk_that_fills_during_a_training_is_said(
    teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"train-features --teacher {teacher} -o {tmp_path} {' '.join(QUICK)} --steps 1 --crop 32"
    threads = torch.get_num_threads()
    for room, file in ((100, "train.log"), (3000, "slim.safetensors")):
        with no_room(room):
            assert main(command.split()) == 1
        assert f"painterly: {tmp_path / file} cannot be written: File too large." in capsys.readouterr().err
    torch.set_num_threads(threads)


def test_decoders_by_themselves_are_those_of_the_whole_run(
    again: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (again / "train.log").read_text()
    (again / "slim_decoders.safetensors").unlink()
    threads = torch.get_num_threads()
    assert main(["train-decoders", "-o", str(again), *QUICK]) == 0
    torch.set_num_threads(threads)
    assert digests(again) == digests(trained)
    passport = "slim_decoders.json"
    assert (again / passport).read_text() == (trained / passport).read_text()
    log = (again / "train.log").read_text()
    assert log.startswith(before)
    begins = log[len(before) :].splitlines()[0]
    assert "train-decoders begins" in begins and digests(again)["slim.safetensors"] in begins
    assert f"copy all files of {again} to {store.built_in_dir()}" in capsys.readouterr().out.splitlines()[-1]


def stop(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("command", ["train-features --teacher {}", "train-decoders"])
def test_missing_photographs_are_told_before_pictures_are_made(
    teacher: Path, again: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setattr(pictures, "photograph_files", lambda: [Path("data/coins.png")])
    monkeypatch.setattr(pictures, "gallery", stop)
    threads = torch.get_num_threads()
    assert main([*command.format(teacher).split(), "-o", str(again)]) == 130
    torch.set_num_threads(threads)
    told = capsys.readouterr().out
    assert "WARNING: 12 of the photographs" in told and "will not be the shipped one" in told
    assert "pip install scikit-image scikit-learn" in told
    assert "WARNING: 12 of the photographs" in (again / "train.log").read_text()


def test_photographs_that_are_there_are_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, files in pictures.PHOTOGRAPHS.items():
        for file in files:
            path = tmp_path / package / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (tmp_path / package / "__init__.py").touch()
    for package in pictures.PHOTOGRAPHS:
        monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert pictures.missing_photographs() == []
    (tmp_path / "sklearn/datasets/images/china.jpg").unlink()
    assert pictures.missing_photographs() == ["china.jpg"]


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
    model, network = stylize.fit(statistics, levels.log(), stylize.CHOICES[0]), random_network(0)
    first, second = (stylize.save(model, tmp_path, network, "twelve levels") for _ in range(2))
    assert first == second and first.sha256 == store.file_sha256(tmp_path / "stylization.safetensors")
    assert first.source_sha256 == network.sha256
    assert "twelve levels" in (tmp_path / "stylization.json").read_text()


def test_no_painting_helps_to_judge_itself() -> None:
    generator = torch.Generator().manual_seed(1)
    statistics, logarithms = torch.randn(6, 4, generator=generator), torch.rand(6, generator=generator)
    by_layers = dict.fromkeys(stylize.LAYERS, statistics)
    before = stylize.judge(by_layers, logarithms, list("abcdef"))[2].estimated
    logarithms[2] = 2.3
    assert stylize.judge(by_layers, logarithms, list("abcdef"))[2].estimated == before


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Five pictures of noise with weights."""
    folder = tmp_path / "labelled"
    folder.mkdir()
    labels = {}
    for i in range(5):
        Image.effect_noise((40, 32), 20 + 20 * i).convert("RGB").save(folder / f"{i}.jpg")
        labels[str(i)] = {"genre": "Noise", "stylization_weight": 1.0 + i}
    (folder / "stylization.json").write_text(json.dumps(labels))
    return folder


def test_the_whole_stylization_command(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = random_network(0, 2, TORCHVISION)
    monkeypatch.setattr(store, "load_stored", lambda _: network)
    Image.effect_noise((40, 32), 50).convert("RGB").save(labelled / "17.jpg")  # nobody labelled it
    arguments = ["train-stylization", "--paintings", str(labelled), "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "nearest level right for" in told
    assert "fit only the network slim, " in told
    assert f"copy all files of {tmp_path / 'out'} to {store.built_in_dir()}" in told.splitlines()[-1]
    model = load_model(tmp_path / "out" / "stylization.safetensors")
    assert model.coefficients.shape == (stylize.WAVES,) and model.longest == stylize.LONGEST
    assert "by the features of" not in json.loads((tmp_path / "out" / "stylization.json").read_text())["notes"]


def test_the_estimator_can_be_fitted_to_the_network_just_trained(
    labelled: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = trained / "slim.safetensors"
    arguments = ["train-stylization", "--paintings", str(labelled), "--weights", str(weights), "-o"]
    assert main([*arguments, str(tmp_path / "out")]) == 0
    assert f"fit only the network {weights}, " in capsys.readouterr().out
    file = tmp_path / "out" / "stylization.safetensors"
    model = load_model(file)
    network = store.load_path(weights)
    widths = [len(network.get_buffer(f"{layer}_bias")) for layer in model.layers]
    assert len(model.mean) == 2 * sum(widths)
    passport = json.loads(file.with_suffix(".json").read_text())
    assert passport["source_sha256"] == store.file_sha256(weights) and passport["source_sha256"] in passport["notes"]
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(file.with_suffix(".json").stat().st_mode)


def test_an_estimator_that_finds_no_room_is_said(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with no_room():
        assert main(["train-stylization", "--paintings", str(labelled), "-o", str(tmp_path / "out")]) == 1
    assert "stylization.safetensors cannot be written: File too large." in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())
