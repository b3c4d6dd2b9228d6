"""The engine seen from the plug-in's own window: state, stopping, networks, report."""

from __future__ import annotations

import contextlib
import getpass
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from painterly_plugin import engine_room, programs, ways
from painterly_plugin.config import Config
from painterly_plugin.engine_room import Download, Errand, Network
from painterly_plugin.remedies import TEXTS, Remedy, remedies_for
from painterly_protocol import remote
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Transport
from painterly_protocol.messages import EngineState
from support.fake_engine import FakeEngine, wait_until
from support.installer import ENGINE_PYTHON


def config_of(folder: Path, python: str = str(ENGINE_PYTHON)) -> Config:
    return Config((python, "-m", "painterly_engine.service"), runtime_dir=folder, version="9.9")


def test_no_engine_is_a_state_too(tmp_path: Path) -> None:
    assert engine_room.status(config_of(tmp_path / "run")) is None
    assert engine_room.describe_status(None) == {"state": "absent"}
    engine_room.stop(config_of(tmp_path / "run"))


def test_the_running_engine_tells_its_state_and_stops(tmp_path: Path) -> None:
    with FakeEngine(tmp_path) as engine:
        config = config_of(engine.runtime_dir)
        found = engine_room.status(config)
        assert found is not None
        assert found.state is EngineState.READY
        assert engine_room.describe_status(found)["state"] == "ready"
        engine_room.stop(config)
        assert engine.messages("shutdown")
        assert engine_room.status(config) is None


@pytest.mark.parametrize("has_zmq", [True, False])
def test_an_engine_on_another_machine_is_named_and_left_running(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_zmq: bool
) -> None:
    monkeypatch.setattr(ways, "has_zmq", lambda: has_zmq)
    with FakeEngine(tmp_path / "far", transport=Transport.TCP) as far, FakeEngine(tmp_path / "here") as here:
        config = config_of(here.runtime_dir)
        assert ways.elsewhere(config) == ""
        place = far.invite(here.runtime_dir)
        assert ways.elsewhere(config) == place
        assert engine_room.status(config) is not None
        assert far.messages("status-query") and not here.messages("status-query")
        assert f"engine: at {place}, state ready" in engine_room.report(config, "3.0.4", thorough=False)
        with pytest.raises(PainterlyError, match="Only its keeper"):
            engine_room.stop(config)
        assert not far.messages("shutdown") and not here.messages("shutdown")
        assert engine_room.status(config) is not None
    with pytest.raises(PainterlyError, match=f"The engine at {place} does not answer"):
        engine_room.status(config)  # which is not that none runs on this machine, and would start by itself


def test_a_ticket_that_cannot_be_used_leads_nowhere_and_is_said(tmp_path: Path) -> None:
    with FakeEngine(tmp_path) as engine:
        ticket = engine.runtime_dir / remote.TICKET_FILE
        ticket.write_text("{}")
        ticket.chmod(0o600)
        config = config_of(engine.runtime_dir)
        assert ways.elsewhere(config) == ""
        with pytest.raises(PainterlyError, match="ticket"):
            engine_room.status(config)


def test_the_real_command_line_lists_the_networks(tmp_path: Path) -> None:
    found = engine_room.networks(config_of(tmp_path))
    assert {network.name for network in found} >= {"slim", "vgg19", "vgg16"}
    slim = next(network for network in found if network.name == "slim")
    assert slim.is_here
    assert "MB" in slim.state


def test_an_engine_that_is_not_installed_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PainterlyError, match=r"could not be run.*install\.py"):
        engine_room.networks(config_of(tmp_path, "/nowhere/python"))


def scripted(folder: Path, source: str) -> Config:
    """An engine whose command line is ``source``."""
    python = folder / "python"
    python.write_text(f"#!{sys.executable} -u\n{textwrap.dedent(source)}")
    python.chmod(0o755)
    return config_of(folder, str(python))


