"""How many bytes a job may still take: the least of what the system, a container and the process's own bound leave."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows control groups, by which containers, systemd and batch systems bound what their processes take."""


@dataclass(frozen=True)
class _Names:
    """Of a control group's files: its bound, what it holds, and which of that is files that can be read again."""

    bound: str
    held: str
    files: tuple[str, str]


FIRST = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_active_file", "total_inactive_file"))
SECOND = _Names("memory.max", "memory.current", ("active_file", "inactive_file"))


def free_memory(device: torch.device) -> int | None:
    """Bytes; None where nobody knows."""
    if device.type == "cuda":
        return _left_on_card(device)
    known = [left for left in (left_in_system(), left_in_groups(), left_of_bound()) if left is not None]
    return min(known, default=None)


def left_in_system(proc: Path = PROC) -> int | None:
    """What can be had without swapping; less sure where Linux does not tell it."""
    told = _kilobytes(proc / "meminfo").get("MemAvailable")
    if told is not None:
        return told
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows and macOS have neither
        return None


def left_in_groups(proc: Path = PROC, groups: Path = GROUPS) -> int | None:
    """What this process's control group, and every one around it, leaves; None where none has a bound."""
    found = [left for top, path, names in _groups_of(proc, groups) for left in _left_upwards(top, path, names)]
    return min(found, default=None)


def left_of_bound(proc: Path = PROC) -> int | None:
    """What this process's own bounds leave, ``painterly serve --max-memory`` among them; None where it has none."""
    if sys.platform == "win32":
        return None
    import resource

    held = _kilobytes(proc / "self" / "status")
    kinds = {"VmData": resource.RLIMIT_DATA, "VmSize": resource.RLIMIT_AS}
    bounds = {key: resource.getrlimit(kind)[0] for key, kind in kinds.items() if key in held}
    left = [bound - held[key] for key, bound in bounds.items() if bound != resource.RLIM_INFINITY]
    return max(0, min(left)) if left else None


def _left_on_card(device: torch.device) -> int:
    """Of a graphics card, as far as this process may fill it; what torch keeps for itself can be had again."""
    from torch import cuda

    free, total = cuda.mem_get_info(device)
    taken = cuda.memory_allocated(device)
    bound = int(cuda.get_per_process_memory_fraction(device) * total)
    return max(0, min(free + cuda.memory_reserved(device), bound) - taken)


def _groups_of(proc: Path, groups: Path) -> Iterator[tuple[Path, str, _Names]]:
    """The folder where a hierarchy of groups begins, the way from there to this process's own, and what it calls
    its files."""
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield groups, path, SECOND
        elif "memory" in controllers.split(","):
            yield groups / "memory", path, FIRST


def _left_upwards(top: Path, path: str, names: _Names) -> Iterator[int]:
    """Of the group and those around it. A container may be told a way that only its host knows: then the folder where
    all begins is the container's."""
    place = top / path.lstrip("/")
    while True:
        bound, held = (_number(place / name) for name in (names.bound, names.held))
        if bound is not None and held is not None:
            counts = dict(line.split(None, 1) for line in _lines(place / "memory.stat"))
            yield max(0, bound - held + sum(int(counts.get(name, 0)) for name in names.files))
        if place == top:
            return
        place = place.parent


def _number(file: Path) -> int | None:
    """None where it is not there, and for “max”."""
    text = "".join(_lines(file))
    return int(text) if text.isdigit() else None


def _kilobytes(file: Path) -> dict[str, int]:
    """Bytes by name, of a file of lines as "Name:  12 kB"."""
    words = (line.split() for line in _lines(file))
    return {line[0].rstrip(":"): 1024 * int(line[1]) for line in words if len(line) == 3 and line[2] == "kB"}


def _lines(file: Path) -> list[str]:
    """Empty where it is not there, or must not be read."""
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
