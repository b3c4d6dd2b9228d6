"""Weight files: stored, checked at every load, refused with the command that repairs them."""

from __future__ import annotations

import functools
import json
import pickle
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from painterly_engine.cli.main import main
from painterly_engine.network import fetch, naming, store
from painterly_engine.network.features import CAFFE, VGG19_BLOCKS, random_network, vgg_steps
from painterly_engine.network.layouts import Recognised
from painterly_engine.network.shelf import AS_WIDE_AS_VGG, NetworkShelf, describe, fetch_by_name, resolve
from painterly_protocol.errors import ErrorCode, PainterlyError
from support.failing import caught, no_room


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAINTERLY_DATA_DIR", str(tmp_path))
    return tmp_path


def small(seed: int = 0) -> Recognised:
    network = random_network(seed, width=2)
    state = dict(network.named_buffers())
    convolutions = {layer: (state[f"{layer}_weight"], state[f"{layer}_bias"]) for layer in network.layers}
    return Recognised(convolutions, vgg_steps(VGG19_BLOCKS), CAFFE)


def keep(name: str = "vgg19", seed: int = 0) -> store.Passport:
    return store.store(name, small(seed), "https://example.org/x.pth", "ab" * 32, "CC BY 4.0")


def state_dict(seed: int = 0) -> dict[str, torch.Tensor]:
    names = {0: "relu1_1", 2: "relu1_2", 5: "relu2_1"}
    convolutions = small(seed).convolutions
    return {
        f"features.{number}.{kind}": convolutions[name][index]
        for number, name in names.items()
        for index, kind in enumerate(("weight", "bias"))
    }


def test_what_is_stored_comes_back_bit_for_bit() -> None:
    keep()
    image = torch.rand(3, 33, 40) * 256
    layers = ["relu1_1", "relu3_4", "relu5_1"]
    loaded = store.load_stored("vgg19")
    assert loaded.layout == CAFFE and loaded.sha256 == "ab" * 32 and loaded.name == "vgg19"
    expected, got = small().network("x")(image, layers), loaded(image, layers)
    assert all(torch.equal(expected[layer], got[layer]) for layer in layers)


