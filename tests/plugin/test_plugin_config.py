"""The installed config.json: what is read, and that every damage ends in a sentence with the repair."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from painterly_plugin.config import Config, ConfigError, add_vendored_modules, load_config


def test_reads_what_install_writes(tmp_path: Path) -> None:
    written = {
        "engine_command": ["/a b/python", "-m", "painterly_engine"],
        "runtime_dir": "/r",
        "log_dir": "/l",
        "version": "0.1.0",
    }
    (tmp_path / "config.json").write_text(json.dumps(written))
    config = load_config(tmp_path)
    assert config.engine_command == ("/a b/python", "-m", "painterly_engine")
    assert (config.runtime_dir, config.log_dir, config.version) == (Path("/r"), Path("/l"), "0.1.0")


def test_folders_may_be_left_to_the_default(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"engine_command": ["x"]}')
    config = load_config(tmp_path)
    assert (config.runtime_dir, config.log_dir, config.version) == (None, None, "")


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "{}", '{"engine_command": "x"}', '{"engine_command": []}', '{"engine_command": [1]}', "\xff"],
)
def test_damage_says_how_to_repair(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"config\.json.*install\.py"):
        load_config(tmp_path)


def test_vendored_modules_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["first"])
    add_vendored_modules(tmp_path)
    add_vendored_modules(tmp_path)
    assert sys.path == ["first", str(tmp_path / "vendor")]


def test_the_log_folder_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAINTERLY_LOG_DIR", "/default")
    Config(("x",)).announce()
    assert os.environ["PAINTERLY_LOG_DIR"] == "/default"
    Config(("x",), log_dir=Path("/l")).announce()
    assert os.environ["PAINTERLY_LOG_DIR"] == "/l"
