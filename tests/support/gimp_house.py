"""A real GIMP 3 for tests: found on the machine, or in the Debian that ``gimp_build`` makes.

    with house.profile(plugin=True) as profile:
        answer = profile.run("result = {'version': Gimp.version()}")
        with profile.window() as window:
            window.keys("alt+r")

A profile's folder has the same path inside GIMP's Debian and outside, and so has the engine's Python, so what a test
writes into the plug-in's ``config.json`` (runtime folder, engine command) holds on both sides.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support import gimp_build, gimp_headless
from support.gimp_window import GimpWindow
from support.installer import ENGINE_PYTHON, engine_command, install

ENTER = Path(__file__).with_name("gimp_enter.sh")
PROFILE_VARIABLE = "PAINTERLY_TEST_PROFILE"  # marks every process that a profile's GIMP starts
PREFIX = "painterly-gimp-"
OWNER = "owner"  # a file with the process id of the test run
STOCK_PLUG_INS = ("python-eval", "file-png", "file-tiff")
STOCK_FOLDERS = ("usr/lib/*/gimp/3.0/plug-ins", "usr/lib/gimp/3.0/plug-ins", "usr/local/lib/*/gimp/3.0/plug-ins")
WINDOW_PROGRAMS = ("Xvfb", "xdotool", "import", "dbus-run-session")


class GimpAbsentError(Exception):
    """There is no GIMP 3 here; the message says why and what would bring one."""


@dataclass(frozen=True)
class GimpHouse:
    """One GIMP 3.

    Attributes:
        version: as GIMP says it, "3.0.4".
        root: the folder that is GIMP's ``/``; ``/`` itself for a GIMP of this machine.
        entrance: what to put before a command so that it runs there.
        reaches_engine: whether a program inside can start the engine's Python (the machine's root is at ``/host``).
    """

    version: str
    root: Path
    entrance: tuple[str, ...]
    reaches_engine: bool

    def command(self, arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """The argument list that runs ``arguments`` in there with nothing but ``environment``."""
        variables = [f"{name}={value}" for name, value in environment.items()]
        return [*self.entrance, "env", "-i", *variables, *arguments]

    @property
    def stock_plug_ins(self) -> Path:
        """GIMP's own plug-ins, as a path inside."""
        for pattern in STOCK_FOLDERS:
            for folder in self.root.glob(pattern):
                return Path("/") / folder.relative_to(self.root)
        raise GimpAbsentError(f"GIMP's own plug-ins were not found under {self.root}")

    def missing_for_windows(self) -> list[str]:
        """The programs that windowed tests need and that are not there."""
        if self.root == Path("/"):
            return [name for name in WINDOW_PROGRAMS if shutil.which(name) is None]
        # Some are links that lead astray from out here.
        return [name for name in WINDOW_PROGRAMS if not os.path.lexists(self.root / "usr/bin" / name)]

    @contextlib.contextmanager
    def profile(
        self,
        *,
        plugin: bool = True,
        config: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        stock: Sequence[str] = STOCK_PLUG_INS,
    ) -> Iterator[Profile]:
        """A fresh GIMP profile; on leaving, its processes (an engine too) are ended and its folder is removed.

        Args:
            plugin: install our plug-in, by ``install.py``'s own function.
            config: entries that replace those of the plug-in's ``config.json``.
            environment: added to the otherwise empty environment.
            stock: which of GIMP's own plug-ins are loaded (each costs start-up time).
        """
        with self._shared_folder() as folder:
            profile = Profile(self, folder, dict(environment or {}))
            profile.prepare(stock)
            if plugin:
                profile.install_plugin(config or {})
            try:
                yield profile
            finally:
                end_processes(profile.folder)

    @contextlib.contextmanager
    def _shared_folder(self) -> Iterator[Path]:
        """A new folder with one path for both sides: really in GIMP's /tmp, outside a link of the same name."""
        self._remove_orphans()
        real = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self.root / "tmp"))
        (real / OWNER).write_text(str(os.getpid()))
        path = Path("/tmp") / real.name
        try:
            if path != real:
                path.symlink_to(real)
            yield path
        finally:
            self._remove(real)

    def _remove_orphans(self) -> None:
        """End what a killed test run left behind: a windowed GIMP or an engine would run on for ever."""
        for owner in (self.root / "tmp").glob(f"{PREFIX}*/{OWNER}"):
            with contextlib.suppress(OSError, ValueError):
                if not Path("/proc", str(int(owner.read_text()))).exists():
                    end_processes(Path("/tmp") / owner.parent.name)
                    self._remove(owner.parent)

    def _remove(self, real: Path) -> None:
        shared = Path("/tmp") / real.name
        if shared.is_symlink():
            shared.unlink()
        shutil.rmtree(real, ignore_errors=True)


