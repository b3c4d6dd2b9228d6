"""``install.py``: where it finds GIMP, what it puts there, what it leaves alone, what it says when things fail."""

from __future__ import annotations

import json
import os
import plistlib
import subprocess
import sys
from pathlib import Path

import pytest

from support.installer import REPOSITORY, install

Machine = install.Machine  # some tests replace the module's


def machine(home: Path, platform: str = "linux", **environ: str) -> Machine:
    return Machine(platform, home, {"PATH": str(home / "bin"), **environ}, home / "root")


def make(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True)


def make_program(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'GNU Image Manipulation Program version {version}'\n")
    path.chmod(0o755)


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    folder = tmp_path / "vendor"
    make(folder / "zmq", folder / "msgpack")
    (folder / "zmq" / "__init__.py").write_text("")
    (folder / "msgpack" / "__init__.py").write_text("")
    (folder / "complete").touch()
    return folder


CONFIG = {"engine_command": install.engine_command(Path("/somewhere/python")), "version": "1"}


class TestProfiles:
    @pytest.mark.parametrize(
        ("platform", "folder"),
        [
            ("linux", ".config/GIMP/3.0"),
            ("linux", ".config/GIMP/3.2"),
            ("linux", ".var/app/org.gimp.GIMP/config/GIMP/3.0"),
            ("linux", "snap/gimp/current/.config/GIMP/3.0"),
            ("darwin", "Library/Application Support/GIMP/3.0"),
            ("win32", "AppData/Roaming/GIMP/3.0"),
        ],
    )
    def test_each_layout_is_found(self, tmp_path: Path, platform: str, folder: str) -> None:
        make(tmp_path / folder)
        assert install.existing_profiles(machine(tmp_path, platform)) == [tmp_path / folder]

    def test_moved_folders_are_found(self, tmp_path: Path) -> None:
        make(tmp_path / "xdg/GIMP/3.0", tmp_path / "roaming/GIMP/3.2")
        assert install.existing_profiles(machine(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "xdg"))) == [
            tmp_path / "xdg/GIMP/3.0"
        ]
        assert install.existing_profiles(machine(tmp_path, "win32", APPDATA=str(tmp_path / "roaming"))) == [
            tmp_path / "roaming/GIMP/3.2"
        ]

    def test_gimp3_directory_is_a_profile_of_its_own(self, tmp_path: Path) -> None:
        assert install.existing_profiles(machine(tmp_path, GIMP3_DIRECTORY="mine")) == [tmp_path / "mine"]
        assert install.existing_profiles(machine(tmp_path, GIMP3_DIRECTORY="/a/b")) == [Path("/a/b")]

    def test_gimp_2_and_files_are_passed_over(self, tmp_path: Path) -> None:
        make(tmp_path / ".config/GIMP/2.10", tmp_path / ".config/GIMP/3.0-backup")
        (tmp_path / ".config/GIMP/3.2").write_text("a file")
        assert install.existing_profiles(machine(tmp_path)) == []