def test_a_download_tells_how_far_it_is(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    source = f"""
        import sys, time, pathlib
        sys.stderr.write('\\rvgg19:  42%|####      | 231M/550M [00:10<00:14, 23.0MB/s]'); sys.stderr.flush()
        while not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)
        print('vgg19: sha256 abc')
    """
    download = Download(scripted(tmp_path, source), "vgg19")
    wait_until(lambda: download.fraction == 0.42)
    assert download.outcome is None
    gate.touch()
    wait_until(lambda: download.outcome is not None)
    assert download.outcome == ""


def test_a_failed_or_cancelled_download_says_so(tmp_path: Path) -> None:
    source = "import sys; print('vgg19:  3%'); sys.exit('painterly: The server could not be reached.')"
    failed = Download(scripted(tmp_path, source), "vgg19")
    wait_until(lambda: failed.outcome is not None)
    assert failed.outcome == "The server could not be reached."
    source = "import time; print('vgg19:  5%', flush=True); time.sleep(600)"
    long = Download(scripted(tmp_path, source), "vgg19")
    wait_until(lambda: long.fraction == 0.05)
    assert not long.is_cancelled
    long.cancel()
    wait_until(lambda: long.outcome is not None)
    assert long.outcome and long.is_cancelled
    missing = Download(Config(("/nowhere/python",)), "vgg19")
    wait_until(lambda: missing.outcome is not None)


def test_no_program_opens_a_console_window(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On Windows each would flash up; here no flag is known, so what Popen is given is looked at."""
    flags: list[int] = []

    def popen(*_arguments: object, creationflags: int = 0, **_options: object) -> None:
        flags.append(creationflags)
        raise OSError("not here")

    monkeypatch.setattr(programs, "FLAGS", 0x08000000)
    monkeypatch.setattr(subprocess, "Popen", popen)
    config = config_of(tmp_path)
    for start in (
        lambda: engine_room.ask(config, "doctor"),
        lambda: Download(config, "vgg19"),
        lambda: ways.BridgedClient(config),
    ):
        with contextlib.suppress(PainterlyError):
            start()
    assert flags == [0x08000000] * 3


def test_the_report_names_versions_but_not_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home" / "vincent"
    logs = home / "log"
    logs.mkdir(parents=True)
    (logs / "engine.log").write_text(f"opened {home}/secret/painting.png for vincent\nlast words\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PAINTERLY_LOG_DIR", str(logs))
    monkeypatch.setattr(getpass, "getuser", lambda: "vincent")
    text = engine_room.report(config_of(tmp_path / "run"), "3.0.4", thorough=False)
    assert "Painterly Harmonize 9.9, GIMP 3.0.4" in text
    assert "state absent" in text
    assert "last words" in text
    assert "~/secret/painting.png for <user>" in text
    assert "vincent" not in text


def test_an_errand_brings_back_what_was_made_or_raised() -> None:
    done, failed = Errand(lambda: 3), Errand(lambda: 1 // 0)
    wait_until(lambda: done.outcome is not None and failed.outcome is not None)
    assert done.outcome == 3
    assert isinstance(failed.outcome, ZeroDivisionError)


def test_networks_are_read_off_the_list(tmp_path: Path) -> None:
    listing = (
        "slim     2.5 MB, sha256 0123, used by default\n         ours\n         MIT\nvgg19    not here\n         x\n"
    )
    damaged = "slim     missing or damaged. Unpack it, once more.\n         ours\n         MIT\n"
    assert engine_room.networks(scripted(tmp_path, f"print({damaged!r})")) == [
        Network("slim", "missing or damaged. Unpack it, once more.", True)
    ]
    assert engine_room.networks(scripted(tmp_path, f"print({listing!r})")) == [
        Network("slim", "2.5 MB, sha256 0123, used by default", True),
        Network("vgg19", "not here", False),
    ]


def test_the_device_is_read_off_the_doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        engine_room, "ask", lambda *_a: "ok   version   1\nok   device    CPU, 2 threads (none)\nok   x y\n"
    )
    assert engine_room.device(config_of(tmp_path)) == "CPU, 2 threads (none)"
    monkeypatch.setattr(engine_room, "ask", lambda *_a: "Traceback")
    assert engine_room.device(config_of(tmp_path)) == ""


def test_the_log_is_shown_for_people() -> None:
    lines = [
        "2026-11-21 21:39:29,387 15276 INFO painterly_engine.service.server: event=client-connects program=x",
        "2026-11-21 21:39:29,387 15276 INFO painterly_engine.service.foreman: event=job-starts job=e6 waited=0.000",
        "2026-11-21 21:40:00,001 15276 WARNING painterly_engine.service.staff: event=worker-ended how=killed",
        "Traceback (most recent call last):",
    ]
    assert engine_room.readable(lines) == [
        "21:39:29  job-starts job=e6 waited=0.000",
        "21:40:00  WARNING worker-ended how=killed",
        "Traceback (most recent call last):",
    ]


def test_every_remedy_has_its_button() -> None:
    assert set(TEXTS) == set(Remedy)
    for code in ErrorCode:
        assert set(remedies_for(PainterlyError(code, "x"))) <= set(Remedy)
    assert remedies_for(PainterlyError(ErrorCode.WEIGHTS_MISSING, "x")) == (Remedy.SETTINGS,)
    assert remedies_for(PainterlyError(ErrorCode.EMPTY_MASK, "x")) == ()
    died = PainterlyError(ErrorCode.WORKER_DIED, "x")
    assert remedies_for(died) == (Remedy.RESTART, Remedy.SETTINGS)
    assert remedies_for(died, elsewhere=True) == (Remedy.SETTINGS,)
    assert Remedy.RESTART in remedies_for(PainterlyError(ErrorCode.VERSION_MISMATCH, "x"))
    assert remedies_for(ValueError("surprise")) == (Remedy.SETTINGS,)
