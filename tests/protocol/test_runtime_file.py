"""The runtime file and its folder: owner-only or not trusted, whole or not there."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from painterly_protocol import paths, runtime
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import PROTOCOL_VERSION
from painterly_protocol.runtime import RuntimeInfo

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners and modes")

INFO = RuntimeInfo("tcp://127.0.0.1:5", 42, PROTOCOL_VERSION, "1.2.3", "server", "public", "secret")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return paths.make_private(tmp_path / "deep" / "run")


def code_of(folder: Path) -> ErrorCode:
    with pytest.raises(PainterlyError) as caught:
        runtime.read(folder)
    assert caught.value.sentence
    return caught.value.code


def test_what_is_published_is_read(folder: Path) -> None:
    runtime.publish(folder, INFO)
    assert runtime.read(folder) == INFO


def test_folder_and_file_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = paths.make_private(tmp_path / "run")
        runtime.publish(folder, INFO)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / runtime.RUNTIME_FILE).stat().st_mode & 0o777 == 0o600


def test_publishing_leaves_nothing_but_the_file_and_replaces_it(folder: Path) -> None:
    runtime.publish(folder, INFO)
    successor = replace(INFO, pid=43)
    runtime.publish(folder, successor)
    assert [file.name for file in folder.iterdir()] == [runtime.RUNTIME_FILE]
    assert runtime.read(folder) == successor


def test_the_secret_is_in_no_repr() -> None:
    assert "'secret'" not in repr(INFO)


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o777, 0o720])
def test_an_open_folder_is_neither_read_nor_written(folder: Path, mode: int) -> None:
    runtime.publish(folder, INFO)
    folder.chmod(mode)
    assert code_of(folder) is ErrorCode.UNSAFE_FOLDER
    with pytest.raises(PainterlyError) as caught:
        runtime.publish(folder, INFO)
    assert caught.value.code is ErrorCode.UNSAFE_FOLDER
    with pytest.raises(PainterlyError):
        paths.make_private(folder)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_an_open_file_is_not_trusted(folder: Path, mode: int) -> None:
    runtime.publish(folder, INFO)
    (folder / runtime.RUNTIME_FILE).chmod(mode)
    assert code_of(folder) is ErrorCode.UNSAFE_FOLDER


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", [".", runtime.RUNTIME_FILE])
def test_another_users_folder_or_file_is_not_trusted(folder: Path, name: str) -> None:
    runtime.publish(folder, INFO)
    os.chown(folder / name, 12345, 12345)
    assert code_of(folder) is ErrorCode.UNSAFE_FOLDER


def test_a_link_in_the_files_place_is_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = paths.make_private(tmp_path / "elsewhere")
    runtime.publish(elsewhere, INFO)
    (folder / runtime.RUNTIME_FILE).symlink_to(elsewhere / runtime.RUNTIME_FILE)
    assert code_of(folder) is ErrorCode.ENGINE_ABSENT


def test_no_folder_and_no_file_mean_no_engine(tmp_path: Path, folder: Path) -> None:
    assert code_of(tmp_path / "nowhere") is ErrorCode.ENGINE_ABSENT
    assert code_of(folder) is ErrorCode.ENGINE_ABSENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"endpoint": "tcp://127.0.0.1:5"}',
        json.dumps({**asdict(INFO), "pid": "42"}),
        json.dumps({**asdict(INFO), "pid": True}),
        json.dumps({**asdict(INFO), "endpoint": None}),
        json.dumps({**asdict(INFO), "more": 1}),
        json.dumps({**asdict(INFO), "protocol_version": "1"}),
        "[" * 100_000,
        " " * (runtime.MAX_BYTES + 1),
        "\udcff\udcfe",
    ],
)
def test_a_damaged_file_means_no_engine(folder: Path, text: str) -> None:
    runtime.publish(folder, INFO)
    (folder / runtime.RUNTIME_FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert code_of(folder) is ErrorCode.ENGINE_ABSENT


@pytest.mark.parametrize("version", [0, 1, 99])
def test_another_protocol_is_said_whatever_else_its_file_holds(folder: Path, version: int) -> None:
    runtime.publish(folder, INFO)
    (folder / runtime.RUNTIME_FILE).write_text(json.dumps({"protocol_version": version, "novelty": [1]}))
    assert code_of(folder) is ErrorCode.VERSION_MISMATCH


def test_withdrawing_removes_our_file_only(folder: Path) -> None:
    runtime.publish(folder, INFO)
    runtime.withdraw(folder, replace(INFO, pid=43))
    assert runtime.read(folder) == INFO
    runtime.withdraw(folder, INFO)
    assert code_of(folder) is ErrorCode.ENGINE_ABSENT
    runtime.withdraw(folder, INFO)


def test_an_unwritable_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PainterlyError) as caught:
        paths.make_private(tmp_path / "file" / "run")
    assert caught.value.code is ErrorCode.UNSAFE_FOLDER
    assert "PAINTERLY_RUNTIME_DIR" in caught.value.advice
    assert "PAINTERLY_LOG_DIR" in caught.value.advice


def test_an_ipc_address_follows_the_folder_and_cannot_leave_it() -> None:
    inside = replace(INFO, endpoint="ipc://engine-1.sock")
    assert inside.address(Path("/seen/elsewhere")) == "ipc:///seen/elsewhere/engine-1.sock"
    outside = replace(INFO, endpoint="ipc:///tmp/../other/engine-1.sock")
    assert outside.address(Path("/run")) == "ipc:///run/engine-1.sock"
    assert INFO.address(Path("/run")) == "tcp://127.0.0.1:5"
    assert INFO.socket_file(Path("/run")) is None


# ---------------------------------------------------------------- where things are


def test_everything_is_in_one_home_folder_whatever_a_sandbox_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNTIME", "DATA", "LOG"):
        monkeypatch.delenv(f"PAINTERLY_{name}_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_DATA_HOME", "/home/ada/.var/app/org.gimp.GIMP/data")
    base = Path("/home/ada/.local/share/painterly-harmonize")
    assert paths.runtime_dir() == base / "run"
    assert paths.data_dir() == base / "data"
    assert paths.log_dir() == base / "log"
    monkeypatch.setenv("HOME", "/home/ada/snap/gimp/1")
    monkeypatch.setenv("SNAP_REAL_HOME", "/home/ada")
    assert paths.runtime_dir() == base / "run"


def test_each_folder_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, where in (
        ("RUNTIME", paths.runtime_dir),
        ("DATA", paths.data_dir),
        ("LOG", paths.log_dir),
    ):
        monkeypatch.setenv(f"PAINTERLY_{name}_DIR", f"/elsewhere/{name}")
        assert where() == Path(f"/elsewhere/{name}")