@pytest.mark.skipif(os.name == "nt", reason="the stand-in programs are shell scripts")
class TestNeverStartedGimp:
    def test_a_new_gimp_gets_its_profile(self, tmp_path: Path) -> None:
        make_program(tmp_path / "bin/gimp-console", "3.0.4")
        assert install.profiles_to_make(machine(tmp_path)) == ([tmp_path / ".config/GIMP/3.0"], [])

    def test_a_started_gimp_needs_none(self, tmp_path: Path) -> None:
        make_program(tmp_path / "bin/gimp-console-3.0", "3.0.4")
        make(tmp_path / ".config/GIMP/3.0")
        assert install.profiles_to_make(machine(tmp_path)) == ([], [])

    def test_settings_of_gimp_2_are_not_lost(self, tmp_path: Path) -> None:
        make_program(tmp_path / "bin/gimp-console", "3.0.4")
        make(tmp_path / ".config/GIMP/2.10")
        new, notes = install.profiles_to_make(machine(tmp_path))
        assert new == []
        assert "start it once" in notes[0]

    def test_gimp_3_2_takes_the_plugin_over_from_3_0(self, tmp_path: Path) -> None:
        make_program(tmp_path / "bin/gimp-console", "3.2.6")
        make(tmp_path / ".config/GIMP/3.0")
        new, notes = install.profiles_to_make(machine(tmp_path))
        assert new == []
        assert "from 3.0 at its first start" in notes[0]

    def test_gimp_2_is_not_a_gimp_3(self, tmp_path: Path) -> None:
        make_program(tmp_path / "bin/gimp-console", "2.10.34")
        assert machine(tmp_path).installed_gimps() == []

    def test_flatpak_looks_into_the_native_folder(self, tmp_path: Path) -> None:
        metainfo = tmp_path / "root/var/lib/flatpak/app/org.gimp.GIMP/current/active/files/share/metainfo"
        make(metainfo)
        (metainfo / "org.gimp.GIMP.appdata.xml").write_text('<release date="2026-01-01" version="3.0.8"/>')
        assert install.profiles_to_make(machine(tmp_path)) == ([tmp_path / ".config/GIMP/3.0"], [])

    def test_snap(self, tmp_path: Path) -> None:
        make(tmp_path / "root/snap/gimp/current/meta")
        (tmp_path / "root/snap/gimp/current/meta/snap.yaml").write_text("name: gimp\nversion: '3.2.1'\n")
        assert install.profiles_to_make(machine(tmp_path)) == ([tmp_path / "snap/gimp/current/.config/GIMP/3.2"], [])

    def test_macos_application(self, tmp_path: Path) -> None:
        make(tmp_path / "root/Applications/GIMP.app/Contents")
        with (tmp_path / "root/Applications/GIMP.app/Contents/Info.plist").open("wb") as file:
            plistlib.dump({"CFBundleShortVersionString": "3.0.4"}, file)
        expected = tmp_path / "Library/Application Support/GIMP/3.0"
        assert install.profiles_to_make(machine(tmp_path, "darwin")) == ([expected], [])

    def test_windows_program(self, tmp_path: Path) -> None:
        make_program(tmp_path / "Programs/GIMP 3/bin/gimp-console-3.0.exe", "3.0.4")
        windows = machine(tmp_path, "win32", ProgramFiles=str(tmp_path / "Programs"))
        assert install.profiles_to_make(windows) == ([tmp_path / "AppData/Roaming/GIMP/3.0"], [])


class TestGimpsPython:
    @pytest.mark.parametrize(("name", "version"), [("python3.13", (3, 12)), ("python3.11", (3, 11))])
    def test_on_linux(self, tmp_path: Path, name: str, version: tuple[int, int]) -> None:
        make(tmp_path / "root/usr/bin")
        (tmp_path / "root/usr/bin" / name).touch()
        (tmp_path / "root/usr/bin/python3").symlink_to(name)
        assert install.gimp_python(machine(tmp_path)) == (3, 12), "the GIMP is not the machine's own"
        make_program(tmp_path / "bin/gimp-console", "3.0.4")
        assert install.gimp_python(machine(tmp_path)) == version

    def test_on_macos(self, tmp_path: Path) -> None:
        make(tmp_path / "root/Applications/GIMP.app/Contents/Frameworks/Python.framework/Versions/3.10")
        assert install.gimp_python(machine(tmp_path, "darwin")) == (3, 10)

    def test_unknown(self, tmp_path: Path) -> None:
        assert install.gimp_python(machine(tmp_path, "win32")) == (3, 12)


