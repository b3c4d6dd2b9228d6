"""``painterly doctor``: what is there, what is missing, and the command that repairs it."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from painterly_engine import __version__
from painterly_protocol import paths, remote
from painterly_protocol.client import connect
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.launcher import START_LOG, gist

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "pyzmq", "msgpack", "safetensors")
ROOM_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One line; ``well`` is False where the user should do something."""

    topic: str
    text: str
    well: bool = True


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    commands.add_parser("doctor", help="check the installation").set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Exit status 0 when all is well, 1 when something needs repair."""
    well = True
    for check in (_versions, _packages, _device, _networks, _folders, _engine, _log):
        for finding in _safely(check):
            print(f"{'ok  ' if finding.well else 'LOOK'} {finding.topic:9} {finding.text}")
            well = well and finding.well
    return 0 if well else 1


def _safely(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check's findings; one that breaks down is itself a finding."""
    try:
        yield from check()
    except (PainterlyError, ImportError, OSError) as error:
        yield Finding(check.__name__.strip("_"), str(error), well=False)


def _versions() -> Iterator[Finding]:
    yield Finding("version", f"painterly {__version__}, Python {platform.python_version()}, {platform.platform()}")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding("package", f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Finding("package", f"{name} is missing: run “python3 install.py” again", well=False)


def _device() -> Iterator[Finding]:
    import torch

    from painterly_engine.device import choose

    kind = choose().type
    if kind == "cuda":
        yield Finding("device", torch.cuda.get_device_name())
    elif kind == "mps":
        yield Finding("device", "Apple graphics processor (never tried by us: tell us how it goes)")
    else:
        yield Finding("device", f"CPU, {torch.get_num_threads()} threads ({_why_not()})")


def _why_not() -> str:
    from painterly_engine.device import VARIABLE

    return f"asked for in {VARIABLE}" if os.environ.get(VARIABLE) == "cpu" else "no usable GPU found"


def _networks() -> Iterator[Finding]:
    from painterly_engine.network.fetch import PUBLISHED
    from painterly_engine.network.shelf import resolve
    from painterly_engine.network.store import SHIPPED, is_stored, verify

    for name in (*SHIPPED, *PUBLISHED):
        if name in SHIPPED or is_stored(name):
            verify(name)
            yield Finding("network", f"{name}: as recorded")
        else:
            yield Finding("network", f"{name}: not here; “painterly weights fetch {name}” gets it")
    yield Finding("network", f"used by default: {resolve('auto')}")


def _folders() -> Iterator[Finding]:
    for folder in (paths.runtime_dir(), paths.data_dir(), paths.log_dir()):
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        if not os.access(existing, os.W_OK):
            yield Finding("folder", f"{folder} cannot be written: correct the rights of {existing}", well=False)
        elif free < ROOM_BYTES:
            yield Finding("folder", f"{folder}: only {free / 1e6:.0f} MB of disk are left, make room", well=False)
        else:
            yield Finding("folder", str(folder))


def _engine() -> Iterator[Finding]:
    ticket = remote.in_use(paths.runtime_dir())
    place = "" if ticket is None else f" at {ticket.endpoint.removeprefix('tcp://')}"
    try:
        with connect(client="painterly-doctor") as client:
            status = client.status()
            yield Finding("engine", f"running{place}, process {client.welcome.pid}, {status.state.value}")
    except PainterlyError as error:
        if error.code is not ErrorCode.ENGINE_ABSENT or ticket is not None:
            raise
        yield Finding("engine", "not running; it starts when it is needed")


def _log() -> Iterator[Finding]:
    for name in ("engine.log", "worker.log", START_LOG):
        if (file := paths.log_dir() / name).is_file():
            yield Finding("log", f"{file}: {gist(file)[-200:]}")