def test_what_finds_no_room_leaves_the_file_of_before(tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    digest = store.save(file, small())
    with no_room(), pytest.raises(OSError, match="File too large"):
        store.save(file, small(1))
    assert store.file_sha256(file) == digest
    assert list(tmp_path.iterdir()) == [file]


def test_passport_holds_the_digest_of_the_file(data_dir: Path) -> None:
    passport = keep()
    assert passport == store.passport_of("vgg19") == store.verify("vgg19")
    assert passport.sha256 == store.file_sha256(data_dir / "weights" / "vgg19.safetensors")
    assert sorted(p.name for p in (data_dir / "weights").iterdir()) == ["vgg19.json", "vgg19.safetensors"]


@pytest.mark.parametrize("position", [10, 1000, -1])
def test_one_flipped_bit_is_refused_with_the_command_that_repairs_it(data_dir: Path, position: int) -> None:
    keep()
    file = data_dir / "weights" / "vgg19.safetensors"
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    for load in (store.load_stored, store.verify, NetworkShelf().get):
        with pytest.raises(PainterlyError) as caught:
            load("vgg19")
        assert caught.value.code is ErrorCode.WEIGHTS_CORRUPT
        assert "painterly weights fetch vgg19" in caught.value.advice


def test_a_damaged_built_in_network_is_refused_with_the_command_that_repairs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clone of our own that is damaged, and then the command run as it was told."""
    package = tmp_path / "a clone" / "weights"
    shutil.copytree(store.built_in_dir(), package)
    git = ["git", "-C", str(package), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "as shipped"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(store, "built_in_dir", lambda: package)
    file = package / "slim.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert main(["weights", "verify", "slim"]) == 1
    said = capsys.readouterr().err
    assert f"{file} is damaged" in said
    told = said[said.index("“") + 1 : said.index("”")]
    subprocess.run(shlex.split(told), check=True)
    assert main(["weights", "verify", "slim"]) == 0
    assert "as recorded" in capsys.readouterr().out


def test_the_built_in_network_is_listed_as_the_default_and_not_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list"]) == 0
    assert "used by default" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("slim"))
    assert main(["weights", "remove", "slim"]) == 1
    assert "part of the package" in capsys.readouterr().err
    assert store.is_stored("slim")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": "vgg19"}', "\0\0"])
def test_a_broken_passport_is_refused(data_dir: Path, content: str) -> None:
    keep()
    (data_dir / "weights" / "vgg19.json").write_text(content)
    with pytest.raises(PainterlyError) as caught:
        store.load_stored("vgg19")
    assert caught.value.code is ErrorCode.WEIGHTS_CORRUPT
    assert any(row.name == "vgg19" and row.source == "damaged" for row in describe())


def test_a_right_digest_over_a_wrong_file_is_refused(data_dir: Path) -> None:
    keep()
    file = data_dir / "weights" / "vgg19.safetensors"
    save_file({"x": torch.zeros(1)}, file)
    passport = json.loads(file.with_suffix(".json").read_text())
    file.with_suffix(".json").write_text(json.dumps(passport | {"sha256": store.file_sha256(file)}))
    with pytest.raises(PainterlyError) as caught:
        store.load_stored("vgg19")
    assert caught.value.code is ErrorCode.WEIGHTS_CORRUPT


def test_missing_network_says_how_to_get_it() -> None:
    with pytest.raises(PainterlyError) as caught:
        NetworkShelf().get("vgg16")
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING
    assert "painterly weights fetch vgg16" in caught.value.advice


def test_remove_deletes_network_and_leftovers(data_dir: Path) -> None:
    keep()
    (data_dir / "weights" / "vgg19.pth.part").write_bytes(b"half")
    assert len(store.remove("vgg19")) == 3
    assert list((data_dir / "weights").iterdir()) == []
    with pytest.raises(PainterlyError) as caught:
        store.remove("vgg19")
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING


@pytest.mark.parametrize("action", ["fetch", "verify", "remove"])
@pytest.mark.parametrize("name", ["../settings", "/etc/settings", "", "slim/", "nonsense"])
def test_only_networks_known_by_name_are_fetched_verified_or_removed(
    data_dir: Path, capsys: pytest.CaptureFixture[str], action: str, name: str
) -> None:
    """Names become files' names: no other file may be meant by one."""
    (data_dir / "weights").mkdir(parents=True)
    others = data_dir / "settings.json"
    others.write_text("mine")
    assert main(["weights", action, name]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("painterly: There is no network") and "vgg19, vgg16" in said.err and not said.out
    assert others.read_text() == "mine"


def test_the_built_in_network_is_not_removed() -> None:
    with pytest.raises(PainterlyError) as caught:
        store.remove("slim")
    assert caught.value.code is ErrorCode.BAD_REQUEST


def test_a_users_pth_by_path_has_its_digest_recorded(tmp_path: Path) -> None:
    file = tmp_path / "mine.pth"
    torch.save(state_dict(), file)
    network = NetworkShelf().get(str(file))
    assert network.name == "mine.pth" and network.sha256 == store.file_sha256(file)
    assert network.layers == ("relu1_1", "relu1_2", "relu2_1") and network.layout.name == "torchvision"


def test_a_layout_before_the_path_overrides(tmp_path: Path) -> None:
    file = tmp_path / "mine.pth"
    torch.save(state_dict(), file)
    assert NetworkShelf().get(f"caffe:{file}").layout == CAFFE


def test_safetensors_by_path_ours_and_others(tmp_path: Path) -> None:
    store.save(tmp_path / "ours.safetensors", small())
    save_file(state_dict(), tmp_path / "theirs.safetensors")
    assert store.load_path(tmp_path / "ours.safetensors").layout == CAFFE
    assert store.load_path(tmp_path / "theirs.safetensors").layout.name == "torchvision"


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("ran code from a weight file",))


def write_evil(path: Path) -> None:
    path.write_bytes(pickle.dumps({"features.0.weight": Evil()}))


def write_text(path: Path) -> None:
    path.write_text("<html>404</html>")


def write_cut(path: Path) -> None:
    torch.save(state_dict(), path)
    path.write_bytes(path.read_bytes()[:-500])


def write_list(path: Path) -> None:
    torch.save([1, 2], path)


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("write", [write_evil, write_text, write_cut, write_list, write_nothing])
def test_damaged_files_by_path_are_refused(
    tmp_path: Path, write: object, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"bad{suffix}"
    write(file)  # type: ignore[operator]
    with pytest.raises(PainterlyError) as caught:
        store.load_path(file)
    assert caught.value.code is ErrorCode.WEIGHTS_CORRUPT
    assert "ran code" not in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_a_network_or_a_sentence(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    """Of noise, text and good files with a few bytes changed or cut off."""
    file = tmp_path / f"any{suffix}"
    good = _good_bytes(suffix)
    if data.draw(st.booleans()):
        noise = data.draw(st.binary(max_size=200))
    else:
        spoilt = bytearray(good)
        for spot in data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=4)):
            spoilt[spot] = data.draw(st.integers(0, 255))
        noise = bytes(spoilt[: data.draw(st.integers(0, len(good)))])
    file.write_bytes(noise)
    try:
        store.load_path(file)
    except PainterlyError as error:
        assert error.code in (ErrorCode.WEIGHTS_CORRUPT, ErrorCode.UNREADABLE_FILE)
        assert error.advice


@functools.cache
def _good_bytes(suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"good{suffix}"
        if suffix == ".pth":
            torch.save(state_dict(), file)
        else:
            save_file(state_dict(), file)
        return file.read_bytes()


def test_text_that_means_something_to_an_unpickler_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    file.write_text("root:x:0:0:root:/root:/bin/bash\n")
    with pytest.raises(PainterlyError) as caught:
        store.load_path(file)
    assert caught.value.code is ErrorCode.WEIGHTS_CORRUPT


def test_no_file_at_the_path(tmp_path: Path) -> None:
    with pytest.raises(PainterlyError) as caught:
        NetworkShelf().get(str(tmp_path / "none.pth"))
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING


def test_the_last_network_stays_warm_until_its_file_changes() -> None:
    keep()
    shelf = NetworkShelf()
    first = shelf.get("vgg19")
    assert shelf.get("vgg19") is first
    assert not any(b.requires_grad for b in first.buffers())
    keep(seed=5)
    second = shelf.get("vgg19")
    assert second is not first
    assert not torch.equal(first.get_buffer("relu1_1_weight"), second.get_buffer("relu1_1_weight"))


def test_auto_prefers_vgg19_then_the_built_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    built_in = tmp_path / "package"
    monkeypatch.setattr(store, "built_in_dir", lambda: built_in)
    store.store_in(built_in, "slim", small(), "trained here", "", "MIT")
    assert resolve("auto") == "slim" and NetworkShelf().get("auto").name == "slim"
    keep("vgg19")
    assert resolve("auto") == "vgg19"


@pytest.mark.parametrize("lost", ["slim.json", "slim.safetensors"])
def test_a_package_that_lost_its_network_says_how_to_get_it_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: str
) -> None:
    """Never noise from random weights, nor a download where there may be no network."""
    monkeypatch.setattr(store, "built_in_dir", lambda: tmp_path)
    store.store_in(tmp_path, "slim", small(), "trained here", "", "MIT")
    (tmp_path / lost).unlink()
    with pytest.raises(PainterlyError) as caught:
        NetworkShelf().get("auto")
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING and str(tmp_path / lost) in str(caught.value)
    assert caught.value.advice == store.repair_built_in()
    assert next(row for row in describe() if row.name == "slim").stored is False


@pytest.mark.parametrize("name", store.MADE_FOR_SLIM)
def test_what_was_made_for_another_network_than_the_built_in_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    package = shutil.copytree(store.built_in_dir(), tmp_path / "weights")
    monkeypatch.setattr(store, "built_in_dir", lambda: package)
    store.verify(name)
    store.store_in(package, "slim", small(), "trained here", "", "MIT")
    with caught(ErrorCode.WEIGHTS_CORRUPT) as refused:
        store.verify(name)
    assert f"{name}.safetensors was made for another network than slim" in refused.value.sentence
    assert refused.value.advice == store.repair_built_in()


def test_the_names_told_without_torch_are_those_that_are_known() -> None:
    assert set(naming.NAMES) == {naming.AUTO, naming.RANDOM, *AS_WIDE_AS_VGG, *store.BUILT_IN, *fetch.PUBLISHED}
    code = "import sys, painterly_engine.network.naming; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_list_shows_built_in_and_fetchable() -> None:
    keep("vgg16")
    rows = {row.name: row for row in describe()}
    assert set(rows) == {"slim", "vgg19", "vgg16"}
    assert rows["vgg16"].stored and rows["vgg16"].size > 0 and not rows["vgg19"].stored
    assert rows["vgg19"].source.startswith("https://")


def test_only_published_networks_are_fetched() -> None:
    with pytest.raises(PainterlyError) as caught:
        fetch_by_name("resnet")
    assert caught.value.code is ErrorCode.BAD_REQUEST
