"""Finds a Chromium for the tests of what is shown in a browser, or unpacks Debian's into a cache folder.

Standard library only. Needs apt but no root: nothing outside the cache folder changes. What Chromium needs and this
machine has not is unpacked beside it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# With a window or without, and the one that never has a window, which is all the tests need.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
PROGRAM = "usr/lib/chromium/chromium-headless-shell"
PATIENCE_S = 600


class BrowserAbsentError(Exception):
    """There is no browser and none can be had here; the message says why."""


@dataclass(frozen=True)
class Browser:
    """A program, and what its environment needs beside the machine's own."""

    program: Path
    environment: dict[str, str]


def find_browser() -> Browser:
    """This machine's Chromium, else the one in the cache folder, unpacked now where it is missing.

    Raises:
        BrowserAbsentError
    """
    installed = next((found for name in NAMES if (found := shutil.which(name))), None)
    if installed:
        return Browser(Path(installed), {})
    folder = cache_folder()
    if not (folder / PROGRAM).is_file():
        _build(folder)
    libraries = folder / "usr/lib"
    paths = [
        str(path) for path in (*libraries.glob("*-linux-gnu*"), *libraries.glob("*-linux-gnu*/*")) if path.is_dir()
    ]
    return Browser(
        folder / PROGRAM, {"LD_LIBRARY_PATH": ":".join(sorted(paths)), "XDG_DATA_HOME": str(folder / "usr/share")}
    )


def cache_folder() -> Path:
    """Where Debian's Chromium is unpacked; ``XDG_CACHE_HOME`` moves it."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base).absolute() / "painterly-harmonize" / "chromium"


def _build(folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise BrowserAbsentError("no Chromium is installed, and only a Debian-like machine can fetch one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # runs at the same time wait for each other
        if (folder / PROGRAM).is_file():
            return
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _unpack(Path(scratch), folder)


def _unpack(scratch: Path, folder: Path) -> None:
    """Everything is unpacked in ``scratch`` and moved in one step: a folder that is there is whole."""
    downloads, root = scratch / "downloads", scratch / "root"
    for place in (downloads, root, scratch / "lists/partial", scratch / "cache/archives/partial"):
        place.mkdir(parents=True)
    own = ["-o", f"Dir::State::Lists={scratch / 'lists'}", "-o", f"Dir::Cache={scratch / 'cache'}"]
    # The sandbox user of apt cannot write into a folder of this user's.
    own += ["-o", "APT::Sandbox::User="]
    _run(["apt-get", *own, "update", "-q"], downloads)
    wanted = ["install", "-y", "--no-install-recommends", *PACKAGES]
    listed = _run(["apt-get", *own, "--print-uris", *wanted], downloads)
    names = re.findall(r"^'\S+' ([^_\s]+)_", listed, re.MULTILINE)
    _run(["apt-get", *own, "download", "-q", *names], downloads)
    for package in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(root)], downloads)
    if not (root / PROGRAM).is_file():
        raise BrowserAbsentError(f"Debian's {PACKAGES[0]} has no {PROGRAM} any more")
    shutil.rmtree(folder, ignore_errors=True)
    root.replace(folder)


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, env={**os.environ, "LC_ALL": "C"}
        )
    except subprocess.TimeoutExpired as error:
        raise BrowserAbsentError(f"“{' '.join(command)[:60]} …” took more than {PATIENCE_S} s") from error
    if done.returncode:
        last = "; ".join((done.stderr or done.stdout).strip().splitlines()[-2:])
        raise BrowserAbsentError(f"Debian's Chromium could not be fetched: {last}")
    return done.stdout