class TestPlugin:
    def test_what_gimp_needs_is_there(self, tmp_path: Path, vendor: Path) -> None:
        assert install.install_plugin(tmp_path / "plug-ins", CONFIG, vendor) is True
        folder = tmp_path / "plug-ins/painterly-harmonize"
        assert os.access(folder / "painterly-harmonize.py", os.X_OK)
        assert json.loads((folder / "config.json").read_text()) == CONFIG
        assert (folder / "vendor/painterly_protocol/messages.py").is_file()
        assert (folder / "vendor/zmq/__init__.py").is_file()
        assert list(folder.rglob("__pycache__")) == []
        assert not (folder / "vendor/complete").exists()

    def test_twice_changes_nothing(self, tmp_path: Path, vendor: Path) -> None:
        install.install_plugin(tmp_path, CONFIG, vendor)
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        assert install.install_plugin(tmp_path, CONFIG, vendor) is False
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before

    def test_an_update_replaces_what_changed_and_wakes_gimp(self, tmp_path: Path, vendor: Path) -> None:
        install.install_plugin(tmp_path / "p", CONFIG, vendor)
        folder = tmp_path / "p/painterly-harmonize"
        start = folder / "painterly-harmonize.py"
        os.utime(start, (1, 1))
        (vendor / "zmq" / "__init__.py").unlink()
        (vendor / "zmq" / "new.py").write_text("new")
        assert install.install_plugin(tmp_path / "p", {**CONFIG, "version": "2"}, vendor) is True
        assert json.loads((folder / "config.json").read_text())["version"] == "2"
        assert not (folder / "vendor/zmq/__init__.py").exists()
        assert (folder / "vendor/zmq/new.py").read_text() == "new"
        assert start.stat().st_mtime > 1

    def test_a_damaged_installation_is_repaired(self, tmp_path: Path, vendor: Path) -> None:
        install.install_plugin(tmp_path, CONFIG, vendor)
        start = tmp_path / "painterly-harmonize/painterly-harmonize.py"
        start.write_text("broken")
        assert install.install_plugin(tmp_path, CONFIG, vendor) is True
        assert start.read_bytes() == (REPOSITORY / "plugin/painterly-harmonize/painterly-harmonize.py").read_bytes()

    def test_a_lost_execute_bit_is_repaired(self, tmp_path: Path, vendor: Path) -> None:
        install.install_plugin(tmp_path, CONFIG, vendor)
        start = tmp_path / "painterly-harmonize/painterly-harmonize.py"
        start.chmod(0o644)
        assert install.install_plugin(tmp_path, CONFIG, vendor) is True
        assert os.access(start, os.X_OK)

    def test_somebody_elses_folder_is_refused(self, tmp_path: Path, vendor: Path) -> None:
        make(tmp_path / "painterly-harmonize")
        (tmp_path / "painterly-harmonize/mine.py").write_text("mine")
        with pytest.raises(install.InstallError, match="did not make it"):
            install.install_plugin(tmp_path, CONFIG, vendor)
        assert install.uninstall_plugin(tmp_path) is False
        assert [path.name for path in (tmp_path / "painterly-harmonize").iterdir()] == ["mine.py"]

    def test_uninstall_removes_everything_of_ours(self, tmp_path: Path, vendor: Path) -> None:
        make(tmp_path / "p/other")
        install.install_plugin(tmp_path / "p", CONFIG, vendor)
        cache = tmp_path / "p/painterly-harmonize/painterly_plugin/__pycache__"
        make(cache)
        (cache / "config.cpython-313.pyc").touch()
        assert install.uninstall_plugin(tmp_path / "p") is True
        assert [path.name for path in (tmp_path / "p").iterdir()] == ["other"]
        assert install.uninstall_plugin(tmp_path / "p") is False

    def test_uninstall_leaves_foreign_files(self, tmp_path: Path, vendor: Path) -> None:
        install.install_plugin(tmp_path, CONFIG, vendor)
        note = tmp_path / "painterly-harmonize/vendor/note.txt"
        note.write_text("mine")
        install.uninstall_plugin(tmp_path)
        assert [path for path in tmp_path.joinpath("painterly-harmonize").rglob("*") if path.is_file()] == [note]

    def test_a_manifest_cannot_reach_outside(self, tmp_path: Path, vendor: Path) -> None:
        install.install_plugin(tmp_path / "p", CONFIG, vendor)
        (tmp_path / "precious").write_text("mine")
        manifest = tmp_path / "p/painterly-harmonize/installed.json"
        manifest.write_text(json.dumps({"files": ["../../precious", str(tmp_path / "precious")]}))
        install.uninstall_plugin(tmp_path / "p")
        assert (tmp_path / "precious").exists()

    def test_the_copied_protocol_needs_nothing_of_the_engine(self, tmp_path: Path, vendor: Path) -> None:
        install.install_plugin(tmp_path / "p", CONFIG, vendor)
        source = (
            f"import sys; sys.path[:0] = [{str(tmp_path / 'p/painterly-harmonize/vendor')!r}]\n"
            "import painterly_protocol.request, painterly_protocol.paths\n"
            "assert not {'numpy', 'torch', 'painterly_engine'} & set(sys.modules)\n"
            "print(painterly_protocol.__file__)"
        )
        # -S: without site-packages, so that the installed protocol is not found instead.
        answer = subprocess.run([sys.executable, "-S", "-E", "-c", source], capture_output=True, text=True, check=True)
        assert answer.stdout.startswith(str(tmp_path / "p"))

    def test_config_names_the_engine_and_its_folders_in_full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PAINTERLY_RUNTIME_DIR", raising=False)
        config = install.plugin_config(install.engine_command(Path("/x/python")), "7")
        command = ["/x/python", "-m", "painterly_engine.service", "--idle-exit", "3600"]
        assert config["engine_command"] == command
        assert config["version"] == "7"
        assert Path(config["runtime_dir"]).is_absolute()
        assert Path(config["log_dir"]).is_absolute()

    def test_doctor_sees_what_is_wrong(self, tmp_path: Path, vendor: Path) -> None:
        folder, python = tmp_path / "painterly-harmonize", Path("/somewhere/python")
        assert "not installed" in install.plugin_problem(folder, python)
        install.install_plugin(tmp_path, CONFIG, vendor)
        assert install.plugin_problem(folder, python) == ""
        assert "another copy" in install.plugin_problem(folder, Path("/else/python"))
        (folder / "painterly-harmonize.py").chmod(0o644)
        assert "not executable" in install.plugin_problem(folder, python)
        (folder / "painterly-harmonize.py").unlink()
        assert "missing" in install.plugin_problem(folder, python)


