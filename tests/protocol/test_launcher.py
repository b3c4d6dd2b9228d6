"""Starting the engine: detached, clean, once, and with a reason when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from painterly_protocol import launcher, paths, runtime
from painterly_protocol.client import connect
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.launcher import clean_environment, ensure_engine, gist
from support import jobs
from support.fake_engine import FakeEngine, wait_until
from support.real_engine import ENGINE_COMMAND as ENGINE
from support.real_engine import is_alive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="watches processes through /proc")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder whose engine, if one was started, is stopped in the end."""
    monkeypatch.setenv("PAINTERLY_LOG_DIR", str(tmp_path / "log"))
    runtime_dir = tmp_path / "run"
    yield runtime_dir
    try:
        pid = runtime.read(runtime_dir).pid
        with connect(runtime_dir) as client:
            client.shutdown()
            wait_until(lambda: not is_alive(pid))
    except PainterlyError:
        return


def started_with(command: Sequence[str], folder: Path) -> PainterlyError:
    with pytest.raises(PainterlyError) as caught:
        ensure_engine(command, folder)
    assert caught.value.code is ErrorCode.ENGINE_START_FAILED
    assert caught.value.advice
    return caught.value


def test_an_absent_engine_is_started_and_then_found(folder: Path) -> None:
    waited: list[float] = []
    with ensure_engine(ENGINE, folder, on_wait=waited.append) as first:
        assert waited == sorted(waited)
        assert waited
        with ensure_engine(["/must/not/be/started"], folder) as second:
            assert second.welcome.pid == first.welcome.pid
        assert first.run(jobs.request()).metadata["pid"]


def test_a_running_engine_is_used(tmp_path: Path) -> None:
    with FakeEngine(tmp_path) as engine, ensure_engine(["/must/not/be/started"], engine.runtime_dir) as client:
        assert client.welcome.engine_version == "fake"


def test_a_stale_file_does_not_keep_it_from_starting(tmp_path: Path, folder: Path) -> None:
    with FakeEngine(tmp_path) as dead:
        dead.kill()
    assert (folder / runtime.RUNTIME_FILE).exists()
    with ensure_engine(ENGINE, folder) as client:
        assert client.welcome.engine_version != "fake"


_RACER = """
import sys, pathlib
from painterly_protocol.launcher import ensure_engine
with ensure_engine(sys.argv[2:], pathlib.Path(sys.argv[1])) as client:
    print(client.welcome.pid)
"""


def test_clients_that_race_get_one_engine(folder: Path) -> None:
    racers = [
        subprocess.Popen([sys.executable, "-c", _RACER, str(folder), *ENGINE], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    pids = {racer.communicate(timeout=120)[0].strip() for racer in racers}
    assert [racer.returncode for racer in racers] == [0] * 4
    assert len(pids) == 1


def test_the_engine_is_detached_and_its_environment_clean(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME_OF_GIMP", "/gimp")
    monkeypatch.setenv("GEGL_PATH", "/gimp/gegl")
    monkeypatch.setenv("KEPT", "yes")
    with ensure_engine(ENGINE, folder) as client:
        pid = client.welcome.pid
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert b"KEPT=yes" in environment
        assert not [entry for entry in environment if entry.startswith((b"PYTHONHOME", b"GEGL_PATH"))]
        assert os.getsid(pid) == pid
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        streams = [Path(f"/proc/{pid}/fd/{number}").readlink() for number in range(3)]
        log = paths.log_dir() / launcher.START_LOG
        assert streams == [Path("/dev/null"), log, log]
        assert log.stat().st_mode & 0o777 == 0o600


def test_relative_folders_mean_the_same_to_the_engine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAINTERLY_RUNTIME_DIR", folder.name)
    monkeypatch.setenv("PAINTERLY_DATA_DIR", "data")
    monkeypatch.setenv("PAINTERLY_LOG_DIR", "log")
    with ensure_engine(ENGINE) as client:
        environment = Path(f"/proc/{client.welcome.pid}/environ").read_bytes().split(b"\0")
        assert client.welcome.pid == runtime.read(folder).pid
    for name, where in (("RUNTIME", folder), ("DATA", tmp_path / "data"), ("LOG", tmp_path / "log")):
        assert f"PAINTERLY_{name}_DIR={where}".encode() in environment


def test_a_relative_folder_that_is_handed_over_means_the_same_to_the_engine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ensure_engine(ENGINE, Path(folder.name)) as client:
        assert client.welcome.pid == runtime.read(folder).pid


def test_what_belongs_to_gimp_is_dropped_and_the_rest_kept() -> None:
    kept = {"HOME": "/h", "PATH": "/bin", "PAINTERLY_DATA_DIR": "/d", "LANG": "de", "CUDA_VISIBLE_DEVICES": "0"}
    foreign = [
        "PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH VIRTUAL_ENV",
        "GTK_PATH GEGL_PATH BABL_PATH GDK_PIXBUF_MODULE_FILE GIO_MODULE_DIR FONTCONFIG_PATH XDG_CACHE_HOME",
        "GI_TYPELIB_PATH __COMPAT_LAYER GIMP3_DIRECTORY",
    ]
    dropped = dict.fromkeys(" ".join(foreign).split(), "x")
    assert clean_environment({**kept, **dropped}) == kept


def test_a_command_that_dies_tells_its_last_words(folder: Path) -> None:
    program = textwrap.dedent("""
        import sys
        print("chatter\\n" * 50, flush=True)
        print("no module named torch", file=sys.stderr)
        sys.exit(3)
    """)
    assert "no module named torch" in started_with([sys.executable, "-c", program], folder).sentence


@pytest.mark.parametrize("command", [["/no/such/program"], []])
def test_a_command_that_is_none(folder: Path, command: list[str]) -> None:
    started_with(command, folder)


def test_an_engine_that_never_comes_is_given_up(folder: Path) -> None:
    hold = folder.parent / "hold"
    program = f"import pathlib, time\nwhile not pathlib.Path({str(hold)!r}).exists(): time.sleep(0.01)"
    with pytest.raises(PainterlyError) as caught:
        ensure_engine([sys.executable, "-c", program], folder, timeout_s=0.3)
    hold.touch()
    assert caught.value.code is ErrorCode.ENGINE_START_FAILED


def test_waiting_can_be_left(folder: Path) -> None:
    def leave(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_engine([sys.executable, "-c", ""], folder, on_wait=leave)


def test_an_engine_of_another_version_is_not_fought(tmp_path: Path) -> None:
    script = {"jobs": [[]], "hello": "future"}
    with FakeEngine(tmp_path, script=script) as engine, pytest.raises(PainterlyError) as caught:
        ensure_engine(["/must/not/be/started"], engine.runtime_dir)
    assert caught.value.code is ErrorCode.VERSION_MISMATCH


def test_gist_is_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert gist(log) == "it said nothing."
    log.write_text("one\ntwo\n\n  three \n\nfour\n")
    assert gist(log) == "two / three / four"
