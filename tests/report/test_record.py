"""What is kept of a run: everything comes back, damage is told, nothing of the user's is written over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageCms

from painterly_engine.report import record
from painterly_protocol.errors import ErrorCode
from support.failing import caught
from support.records import a_record


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    record.save(a_record(), tmp_path / "cup")
    return tmp_path / "cup"


def test_everything_comes_back(saved: Path) -> None:
    before, after = a_record(), record.load(saved)
    for name in ("name", "created", "parameters", "about", "figures", "losses"):
        assert getattr(after, name) == getattr(before, name), name
    for name in ("painting", "composite", "mask", "result"):
        assert np.array_equal(getattr(after, name), getattr(before, name)), name
    assert [(s.name, s.kind) for s in after.stages] == [
        ("loose mask", "mask"),
        ("first pass", "picture"),
        ("matches at relu4_1", "field"),
    ]
    assert all(np.array_equal(a.data, b.data) for a, b in zip(after.stages, before.stages, strict=True))


def test_the_paintings_colour_profile_stays_with_it(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    record.save(a_record(profile=profile), tmp_path / "r")
    assert record.load(tmp_path / "r").profile == profile


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with caught(ErrorCode.UNREADABLE_FILE) as info:
        record.save(a_record(), tmp_path)
    assert "not empty" in info.value.sentence
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_an_empty_or_missing_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/deeper"):
        record.save(a_record(), tmp_path / name)
        assert record.is_record(tmp_path / name)


def test_what_cannot_be_written_whole_is_not_written(tmp_path: Path) -> None:
    unwritable = a_record(parameters={"weights": Path("/")})
    with pytest.raises(TypeError):
        record.save(unwritable, tmp_path / "never")
    assert list(tmp_path.iterdir()) == []


def test_where_no_folder_can_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with caught(ErrorCode.UNREADABLE_FILE):
        record.check_free(tmp_path / "file" / "below")
    with caught(ErrorCode.UNREADABLE_FILE):
        record.check_free(tmp_path / "file")


@pytest.mark.parametrize("name", ["result.png", "stage-01.png", "fields.npz"])
@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no archive"])
def test_damage_is_a_sentence(saved: Path, name: str, content: bytes | None) -> None:
    (saved / name).unlink()
    if content is not None:
        (saved / name).write_bytes(content)
    with caught(ErrorCode.UNREADABLE_FILE):
        record.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "painterly-record-99"},
        {"losses": [{"phase": "x"}]},
        {"stages": [{"name": "n", "kind": "mask", "key": "../../secret"}]},
        {"stages": 5},
        {"about": None},
    ],
)
def test_an_index_of_another_kind_is_a_sentence(saved: Path, change: dict[str, object]) -> None:
    index = json.loads((saved / "run.json").read_text())
    (saved / "run.json").write_text(json.dumps({**index, **change}))
    with caught(ErrorCode.UNREADABLE_FILE):
        record.load(saved)


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    small = a_record().composite[::2]
    record.save(replace(a_record(), composite=small), tmp_path / "r")
    with caught(ErrorCode.UNREADABLE_FILE) as info:
        record.load(tmp_path / "r")
    assert "composite" in info.value.sentence


def test_pickles_among_the_fields_are_never_opened(saved: Path) -> None:
    np.savez(saved / "fields.npz", **{"stage-03": np.array([{"a": 1}], dtype=object)}, allow_pickle=True)
    with caught(ErrorCode.UNREADABLE_FILE) as info:
        record.load(saved)
    assert "pickle" in info.value.sentence
