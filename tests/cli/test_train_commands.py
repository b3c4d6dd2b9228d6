"""``painterly train-…`` and ``evaluate-features`` before the work begins: mistakes are said at once, in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from painterly_engine.cli.main import main
from painterly_engine.network import store
from painterly_engine.network.features import TORCHVISION, random_network
from painterly_engine.network.layouts import Recognised
from painterly_engine.training import pictures


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a teacher to relu3_1, files that are none and paintings; no pictures may be made there."""

    def made(*_: object) -> None:
        pytest.fail("pictures were made before the mistake was seen")

    monkeypatch.setattr(pictures, "gallery", made)
    monkeypatch.chdir(tmp_path)
    network = random_network(0, 2, TORCHVISION, (2, 2, 1))
    convolutions = {
        layer: (network.get_buffer(f"{layer}_weight"), network.get_buffer(f"{layer}_bias")) for layer in network.layers
    }
    store.save(Path("short.safetensors"), Recognised(convolutions, network.steps, TORCHVISION))
    Path("text.pth").write_text("No weights are here.\n")
    Path("file").touch()
    Path("empty").mkdir()
    paint("plain", 5)
    return tmp_path


def paint(folder: str, count: int, size: tuple[int, int] = (48, 40)) -> Path:
    """A folder of numbered paintings and their weights."""
    Path(folder).mkdir()
    for number in range(count):
        Image.effect_noise(size, 20 + 20 * number).convert("RGB").save(Path(folder, f"{number}.jpg"))
    labels = {str(number): {"genre": "Noise", "stylization_weight": 1.0 + number} for number in range(count)}
    Path(folder, "stylization.json").write_text(json.dumps(labels))
    return Path(folder)