class TestEnvironment:
    """With pip and venv replaced: what is run when."""

    @pytest.fixture
    def steps(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        done: list[str] = []

        def make_environment(clear: bool) -> None:
            done.append("clear" if clear else "make")
            install.environment_python().parent.mkdir(parents=True, exist_ok=True)
            install.environment_python().touch()

        monkeypatch.setattr(install, "ENVIRONMENT", tmp_path / ".venv")
        monkeypatch.setattr(install, "make_environment", make_environment)
        monkeypatch.setattr(install, "run_pip", lambda _python, arguments: done.append(arguments[-1]))
        return done

    def test_once_is_enough(self, steps: list[str]) -> None:
        install.ensure_environment()
        assert steps == ["make", str(REPOSITORY)]
        install.ensure_environment()
        assert len(steps) == 2

    def test_extras_are_added_and_stay(self, steps: list[str]) -> None:
        install.ensure_environment()
        install.ensure_environment(["test"])
        install.ensure_environment()
        assert steps == ["make", str(REPOSITORY), f"{REPOSITORY}[test]"]

    def test_an_interrupted_installation_is_repeated(self, steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(_python: Path, _arguments: object) -> None:
            raise install.InstallError("no network", "connect")

        with monkeypatch.context() as broken:
            broken.setattr(install, "run_pip", fails)
            with pytest.raises(install.InstallError):
                install.ensure_environment()
        install.ensure_environment()
        assert steps == ["make", "make", str(REPOSITORY)]

    def test_another_python_makes_it_anew(self, steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        install.ensure_environment()
        monkeypatch.setattr(sys, "version", "3.99.0 (another)")
        install.ensure_environment()
        assert steps[2:] == ["clear", str(REPOSITORY)]

    def test_a_changed_project_is_installed_again(self, steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        install.ensure_environment()
        monkeypatch.setattr(install, "digest", lambda _path: "another")
        install.ensure_environment()
        assert steps[2:] == [str(REPOSITORY)]


class TestWhatUsersRead:
    def test_old_python(self) -> None:
        with pytest.raises(install.InstallError, match=r"Python 3\.9; 3\.10 or newer is needed"):
            install.check_python((3, 9, 2))

    def test_missing_venv(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(install.importlib.util, "find_spec", lambda _name: None)
        with pytest.raises(install.InstallError, match=r"sudo apt install python3\.11-venv"):
            install.check_python((3, 11, 0))

    @pytest.mark.parametrize(
        ("output", "sentence"),
        [
            ("ERROR: [Errno 28] No space left on device", "The disk is full"),
            (
                "NewConnectionError(...): Failed\nERROR: No matching distribution found for torch",
                "could not be reached",
            ),
            ("ERROR: No matching distribution found for torch>=2.11", "no torch for this machine"),
            ("SSLError(SSLCertVerificationError(...CERTIFICATE_VERIFY_FAILED", "certificate was not accepted"),
            ("ERROR: [Errno 13] Permission denied: '/x'", "no permission to write"),
            ("ERROR: something else entirely", "something else entirely"),
        ],
    )
    def test_pip_failures(self, output: str, sentence: str) -> None:
        assert sentence in str(install.pip_problem(output))

    def test_pip_itself_without_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(variable)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        nobody = ["--index-url", "http://127.0.0.1:9/simple", "--retries", "1", "--dry-run"]
        with pytest.raises(install.InstallError, match="could not be reached"):
            install.run_pip(Path(sys.executable), ["install", *nobody, "there-is-no-such-package-painterly"])

    @pytest.mark.parametrize(
        ("error", "sentence"),
        [
            (install.InstallError("This is wrong.", "Do that."), "This is wrong.\nDo that."),
            (OSError(28, "No space left on device"), "The disk is full."),
            (PermissionError(13, "Permission denied", "/x/y"), "There is no permission to write /x/y."),
            (RuntimeError("odd"), "Something unexpected happened (RuntimeError('odd'))."),
        ],
    )
    def test_failures_are_sentences(
        self,
        error: Exception,
        sentence: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        def fails(**_how: object) -> None:
            raise error

        monkeypatch.setattr(install.tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(install, "ensure_environment", fails)
        assert install.main([]) == 1
        shown = capsys.readouterr().err
        assert sentence in shown
        assert "Traceback" not in shown

    def test_ctrl_c(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def interrupted(**_how: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(install, "ensure_environment", interrupted)
        assert install.main([]) == install.INTERRUPTED
        assert "Run this again" in capsys.readouterr().out


class TestSetUp:
    def test_installs_into_every_profile_and_says_what_to_click(
        self, tmp_path: Path, vendor: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        native, flatpak = tmp_path / ".config/GIMP/3.0", tmp_path / ".var/app/org.gimp.GIMP/config/GIMP/3.0"
        make(native, flatpak)
        monkeypatch.setattr(install, "Machine", lambda: machine(tmp_path))
        monkeypatch.setattr(install, "ensure_environment", lambda **_how: Path("/x/bin/python"))
        monkeypatch.setattr(install, "ensure_vendor", lambda _python, _version: vendor)
        assert install.main([]) == 0
        for profile in (native, flatpak):
            assert (profile / "plug-ins/painterly-harmonize/painterly-harmonize.py").is_file()
        assert "Filters → Painterly Harmonize…" in capsys.readouterr().out

    def test_without_gimp_the_command_line_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(install, "Machine", lambda: machine(tmp_path))
        monkeypatch.setattr(install, "ensure_environment", lambda **_how: Path("/x/bin/python"))
        assert install.main([]) == 0
        shown = capsys.readouterr().out
        assert "no GIMP 3 was found" in shown
        assert "/x/bin/painterly harmonize" in shown


class TestUninstall:
    @pytest.fixture(autouse=True)
    def nothing_is_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(install, "Machine", lambda: machine(tmp_path))
        monkeypatch.setattr(install, "ENVIRONMENT", tmp_path / ".venv")
        monkeypatch.setenv("PAINTERLY_RUNTIME_DIR", str(tmp_path / "run"))
        monkeypatch.setenv("PAINTERLY_DATA_DIR", str(tmp_path / "weights"))
        monkeypatch.setenv("PAINTERLY_LOG_DIR", str(tmp_path / "elsewhere/log"))

    def test_what_stays_is_named_and_nothing_around_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        make(tmp_path / "run", tmp_path / "weights", tmp_path / "elsewhere/log")
        assert install.main(["uninstall"]) == 0
        named = [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()]
        assert named == [str(tmp_path / "weights"), str(tmp_path / "elsewhere/log")]

    def test_what_was_never_there_is_not_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert install.main(["uninstall"]) == 0
        assert capsys.readouterr().out == ""


class TestChecks:
    def test_output_is_shown_and_the_last_line_kept(self, capsys: pytest.CaptureFixture[str]) -> None:
        command = [sys.executable, "-c", "print('one'); print('== 3 passed in 1s =='); raise SystemExit(5)"]
        assert install.run_check("pytest", command) == (5, "3 passed in 1s")
        assert "== 3 passed in 1s ==" in capsys.readouterr().out

    def test_modules_that_use_gimp_are_not_type_checked(self) -> None:
        sources = install.typed_sources()
        assert "plugin/painterly-harmonize/painterly-harmonize.py" not in sources
        assert "plugin/painterly-harmonize/painterly_plugin/config.py" in sources
