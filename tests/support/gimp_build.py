"""Builds a small Debian that holds GIMP 3, in a cache folder, for the tests in ``tests/gimp``.

Standard library only: ``install.py test`` runs this file as a program (``python gimp_build.py [3.0|3.2]``), which
prints the folder. Needs root and apt, but no mounts: nothing outside the cache folder changes, except that Debian's
``debootstrap`` package is installed where it is missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MIRROR = "http://deb.debian.org/debian"
MARKER = ".painterly-gimp-ready"

# What a painter's Debian has, and what the tests need to look at its screen. Neither python3-zmq nor
# python3-msgpack nor numpy: the plug-in must run on what install.py puts beside it.
PACKAGES = [
    "gimp",
    "python3-gi",
    "gir1.2-gtk-3.0",
    "xvfb",
    "openbox",
    "xauth",
    "xdotool",
    "imagemagick",
    "dbus-daemon",
    "adwaita-icon-theme",
    "fonts-dejavu-core",
]


class GimpBuildError(Exception):
    """GIMP could not be built here; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """One Debian suite and the debootstrap script for it ("" where debootstrap knows the suite by name)."""

    suite: str
    script: str = ""

    @property
    def digest(self) -> str:
        """Changes with whatever goes into the folder: an older folder is then built anew."""
        return hashlib.sha256(repr((self.suite, PACKAGES)).encode()).hexdigest()[:16]


RECIPES = {
    "3.0": Recipe("trixie"),
    "3.2": Recipe("forky", "/usr/share/debootstrap/scripts/sid"),
}


def cache_folder(version: str) -> Path:
    """Where the Debian with GIMP ``version`` ("3.0" or "3.2") belongs, whether or not it is built.

    ``PAINTERLY_GIMP_CACHE`` overrides the folder above it.
    """
    cache = os.environ.get("PAINTERLY_GIMP_CACHE")
    if not cache:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
        cache = str(Path(base) / "painterly-harmonize")
    return Path(cache).absolute() / f"gimp-{RECIPES[version].suite}"


def is_built(version: str) -> bool:
    """True when the folder holds a finished build of today's recipe."""
    marker = cache_folder(version) / MARKER
    return marker.is_file() and marker.read_text().strip() == RECIPES[version].digest


def obstacle() -> str:
    """Why nothing can be built on this machine, or ""."""
    if not sys.platform.startswith("linux") or shutil.which("apt-get") is None:
        return "only a Debian-like machine (with apt-get) can build one"
    if os.geteuid() != 0:
        return "only root can build one (debootstrap and chroot need it)"
    return ""


def build(version: str) -> Path:
    """The folder of a finished build, built now where it is missing, half-built or of another recipe.

    Raises:
        GimpBuildError: with the last lines of the failing command.
    """
    folder = cache_folder(version)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not is_built(version):
            if reason := obstacle():
                raise GimpBuildError(reason)
            _remove(folder)
            _bootstrap(folder, RECIPES[version])
            _add_packages(folder)
            (folder / MARKER).write_text(RECIPES[version].digest + "\n")
    return folder


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Builds at the same time wait for each other; the lock goes with the process that holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove(folder: Path) -> None:
    # An interrupted debootstrap may have left /proc mounted in there: never walk into another file system.
    if folder.exists():
        subprocess.run(["umount", str(folder / "proc")], capture_output=True)
        _run(["rm", "-rf", "--one-file-system", str(folder)])


def _bootstrap(folder: Path, recipe: Recipe) -> None:
    if shutil.which("debootstrap") is None:
        _run(["apt-get", "update", "-q"])
        _run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "debootstrap"])
    mirror = debian_mirror()
    _run(
        [
            "debootstrap",
            "--variant=minbase",
            recipe.suite,
            str(folder),
            mirror,
            *([recipe.script] * bool(recipe.script)),
        ]
    )
    no_services = folder / "usr/sbin/policy-rc.d"
    no_services.write_text("#!/bin/sh\nexit 101\n")
    no_services.chmod(0o755)
    (folder / "etc/apt/sources.list").write_text(f"deb {mirror} {recipe.suite} main\n")


def _add_packages(folder: Path) -> None:
    clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]
    # A testing suite's signature is valid for a week only, and mirrors lag behind; it is still checked.
    inside = ["chroot", str(folder), *clean, "apt-get", "-o", "Acquire::Check-Valid-Until=false"]
    _run([*inside, "update", "-q"])
    _run([*inside, "install", "-y", "-q", "--no-install-recommends", *PACKAGES])
    _run([*inside, "clean"])


def debian_mirror() -> str:
    """The Debian archive this machine's own apt uses, or the public one."""
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"],
        capture_output=True,
        text=True,
    )
    for line in found.stdout.splitlines():
        uri, _, component = line.partition(" ")
        if component == "main" and uri.rstrip("/").endswith("/debian"):
            return uri.rstrip("/")
    return DEFAULT_MIRROR


def _run(command: list[str]) -> None:
    finished = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if finished.returncode:
        last = finished.stdout.decode(errors="replace").strip().splitlines()[-12:]
        raise GimpBuildError(f"{' '.join(command[:4])} … ended with {finished.returncode}:\n" + "\n".join(last))


def main(arguments: list[str]) -> int:
    """Build the versions named (default 3.0); print their folders, or the reason on stderr."""
    for version in arguments or ["3.0"]:
        try:
            print(build(version))
        except (GimpBuildError, OSError) as error:
            print(f"GIMP {version} could not be built: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