def refused(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence that the command ends with, which must be one, with advice."""
    assert main(command.split()) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("painterly: ") and told.err.count("\n") == 1
    assert told.err.count(". ") >= 1, "no advice"
    return told.err


FEATURES = "train-features --teacher short.safetensors -o out"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("train-features --teacher no.pth -o out", "There is no file of weights at no.pth"),
        (f"{FEATURES} --deep-teacher no.pth", "There is no file of weights at no.pth"),
        (f"{FEATURES} --deep-teacher text.pth", "text.pth is damaged"),
        (f"{FEATURES} --deep-teacher short.safetensors", "short.safetensors is no compressed VGG-19"),
        (FEATURES, "short.safetensors has no relu4_1, relu5_1"),
        ("train-decoders -o empty", "There is no slim.safetensors in empty"),
        ("train-decoders -o no", "There is no slim.safetensors in no"),
        ("train-stylization --paintings no -o out", "There is no file no/stylization.json"),
        ("train-stylization --paintings file -o out", "There is no file file/stylization.json"),
        ("train-stylization --paintings plain -o out --weights no.pth", "There is no file of weights at no.pth"),
        ("train-stylization --paintings plain -o out --weights short.safetensors", "has no relu4_1, relu5_1"),
        ("train-stylization --paintings plain -o file", "file cannot be written"),
        ("train-stylization --paintings plain -o file/below", "below cannot be written"),
        ("evaluate-features --teacher no.pth --deep-teacher text.pth --paintings plain", "There is no file of weights"),
    ],
)
def test_a_mistake_is_said_at_once(here: Path, capsys: pytest.CaptureFixture[str], command: str, sentence: str) -> None:
    assert sentence in refused(command, capsys)
    assert not (here / "out").exists() and not (here / "no").exists()


@pytest.mark.parametrize("output", ["file", "file/below"])
def test_a_network_is_not_trained_for_a_folder_that_cannot_be_written(
    here: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    network = random_network(0, 2, TORCHVISION)
    convolutions = {
        layer: (network.get_buffer(f"{layer}_weight"), network.get_buffer(f"{layer}_bias")) for layer in network.layers
    }
    store.save(here / "whole.safetensors", Recognised(convolutions, network.steps, TORCHVISION))
    assert f"{output} cannot be written" in refused(f"train-features --teacher whole.safetensors -o {output}", capsys)


@pytest.mark.parametrize("command", [FEATURES, "train-decoders -o empty"])
def test_a_card_that_is_not_there_is_said_at_once(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "“cuda” was asked for" in refused(f"{command} --device cuda", capsys)
    assert not (here / "out").exists()


def test_decoders_are_trained_for_no_network_but_a_whole_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = store.read_safetensors(here / "short.safetensors")
    store.save(here / "one/slim.safetensors", found)
    assert "There is no slim.json in one" in refused("train-decoders -o one", capsys)
    store.store_in(here / "two", "slim", found, "", "", "")
    assert "is damaged" in refused("train-decoders -o two", capsys)  # it stops before relu4_1
    store.store_in(here / "three", "slim", found, "", "", "")
    (here / "three/slim.safetensors").write_bytes(b"other bytes")
    assert "is damaged" in refused("train-decoders -o three", capsys)
    assert not list(here.rglob("train.log"))


def spoil_painting(folder: Path) -> None:
    (folder / "2.jpg").write_bytes(b"no picture")


def lose_painting(folder: Path) -> None:
    (folder / "2.jpg").unlink()


def narrow_painting(folder: Path) -> None:
    Image.new("RGB", (400, 4)).save(folder / "2.jpg")


def spoil_labels(folder: Path) -> None:
    (folder / "stylization.json").write_text('{"0": 3, "1": {"genre": "Noise"}}')


def name_no_number(folder: Path) -> None:
    (folder / "stylization.json").write_text('{"night": {"genre": "Noise", "stylization_weight": 1}}')


def weigh_nothing(folder: Path) -> None:
    labels = json.loads((folder / "stylization.json").read_text())
    labels["0"]["stylization_weight"] = 0
    (folder / "stylization.json").write_text(json.dumps(labels))


def keep_three(folder: Path) -> None:
    labels = json.loads((folder / "stylization.json").read_text())
    (folder / "stylization.json").write_text(json.dumps(dict(list(labels.items())[:3])))


@pytest.mark.parametrize(
    ("mishap", "sentence"),
    [
        (spoil_painting, "The painting plain/2.jpg cannot be read"),
        (lose_painting, "There is no painting plain/2.jpg"),
        (narrow_painting, "The painting plain/2.jpg is too narrow"),
        (spoil_labels, "does not give every painting's genre"),
        (name_no_number, "does not give every painting's genre"),
        (weigh_nothing, "is not above 0"),
        (keep_three, "names 3 paintings, and 4 are the fewest"),
    ],
)
def test_a_painting_or_label_that_will_not_do_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], mishap: object, sentence: str
) -> None:
    mishap(Path("plain"))  # type: ignore[operator]
    assert sentence in refused("train-stylization --paintings plain -o out", capsys)
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("--steps 0", "whole number from 1 on"),
        ("--steps -3", "whole number from 1 on"),
        ("--steps many", "whole number from 1 on"),
        ("--decoder-steps 0", "whole number from 1 on"),
        ("--pictures 0", "whole number from 1 on"),
        ("--crop 33", "multiple of 16, from 32 on"),
        ("--crop 16", "whole number from 32 on"),
        ("--decoder-crop 20", "multiple of 16, from 16 on"),
        ("--threads 0", "whole number from 1 to"),
        ("--seed -1", "whole number from 0 to"),
        ("--device toaster", "invalid choice: 'toaster'"),
    ],
)
def test_numbers_that_no_run_can_have_are_wrong_usage(
    here: Path, capsys: pytest.CaptureFixture[str], options: str, wanted: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*FEATURES.split(), *options.split()])
    assert stopped.value.code == 2 and wanted in capsys.readouterr().err
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("command", "defaults"),
    [
        ("train-features", "12000 96 0 6000 600 64 cpu 1"),
        ("train-decoders", "0 6000 600 64 cpu 1"),
        ("train-stylization", "slim"),
        ("evaluate-features", "slim 256 2"),
    ],
)
def test_the_help_shows_every_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, defaults: str
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = capsys.readouterr().out
    shown = [part.partition(")")[0] for part in told.split("(default: ")[1:]]
    assert sorted(shown) == sorted(defaults.split())
    assert "FOLDER" in told


def test_paintings_to_judge_a_network_on_must_be_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = lifted_state()
    torch.save({"model": state}, here / "deep.pth")
    judge = "evaluate-features --teacher short.safetensors --deep-teacher deep.pth --paintings"
    assert "There is no folder no" in refused(f"{judge} no", capsys)
    assert "empty holds 0 numbered paintings" in refused(f"{judge} empty", capsys)
    narrow_painting(Path("plain"))
    assert "The painting plain/2.jpg is too narrow" in refused(f"{judge} plain", capsys)


def lifted_state() -> dict[str, torch.Tensor]:
    """A compressed VGG-19 of one channel, to relu5_1, as its file has it."""
    names = [f"conv{block}{one}" for block, many in enumerate((2, 2, 4, 4, 1), 1) for one in range(1, many + 1)]
    state = {"conv0.weight": torch.eye(3)[:, :, None, None], "conv0.bias": torch.zeros(3)}
    for number, name in enumerate(names):
        state[f"{name}.weight"] = torch.ones(1, 1 if number else 3, 3, 3)
        state[f"{name}.bias"] = torch.zeros(1)
    for block in range(1, 6):
        state[f"conv{block}1_aux.weight"], state[f"conv{block}1_aux.bias"] = torch.ones(2, 1, 1, 1), torch.zeros(2)
    return state