@dataclass
class Profile:
    """A GIMP profile with its folders; every path holds inside and outside of GIMP.

    Attributes:
        folder: holds all the others; a place for a test's own files too.
        environment: what GIMP sees, apart from what ``variables`` adds.
    """

    house: GimpHouse
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def gimp_directory(self) -> Path:
        return self.folder / "profile"

    @property
    def plug_ins(self) -> Path:
        return self.gimp_directory / "plug-ins"

    @property
    def plugin_folder(self) -> Path:
        return self.plug_ins / "painterly-harmonize"

    @property
    def runtime_dir(self) -> Path:
        """Where an engine that the plug-in starts publishes itself; a fake engine belongs here too."""
        return self.folder / "run"

    @property
    def log_dir(self) -> Path:
        return self.folder / "log"

    def prepare(self, stock: Sequence[str]) -> None:
        """Make the folders; link the stock plug-ins."""
        for folder in (self.plug_ins, self.folder / "home", self.folder / "stock", self.runtime_dir, self.log_dir):
            folder.mkdir(parents=True, mode=0o700)
        for name in stock:
            (self.folder / "stock" / name).symlink_to(self.house.stock_plug_ins / name)
        # One unknown word in here and GIMP ignores the whole file.
        (self.gimp_directory / "gimprc").write_text(
            '(config-version "99.0.0")\n(show-welcome-dialog no)\n(check-updates no)\n'
        )

    def install_plugin(self, config: Mapping[str, object]) -> None:
        """Install the plug-in as install.py does, but with the runtime and log folders of this profile."""
        if self.house.reaches_engine and self.house.root != Path("/"):
            _put_way_out(self.house.root, ENGINE_PYTHON)
        installed = install.plugin_config(engine_command(), version="test")
        installed |= {"runtime_dir": str(self.runtime_dir), "log_dir": str(self.log_dir), **config}
        version = install.gimp_python(install.Machine(root=self.house.root))
        install.install_plugin(self.plug_ins, installed, install.ensure_vendor(ENGINE_PYTHON, version))

    def variables(self) -> dict[str, str]:
        """The whole environment of a process in this profile."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin",
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
            "GIMP3_DIRECTORY": str(self.gimp_directory),
            "GIMP_TESTING_PLUGINDIRS": f"{self.plug_ins}:{self.folder / 'stock'}",
            PROFILE_VARIABLE: str(self.folder),
            **self.environment,
        }

    def popen(self, arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start ``arguments`` in this profile's GIMP's world, in a session of its own."""
        command = self.house.command(arguments, self.variables() | options.pop("environment", {}))
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/", **options)

    def run(self, source: str, *, timeout: float = 180.0, **values: object) -> Any:
        """Run Python in a windowless GIMP (see ``gimp_headless.run``); what it leaves in ``result`` comes back."""
        return gimp_headless.run(self, source, timeout, values)

    @contextlib.contextmanager
    def window(self) -> Iterator[GimpWindow]:
        """A windowed GIMP on a screen of its own (see ``GimpWindow``)."""
        window = GimpWindow(self)
        try:
            window.open()
            yield window
        finally:
            window.close()


def find_house(version: str = "3.0") -> GimpHouse:
    """The GIMP of this machine where it is a 3.x, else the built one of ``version`` ("3.0" or "3.2").

    Raises:
        GimpAbsentError: there is neither.
    """
    native = _version_of([]) if version == "3.0" else ""
    if native.startswith("3."):
        return GimpHouse(native, Path("/"), (), reaches_engine=True)
    if not gimp_build.is_built(version):
        reason = gimp_build.obstacle() or "“python3 install.py test” builds one"
        raise GimpAbsentError(f"no GIMP {version} on this machine: {reason}")
    root = gimp_build.cache_folder(version)
    namespace = ("unshare", "--mount", "--propagation", "private", "sh", str(ENTER), str(root))
    for entrance, reaches_engine in ((namespace, True), (("chroot", str(root)), False)):
        if found := _version_of(entrance):
            return GimpHouse(found, root, entrance, reaches_engine)
    raise GimpAbsentError(f"the GIMP built in {root} does not start")


def _version_of(entrance: Sequence[str]) -> str:
    command = [*entrance, "gimp-console", "--version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"(\d+\.\d+\.\d+)", answer.stdout)
    return found.group(1) if found and answer.returncode == 0 else ""


def _put_way_out(root: Path, python: Path) -> None:
    """At the engine's path inside: a script that steps out to the machine's own root and becomes the engine."""
    script = root / python.relative_to("/")
    script.parent.mkdir(parents=True, exist_ok=True)
    temporary = script.with_name(f".{script.name}.{os.getpid()}")
    temporary.write_text(f'#!/bin/sh\nexec /usr/sbin/chroot /host "{python}" "$@"\n')
    temporary.chmod(0o755)
    temporary.replace(script)


def processes_of(folder: Path) -> list[int]:
    """The processes that were started in the profile at ``folder``, whatever session they moved to."""
    mark = f"{PROFILE_VARIABLE}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def end_processes(folder: Path, grace: float = 5.0) -> None:
    """Ask the profile's processes to end, then kill what is left."""
    for kind, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, grace)):
        for process in processes_of(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, kind)
        wait_until(lambda: not processes_of(folder), patience)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether ``condition`` became true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
