#!/usr/bin/env python3
"""Sets up Painterly Harmonize: ``python3 install.py [--service] [demo|test|uninstall|doctor]``.

Standard library only. Without a command: an environment for the engine in ``.venv``, and the plug-in in every GIMP 3
profile of this user. Running it again changes only what is out of date.
"""

# No syntax newer than Python 3.7's: an old Python shall get a sentence, not a SyntaxError.

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import platform
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

REPOSITORY = Path(__file__).resolve().parent
ENVIRONMENT = REPOSITORY / ".venv"
PROTOCOL = REPOSITORY / "protocol"
PLUGIN = "painterly-harmonize"
MANIFEST = "installed.json"  # names the files of a plug-in folder that are ours
OLDEST_PYTHON = (3, 10)
USUAL_GIMP_PYTHON = (3, 12)  # from there on one pyzmq wheel (abi3) fits every later Python
PYZMQ = "pyzmq>=26"
CPU_TORCH = "https://download.pytorch.org/whl/cpu"  # without the libraries for graphics cards: a tenth of the size
CARRIED = "carried"  # in a release: pyzmq and msgpack for GIMP's Python
RELEASED = (
    *("engine", "protocol", "plugin", "examples", "docs"),
    *("install.py", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"),
)
FLATPAK = "org.gimp.GIMP"
IDLE_EXIT_S = "3600"  # nobody stops an engine that GIMP started; an hour keeps it warm between jobs
INTERRUPTED = 130  # what shells report for Ctrl+C


class InstallError(Exception):
    """Something a user can read: what is wrong, and what to do."""

    def __init__(self, sentence: str, advice: str) -> None:
        super().__init__(f"{sentence}\n{advice}")


def say(text: str) -> None:
    """One step, in one line."""
    print(text, flush=True)


# ---------------------------------------------------------------------------------------------------------------------
# The engine's environment


def check_python(version: Sequence[Any] = sys.version_info) -> None:
    """Raises InstallError where this Python is too old, or cannot make environments."""
    if tuple(version[:2]) < OLDEST_PYTHON:
        raise InstallError(
            f"This is Python {version[0]}.{version[1]}; 3.10 or newer is needed.",
            "Install a newer Python and run install.py with it, for example: python3.12 install.py",
        )
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        raise InstallError(
            "This Python cannot make virtual environments: its venv or ensurepip module is missing.",
            f"On Debian and Ubuntu run: sudo apt install python{version[0]}.{version[1]}-venv\n"
            "Elsewhere install Python from python.org or your package manager. Then run this again.",
        )


def environment_python() -> Path:
    """The engine's Python, whether or not it is there yet."""
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure_environment(extras: Iterable[str] = (), cpu: bool = False) -> Path:
    """Make or update ``.venv`` where it is not what ``pyproject.toml`` asks for; return its Python.

    With ``cpu`` a new one gets torch without the libraries for graphics cards.
    """
    python, stamp = environment_python(), ENVIRONMENT / "painterly-installed.json"
    found = read_json(stamp)
    # Scripts in there hold absolute paths: a clone that moved, or another Python, makes it useless.
    made_with = {"python": sys.version, "folder": str(ENVIRONMENT)}
    wanted = {**made_with, "project": digest(REPOSITORY / "pyproject.toml"), "extras": sorted(extras)}
    usable = python.exists() and all(found.get(key) == value for key, value in made_with.items())
    if usable:
        wanted["extras"] = sorted({*found["extras"], *extras})
        if found == wanted:
            say(f"The engine is installed and up to date: {ENVIRONMENT}")
            return python
    with contextlib.suppress(FileNotFoundError):
        stamp.unlink()  # written last: without it the next run repairs what this one may leave
    if not usable:
        make_environment(clear=bool(found))
    say("Installing the engine with torch (several GB and minutes the first time) …")
    names = ",".join(wanted["extras"])
    if cpu:
        install_small_torch(python)
    run_pip(python, ["install", "--editable", str(REPOSITORY) + (f"[{names}]" if names else "")])
    stamp.write_text(json.dumps(wanted), encoding="utf-8")
    say(f"The engine is installed: {ENVIRONMENT}")
    return python


def make_environment(clear: bool) -> None:
    """``python -m venv``, over an interrupted one too."""
    say(f"Making an environment with Python {sys.version.split()[0]}: {ENVIRONMENT}")
    command = [sys.executable, "-m", "venv", *(["--clear"] if clear else []), str(ENVIRONMENT)]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        raise pip_problem(made.stdout.decode(errors="replace"))


def run_pip(python: Path, arguments: Sequence[str]) -> None:
    """Run pip: its own progress on a terminal, quietly elsewhere.

    Raises:
        InstallError: what went wrong, in a sentence.
    """
    terminal = sys.stdout.isatty()
    quiet = [] if terminal else ["--quiet"]
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments, *quiet]
    # pip keeps its errors for stderr, its progress for stdout.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        raise pip_problem(done.stderr.decode(errors="replace"))


