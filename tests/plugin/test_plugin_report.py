"""What a user reads when something went wrong, and what only the log gets."""

from __future__ import annotations

import stat
from pathlib import Path

from painterly_plugin import report
from painterly_plugin.config import ConfigError
from painterly_protocol.errors import ErrorCode, PainterlyError


def test_our_errors_speak_for_themselves() -> None:
    assert report.describe(PainterlyError(ErrorCode.EMPTY_MASK, "It is so.", "Do that."), None) == "It is so. Do that."
    assert report.describe(ConfigError("It is gone."), None).startswith("It is gone. Run “python3 install.py”")


def test_a_missing_module_is_named_with_the_repair() -> None:
    text = report.describe(ModuleNotFoundError("No module named 'zmq'", name="zmq"), None)
    assert "“zmq”" in text
    assert "install.py" in text


def test_surprises_point_to_the_log_without_a_traceback(tmp_path: Path) -> None:
    try:
        raise KeyError("boo")
    except KeyError as error:
        log = report.write_log(error, tmp_path / "new" / "log")
        text = report.describe(error, log)
    assert log is not None
    assert str(log) in text
    assert "Traceback" not in text
    assert "Traceback" in log.read_text()
    assert "raise KeyError" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_an_unwritable_log_is_no_second_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert report.write_log(ValueError("x"), tmp_path / "file" / "log") is None
    assert "could not be written" in report.describe(ValueError("x"), None)