def install_small_torch(python: Path) -> None:
    """torch for CPUs alone, where it can be had; else a word, and the usual one is installed."""
    wanted = re.findall(r'^    "(torch(?:vision)?[^"]*)",', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    # With a folder of wheels the folder decides which build there is.
    source = [] if os.environ.get("PIP_NO_INDEX") else ["--index-url", CPU_TORCH]
    try:
        run_pip(python, ["install", *wanted, *source])
    except InstallError as error:
        say(f"The small torch could not be had; the usual one is taken. ({str(error).splitlines()[0]})")


def tell_pip(arguments: argparse.Namespace) -> None:
    """Hand proxy and folder of wheels on to every pip that is run from here.

    Raises:
        InstallError: the folder is not there.
    """
    if arguments.proxy:
        os.environ["PIP_PROXY"] = os.environ["HTTPS_PROXY"] = arguments.proxy
    if arguments.wheels:
        folder = Path(arguments.wheels).resolve()
        if not any(folder.glob("*.whl")):
            raise InstallError(
                f"There are no wheels in {folder}.", "Fill it as the README says, or leave --wheels out."
            )
        os.environ["PIP_NO_INDEX"], os.environ["PIP_FIND_LINKS"] = "1", str(folder)


def pip_problem(output: str) -> InstallError:
    """What pip (or venv) stumbled over, for a user."""
    free = shutil.disk_usage(str(REPOSITORY)).free / 1e9
    known = [
        (
            r"No space left on device|Errno 28|not enough space",
            f"The disk is full ({free:.1f} GB are free in {REPOSITORY}).",
            "The engine with torch takes about 6 GB there. Make room and run this again: it goes on where it stopped.",
        ),
        (
            r"CERTIFICATE_VERIFY_FAILED|SSLError",
            "The Python package index was reached, but its certificate was not accepted.",
            "A proxy may stand in between: set PIP_CERT to its certificate file and run this again.",
        ),
        (
            r"NewConnectionError|Connect(ion)?Timeout|ReadTimeout|name resolution|Network is unreachable|ProxyError",
            "The Python package index could not be reached.",
            "Check the network (and HTTPS_PROXY where a proxy is needed) and run this again.",
        ),
        (
            r"No matching distribution found for (torch|torchvision)",
            f"There is no torch for this machine with Python {sys.version.split()[0]}.",
            "Try another Python (3.10 to 3.13 are safe), for example: python3.12 install.py",
        ),
        (
            r"Permission denied|Errno 13|WinError 5",
            f"There is no permission to write into {ENVIRONMENT}.",
            "Close programs that use it (also “painterly stop”), check who owns the folder, and run this again.",
        ),
    ]
    for pattern, sentence, advice in known:
        if re.search(pattern, output):
            return InstallError(sentence, advice)
    last = [line for line in output.strip().splitlines() if line.strip()][-6:]
    return InstallError("pip failed:\n  " + "\n  ".join(last), "Run this again; if it stays, report these lines.")


# ---------------------------------------------------------------------------------------------------------------------
# Where GIMP 3 is


@dataclass(frozen=True)
class Machine:
    """What decides where GIMP keeps its files; tests make their own."""

    platform: str = sys.platform
    home: Path = field(default_factory=Path.home)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    root: Path = Path("/")

    def profile_folders(self) -> dict[str, Path]:
        """Kind of GIMP → the folder that holds its profiles, one for each version."""
        if self.platform == "win32":
            return {"native": Path(self.environ.get("APPDATA", self.home / "AppData" / "Roaming")) / "GIMP"}
        if self.platform == "darwin":
            return {"native": self.home / "Library" / "Application Support" / "GIMP"}
        return {
            # Flathub's GIMP uses this one too; its own sandboxed folder exists only where that was switched off.
            "native": Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config") / "GIMP",
            "flatpak": self.home / ".var" / "app" / FLATPAK / "config" / "GIMP",
            "snap": self.home / "snap" / "gimp" / "current" / ".config" / "GIMP",
        }

    def installed_gimps(self) -> list[tuple[str, str]]:
        """(kind, version "3.0") of each GIMP 3 program found."""
        found = [("native", version_of_program(program)) for program in self._programs()]
        if self.platform.startswith("linux"):
            found += [("flatpak", self._flatpak_version()), ("snap", self._snap_version())]
        if self.platform == "darwin":
            found += [("native", bundle_version(app)) for app in sorted((self.root / "Applications").glob("GIMP*.app"))]
        return sorted({(kind, version) for kind, version in found if version.startswith("3.")})

    def _programs(self) -> list[str]:
        if self.platform == "win32":
            folders = [self.environ.get("ProgramFiles", ""), self.environ.get("LOCALAPPDATA", "") + "/Programs"]
            return [
                str(p) for folder in folders if folder for p in Path(folder).glob("GIMP 3*/bin/gimp-console-3*.exe")
            ]
        names = ("gimp-console-3.0", "gimp-console-3.2", "gimp-console")
        return [program for name in names for program in [shutil.which(name, path=self.environ.get("PATH"))] if program]

    def _flatpak_version(self) -> str:
        for base in (self.root / "var/lib/flatpak", self.home / ".local/share/flatpak"):
            for metadata in (base / "app" / FLATPAK).glob("current/active/files/share/metainfo/*.xml"):
                found = re.search(r'<release [^>]*version="(\d+\.\d+)', metadata.read_text(errors="replace"))
                return found.group(1) if found else ""
        return ""

    def _snap_version(self) -> str:
        with contextlib.suppress(OSError):
            text = (self.root / "snap/gimp/current/meta/snap.yaml").read_text(errors="replace")
            found = re.search(r"^version:\s*['\"]?(\d+\.\d+)", text, re.MULTILINE)
            return found.group(1) if found else ""
        return ""


def version_of_program(program: str) -> str:
    """ "3.0" of a program that answers ``--version``, "" where it does not."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"version (\d+\.\d+)", answer.stdout)
    return found.group(1) if found else ""


def bundle_version(app: Path) -> str:
    """ "3.0" of a macOS application, "" where it does not say."""
    try:
        with (app / "Contents/Info.plist").open("rb") as file:
            return ".".join(str(plistlib.load(file)["CFBundleShortVersionString"]).split(".")[:2])
    except (OSError, KeyError, plistlib.InvalidFileException):
        return ""


def existing_profiles(machine: Machine) -> list[Path]:
    """The GIMP 3 profiles of this user."""
    profiles = [
        profile
        for folder in machine.profile_folders().values()
        if folder.is_dir()
        for profile in sorted(folder.iterdir())
        if re.fullmatch(r"3\.\d+", profile.name) and profile.is_dir()
    ]
    moved = machine.environ.get("GIMP3_DIRECTORY")
    if moved:
        profiles.append(machine.home / moved)  # GIMP takes a relative one from the home folder
    return profiles


def profiles_to_make(machine: Machine) -> tuple[list[Path], list[str]]:
    """Profiles of GIMPs that were never started, and sentences about those that must be started first.

    At its first start GIMP takes over the settings of an older version, but only while it has no profile of its own:
    making one here would lose them.
    """
    new, notes = [], []
    for kind, version in machine.installed_gimps():
        # Flathub's GIMP looks into the native folder.
        folders = machine.profile_folders()
        folder = folders["native"] if kind == "flatpak" and not folders["flatpak"].is_dir() else folders[kind]
        older = sorted(p.name for p in folder.glob("[23].*")) if folder.is_dir() else []
        if version in older:
            continue
        if any(name.startswith("3.") for name in older):
            notes.append(f"GIMP {version} takes the plug-in over from {older[-1]} at its first start.")
        elif older:
            notes.append(
                f"GIMP {version} was never started: start it once, so that it takes over your settings of {older[-1]}, "
                "then run this again."
            )
        else:
            new.append(folder / version)
    return new, notes


# ---------------------------------------------------------------------------------------------------------------------
# The plug-in


def engine_command(python: Path) -> list[str]:
    """The argument list that starts the engine."""
    return [str(python), "-m", "painterly_engine.service", "--idle-exit", IDLE_EXIT_S]


def protocol_paths() -> ModuleType:
    """The protocol's own ``paths``, which needs the standard library only."""
    sys.path.insert(0, str(PROTOCOL))
    try:
        from painterly_protocol import paths
    finally:
        sys.path.remove(str(PROTOCOL))
    return paths


def plugin_config(command: Sequence[str], version: str) -> dict[str, object]:
    """The plug-in's ``config.json``.

    The folders are named in full because a GIMP in a sandbox may see another home folder than the engine does.
    """
    paths = protocol_paths()
    return {
        "engine_command": list(command),
        "runtime_dir": str(paths.runtime_dir()),
        "log_dir": str(paths.log_dir()),
        "version": version,
    }


def project_version() -> str:
    """The version in ``pyproject.toml`` (Python 3.10 has no reader for it)."""
    found = re.search(r'^version = "(.+)"', (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else "unknown"


def gimp_python(machine: Machine) -> tuple[int, int]:
    """The version of the Python that runs this user's GIMP plug-ins, as far as can be told.

    The machine's own Python says nothing of a GIMP from Flatpak or Snap, which brings another along.
    """
    if machine.platform == "linux" and not any(kind == "native" for kind, _version in machine.installed_gimps()):
        return USUAL_GIMP_PYTHON
    if machine.platform == "darwin":
        places = (machine.root / "Applications").glob("GIMP*.app/Contents/**/Python.framework/Versions/3.*")
    else:
        places = (link.resolve() for link in (machine.root / "usr/bin").glob("python3"))
    for place in places:
        found = re.search(r"(\d+)\.(\d+)$", place.name)
        if found:
            return min((int(found.group(1)), int(found.group(2))), USUAL_GIMP_PYTHON)
    return USUAL_GIMP_PYTHON


def ensure_vendor(python: Path, version: tuple[int, int]) -> Path:
    """A folder with pyzmq and msgpack for a GIMP whose Python is ``version``, which has no pip of its own.

    GIMP's Python is another than the engine's: hence pyzmq's wheel for its version, and msgpack's pure Python.
    """
    version = min(version, USUAL_GIMP_PYTHON)
    carried = carried_folder(version)
    if (carried / "complete").exists():
        return carried
    tag = f"cp{version[0]}{version[1]}"
    folder = ENVIRONMENT / "gimp-vendor" / tag
    if (folder / "complete").exists():
        return folder
    say("Fetching pyzmq for GIMP's Python …")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    abi = "abi3" if version == USUAL_GIMP_PYTHON else tag
    kind = ["--python-version", f"{version[0]}.{version[1]}", "--implementation", "cp", "--abi", abi]
    run_pip(python, ["install", "--no-deps", "--only-binary", ":all:", *kind, "--target", str(folder), PYZMQ])
    shutil.rmtree(folder / "zmq" / "tests", ignore_errors=True)
    where = subprocess.run([str(python), "-c", "import msgpack; print(msgpack.__path__[0])"], capture_output=True)
    (folder / "msgpack").mkdir()
    for module in Path(where.stdout.decode().strip()).glob("*.py"):
        shutil.copy(module, folder / "msgpack")
    (folder / "complete").touch()
    return folder


def carried_folder(version: tuple[int, int]) -> Path:
    """Where a release brings along what ``ensure_vendor`` would fetch."""
    return REPOSITORY / CARRIED / f"cp{version[0]}{version[1]}-{sys.platform}-{platform.machine()}"


def plugin_files(vendor: Path) -> Iterator[tuple[str, Path]]:
    """(path in the plug-in's folder, source) of all files but the written ones; the one that GIMP starts comes last."""
    start = f"{PLUGIN}.py"
    sources = [("", REPOSITORY / "plugin" / PLUGIN), ("vendor/painterly_protocol", PROTOCOL / "painterly_protocol")]
    for prefix, source in [*sources, ("vendor", vendor)]:
        for file in sorted(source.rglob("*")):
            path = (Path(prefix) / file.relative_to(source)).as_posix()
            if file.is_file() and "__pycache__" not in file.parts and path not in (start, "vendor/complete"):
                yield path, file
    yield start, REPOSITORY / "plugin" / PLUGIN / start


def catalogues() -> dict[str, bytes]:
    """Path in the plug-in's folder → compiled translations."""
    file = REPOSITORY / "plugin" / "translations" / "catalogues.py"
    spec = importlib.util.spec_from_file_location("catalogues", str(file))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: dict[str, bytes] = module.catalogues()
    return made


def install_plugin(plug_ins: Path, config: Mapping[str, object], vendor: Path) -> bool:
    """Bring ``plug_ins``/painterly-harmonize up to date; False where nothing had to change.

    Files are replaced one by one, each as a whole; a list of them, written first, tells ``uninstall_plugin`` what is
    ours.

    Raises:
        InstallError: a folder of that name is there that this installer did not make.
    """
    folder = plug_ins / PLUGIN
    if folder.is_symlink() or (folder.exists() and not (folder / MANIFEST).exists()):
        raise InstallError(
            f"{folder} is there, but this installer did not make it.", "Move it away and run this again."
        )
    contents = {"config.json": (json.dumps(config, indent=2) + "\n").encode(), **catalogues()}
    contents.update((path, source.read_bytes()) for path, source in plugin_files(vendor))
    old = set(read_json(folder / MANIFEST).get("files", []))
    stale = old - set(contents)
    start = folder / f"{PLUGIN}.py"
    unchanged = all(same_content(folder / path, data) for path, data in contents.items())
    if unchanged and not stale and os.access(str(start), os.X_OK):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, old | set(contents))
    for path, data in contents.items():
        if not same_content(folder / path, data):
            replace_file(folder / path, data)
    remove_files(folder, stale)
    start.chmod(0o755)
    start.touch()  # GIMP asks a plug-in anew what it offers only when this file's time changed
    write_manifest(folder, set(contents))
    return True


def write_manifest(folder: Path, files: Iterable[str]) -> None:
    replace_file(folder / MANIFEST, json.dumps({"files": sorted(files)}, indent=1).encode())


def replace_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    temporary.replace(path)


def same_content(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def remove_files(folder: Path, files: Iterable[str]) -> None:
    """Remove ``files`` of ``folder``, Python's caches of them, and what folders that leaves empty."""
    for file in (folder / path for path in files):
        if folder not in file.parents or ".." in file.parts:
            continue  # a damaged list must not reach outside
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
        for cached in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            cached.unlink()
    for inner in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            inner.rmdir()


def uninstall_plugin(plug_ins: Path) -> bool:
    """Remove the plug-in's own files; whatever else lies in its folder stays. False where it was not installed."""
    folder = plug_ins / PLUGIN
    if folder.is_symlink() or not (folder / MANIFEST).is_file():
        return False
    remove_files(folder, [*read_json(folder / MANIFEST).get("files", []), MANIFEST])
    with contextlib.suppress(OSError):
        folder.rmdir()
    return True


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``; {} where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---------------------------------------------------------------------------------------------------------------------
# The engine as a service of the user's session

UNIT = "painterly-harmonize.service"
AGENT = "org.painterly-harmonize.engine"
FOLDER_VARIABLES = ("PAINTERLY_RUNTIME_DIR", "PAINTERLY_DATA_DIR", "PAINTERLY_LOG_DIR", "PAINTERLY_KEYS_DIR")
# For sh: run the words that follow. systemd itself refuses a program whose path has a quote in it.
EXEC = ("-c", 'exec "$@"', "sh")


def service_command(python: Path, listen: str = "", options: str = "") -> list[str]:
    """As ``engine_command``, but without an end when idle: the session starts and stops it.

    Args:
        options: further ones of ``painterly serve``, as a shell reads them.
    """
    listening = ["--listen", listen] if listen else []
    return [str(python), "-m", "painterly_engine.service", *listening, *shlex.split(options)]


def service_file(machine: Machine) -> Path:
    """Where the system looks for a user's services.

    Raises:
        InstallError: there is none here.
    """
    if machine.platform == "darwin":
        return machine.home / "Library" / "LaunchAgents" / f"{AGENT}.plist"
    if machine.platform.startswith("linux"):
        config = Path(machine.environ.get("XDG_CONFIG_HOME") or machine.home / ".config")
        return config / "systemd" / "user" / UNIT
    raise InstallError(
        "On this system the engine cannot be installed as a service.",
        "None is needed: the plug-in and the command line start the engine when they need it.",
    )


def service_text(machine: Machine, command: Sequence[str], log: Path) -> bytes:
    """A systemd unit, or a launchd property list on macOS. No secret is in either."""
    folders = {name: machine.environ[name] for name in FOLDER_VARIABLES if machine.environ.get(name)}
    if machine.platform == "darwin":
        return plistlib.dumps(
            {
                "Label": AGENT,
                "ProgramArguments": list(command),
                "EnvironmentVariables": folders,
                "RunAtLoad": True,
                "KeepAlive": {"SuccessfulExit": False},
                "Umask": 0o077,
                "StandardOutPath": str(log),
                "StandardErrorPath": str(log),
            }
        )
    lines = [
        "[Unit]",
        "Description=Painterly Harmonize: the engine that GIMP and the command line talk to",
        "",
        "[Service]",
        "ExecStart=/bin/sh " + " ".join(systemd_word(word).replace("$", "$$") for word in (*EXEC, *command)),
        *("Environment=" + systemd_word(f"{name}={value}") for name, value in folders.items()),
        "Restart=on-failure",
        "RestartSec=5",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "",
        "[Install]",
        "WantedBy=default.target",
        "",
    ]
    return "\n".join(lines).encode("utf-8")


def systemd_word(word: str) -> str:
    """One word of a unit, whatever is in it; a command's needs its dollars doubled as well."""
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        word = word.replace(special, escaped)
    return f'"{word}"'


def service_steps(machine: Machine, file: Path, starts: bool) -> list[list[str]]:
    """The system's commands that make it start the service now and at each login, or never again."""
    if machine.platform == "darwin":
        domain = f"gui/{os.getuid()}"
        stop = ["launchctl", "bootout", f"{domain}/{AGENT}"]
        return [stop, ["launchctl", "bootstrap", domain, str(file)]] if starts else [stop]
    reload = ["systemctl", "--user", "daemon-reload"]
    if not starts:
        return [["systemctl", "--user", "disable", "--now", UNIT]]
    return [reload, ["systemctl", "--user", "enable", UNIT], ["systemctl", "--user", "restart", UNIT]]


def install_service(machine: Machine, python: Path, listen: str = "", options: str = "") -> None:
    """Write the service and start it; where the session cannot be asked to, say what to run."""
    file, paths = service_file(machine), protocol_paths()
    log = paths.make_private(paths.log_dir()) / "service.log"
    text = service_text(machine, service_command(python, listen, options), log)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not (file.is_file() and same_content(file, text)):
        replace_file(file, text)
    say(f"The service is installed: {file}")
    # One that GIMP has started would keep the service's from starting.
    run_step(machine, [str(python), "-m", "painterly_engine.cli", "stop"])
    steps = service_steps(machine, file, starts=True)
    if [run_step(machine, step) for step in steps][-1]:
        say("The engine runs, and starts at each login.")
        return
    say("This session could not be asked to start it. It starts by itself at your next login; to start it now, run:")
    for step in steps:
        say("    " + " ".join(step))


def uninstall_service(machine: Machine) -> bool:
    """Stop it for good; False where it was not installed."""
    if machine.platform != "darwin" and not machine.platform.startswith("linux"):
        return False
    file = service_file(machine)
    if not file.is_file():
        return False
    for step in service_steps(machine, file, starts=False):
        run_step(machine, step)
    file.unlink()
    if machine.platform != "darwin":
        run_step(machine, ["systemctl", "--user", "daemon-reload"])
    return True


def run_step(machine: Machine, command: Sequence[str]) -> bool:
    """Whether the command is there and succeeds."""
    program = shutil.which(command[0], path=machine.environ.get("PATH"))
    if program is None:
        return False
    try:
        done = subprocess.run([program, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


# ---------------------------------------------------------------------------------------------------------------------
# Commands


def set_up(arguments: argparse.Namespace) -> int:
    """Everything: engine and plug-in; with --service also the service."""
    machine = Machine()
    tell_pip(arguments)
    as_service = bool(arguments.service or arguments.listen or arguments.serve)
    if as_service:
        service_file(machine)  # where there is none, say so before gigabytes are fetched
    python = ensure_environment(cpu=arguments.cpu)
    new, notes = profiles_to_make(machine)
    profiles = existing_profiles(machine) + new
    if profiles:
        vendor = ensure_vendor(python, gimp_python(machine))
        config = plugin_config(engine_command(python), project_version())
    for profile in profiles:
        changed = install_plugin(profile / "plug-ins", config, vendor)
        say(f"The plug-in is {'installed' if changed else 'up to date'}: {profile / 'plug-ins' / PLUGIN}")
    for note in notes:
        say(note)
    if as_service:
        install_service(machine, python, arguments.listen, arguments.serve)
    say(what_next(profiles, notes, python))
    return 0


def what_next(profiles: Sequence[Path], notes: Sequence[str], python: Path) -> str:
    if profiles:
        return (
            "\nDone. Start GIMP (again), open a painting, paste the object as a layer above it, select that layer and "
            "choose\n    Filters → Painterly Harmonize…"
        )
    command = python.with_name("painterly")
    if notes:
        return f"\nThe engine is ready. On the command line: {command} harmonize --help"
    return (
        "\nThe engine is ready, but no GIMP 3 was found. Install GIMP 3.0 or newer and run this again, "
        f"or use the command line: {command} harmonize --help"
    )


def demo(_arguments: argparse.Namespace) -> int:
    """The sample pictures, harmonized."""
    python = ensure_environment()
    output = REPOSITORY / "demo-output"
    say("Harmonizing the sample pictures …")
    command = [str(python), "-m", "painterly_engine.cli", "demo", "-o", str(output)]
    status = subprocess.run(command, cwd=str(REPOSITORY)).returncode
    say(f"\nThe pictures are in {output}" if status == 0 else "\nThe demo failed: see above.")
    return status


def uninstall(_arguments: argparse.Namespace) -> int:
    """Plug-in, service and environment go; weights, keys and logs stay, and are named."""
    python = environment_python()
    if uninstall_service(Machine()):
        say("The service is removed.")
    if python.exists():
        subprocess.run([str(python), "-m", "painterly_engine.cli", "stop"], capture_output=True)
    for profile in existing_profiles(Machine()):
        if uninstall_plugin(profile / "plug-ins"):
            say(f"The plug-in is removed: {profile / 'plug-ins' / PLUGIN}")
    if ENVIRONMENT.is_dir():
        shutil.rmtree(ENVIRONMENT)
        say(f"The engine is removed: {ENVIRONMENT}")
    paths = protocol_paths()
    for what, folder in (("Fetched weights", paths.data_dir()), ("Keys", paths.keys_dir()), ("Logs", paths.log_dir())):
        if folder.is_dir():
            say(f"{what} stay; remove them if you want: {folder}")
    return 0


def doctor(_arguments: argparse.Namespace) -> int:
    """What is there and what is missing; 1 where something is."""
    machine, python = Machine(), environment_python()
    stamp = read_json(ENVIRONMENT / "painterly-installed.json")
    current = bool(stamp) and stamp.get("project") == digest(REPOSITORY / "pyproject.toml") and python.exists()
    say(f"Python         {sys.version.split()[0]}, {sys.executable}")
    say(f"engine         {ENVIRONMENT if current else 'missing or out of date: run python3 install.py'}")
    say("GIMP           " + (", ".join(f"{v} ({k})" for k, v in machine.installed_gimps()) or "no GIMP 3 found"))
    broken = not current
    for profile in existing_profiles(machine):
        problem = plugin_problem(profile / "plug-ins" / PLUGIN, python)
        say(f"plug-in        {profile}: {problem or 'installed'}")
        broken = broken or bool(problem)
    if current:
        broken = bool(subprocess.run([str(python), "-m", "painterly_engine.cli", "doctor"]).returncode) or broken
    return int(broken)


def plugin_problem(folder: Path, python: Path) -> str:
    """What is wrong with an installed plug-in, or ""."""
    files = read_json(folder / MANIFEST).get("files", [])
    if not files:
        return "not installed: run python3 install.py"
    if any(not (folder / path).is_file() for path in files):
        return "files are missing: run python3 install.py"
    if not os.access(folder / f"{PLUGIN}.py", os.X_OK):
        return "not executable, so GIMP passes it over: run python3 install.py"
    if read_json(folder / "config.json").get("engine_command") != engine_command(python):
        return "belongs to another copy of this project: run python3 install.py"
    return ""


def release(arguments: argparse.Namespace) -> int:
    """A zip of everything, with pyzmq for GIMP's Python."""
    top = f"{PLUGIN}-{project_version()}"
    file = Path(arguments.file or f"{top}.zip")
    vendor = ensure_vendor(ensure_environment(), USUAL_GIMP_PYTHON)
    carried = carried_folder(USUAL_GIMP_PYTHON)
    files = [(source, source) for source in released_files()]
    files += [(path, carried / path.relative_to(vendor)) for path in sorted(vendor.rglob("*"))]
    with zipfile.ZipFile(str(file), "w", zipfile.ZIP_DEFLATED) as archive:
        for source, place in files:
            if source.is_file() and "__pycache__" not in source.parts:
                archive.write(str(source), f"{top}/{place.relative_to(REPOSITORY).as_posix()}")
    say(f"The release is {file} ({file.stat().st_size / 1e6:.1f} MB). Unpack it anywhere and run: python3 install.py")
    return 0


def released_files() -> Iterator[Path]:
    """What of this folder belongs into a release."""
    for name in RELEASED:
        path = REPOSITORY / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".zip":
                yield file


# ---------------------------------------------------------------------------------------------------------------------
# The tests


def test(arguments: argparse.Namespace) -> int:
    """Linter, formatter, type checker and tests; 0 where all pass."""
    python = ensure_environment(["test"])
    ensure_vendor(python, USUAL_GIMP_PYTHON)
    prepare_gimp(python)
    checks = {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "mypy": ["mypy", "--strict", *typed_sources()],
        "pytest": ["pytest", *(["--long"] if arguments.long else []), *arguments.pytest],
    }
    outcome = {name: run_check(name, [str(python), "-m", *command]) for name, command in checks.items()}
    say("\nIn short:")
    for name, (status, last) in outcome.items():
        say(f"  {'passed' if status == 0 else 'FAILED'}  {name:<12} {last}")
    return int(any(status for status, _ in outcome.values()))


def typed_sources() -> list[str]:
    """What is type-checked: GIMP's own interface has no types, so modules of the plug-in that use it are left out."""
    plugin = REPOSITORY / "plugin" / PLUGIN
    plain = [
        str(file.relative_to(REPOSITORY))
        for file in sorted(plugin.rglob("*.py"))
        if not re.search(r"^\s*(import gi\b|from gi\b)", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    words = "plugin/translations/catalogues.py"
    return ["engine/painterly_engine", "protocol/painterly_protocol", "install.py", words, *plain]


def prepare_gimp(python: Path) -> None:
    """Build the GIMP that the tests run in, where this machine has none and one can be built."""
    versions = ["3.0"] if not any(kind == "native" for kind, _ in Machine().installed_gimps()) else []
    versions += ["3.2"] if os.environ.get("PAINTERLY_GIMP_32") == "1" else []
    for version in versions:
        say(f"Looking for the tests' own GIMP {version} (built once, in two or three minutes) …")
        builder = REPOSITORY / "tests" / "support" / "gimp_build.py"
        built = subprocess.run([str(python), str(builder), version], stdout=subprocess.PIPE)
        say(built.stdout.decode().strip() if built.returncode == 0 else "Tests inside GIMP will be skipped.")


def run_check(name: str, command: Sequence[str]) -> tuple[int, str]:
    """Run one check, showing its output as it comes: (exit status, the last line it printed)."""
    say(f"\n== {name}")
    last = ""
    process = subprocess.Popen(command, cwd=str(REPOSITORY), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    for line in process.stdout:
        text = line.decode(errors="replace").rstrip("\n")
        say(text)
        last = text.strip("= ") or last
    return process.wait(), last


# ---------------------------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    top.set_defaults(run=set_up)
    top.add_argument("--cpu", action="store_true", help="install torch without the libraries for graphics cards")
    top.add_argument("--wheels", metavar="FOLDER", help="install from this folder of wheels, without the network")
    top.add_argument("--proxy", metavar="URL", help="fetch packages through this proxy (else HTTPS_PROXY counts)")
    top.add_argument("--service", action="store_true", help="also start the engine at each login (systemd, launchd)")
    top.add_argument(
        "--listen",
        default="",
        metavar="HOST:PORT",
        help="the service also serves other machines, see docs/operations.md",
    )
    top.add_argument(
        "--serve",
        default="",
        metavar="OPTIONS",
        help="of “painterly serve” for the service, in quotes: --serve='--workers 2', see docs/cluster.md",
    )
    commands = top.add_subparsers(title="commands (none: set up engine and plug-in)")
    for function in (demo, uninstall, doctor):
        commands.add_parser(function.__name__, help=function.__doc__).set_defaults(run=function)
    packing = commands.add_parser("release", help=release.__doc__)
    packing.set_defaults(run=release)
    packing.add_argument("file", nargs="?", help="default: painterly-harmonize-VERSION.zip")
    testing = commands.add_parser("test", help=test.__doc__)
    testing.set_defaults(run=test)
    testing.add_argument("--long", action="store_true", help="also soak, fuzz and cluster runs")
    testing.add_argument("pytest", nargs="*", metavar="-- ARGUMENT", help="handed to pytest")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; every failure ends in a sentence, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # Windows consoles lack some of our characters
    try:
        check_python()
        arguments = parser().parse_args(argv)
        return int(arguments.run(arguments))
    except InstallError as error:
        problem = str(error)
    except KeyboardInterrupt:
        say("\nStopped. Run this again to go on.")
        return INTERRUPTED
    except OSError as error:
        problem = str(file_problem(error))
    except Exception as error:
        problem = f"Something unexpected happened ({error!r}).\nPlease report it with the file {keep_traceback()}"
    print(f"\n{problem}", file=sys.stderr)
    return 1


def file_problem(error: OSError) -> InstallError:
    """A failing file operation, for a user."""
    if error.errno == errno.ENOSPC:
        return InstallError("The disk is full.", "Make room and run this again: it goes on where it stopped.")
    if isinstance(error, PermissionError):
        return InstallError(
            f"There is no permission to write {error.filename}.",
            "Close GIMP if it runs, check who owns the folder, and run this again.",
        )
    return InstallError(f"{error.filename or 'A file'}: {error.strerror or error}.", "Run this again.")


def keep_traceback() -> str:
    handle, name = tempfile.mkstemp(prefix="painterly-install-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return name


if __name__ == "__main__":
    sys.exit(main())
