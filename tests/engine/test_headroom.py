"""How much memory a job may still take: told by the system, by containers' control groups, by the process's bound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from painterly_engine import headroom
from painterly_engine.headroom import free_memory, left_in_groups, left_in_system, left_of_bound

MB = 10**6
NO_BOUND = 9223372036854771712
CPU = torch.device("cpu")


def proc_of(folder: Path, groups: str) -> Path:
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "self" / "cgroup").write_text(groups)
    return folder / "proc"


def second(folder: Path, bound: object, held: int, files: int = 0) -> None:
    """A group of the second version."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{bound}\n")
    (folder / "memory.current").write_text(f"{held}\n")
    (folder / "memory.stat").write_text(f"anon 5\nactive_file {files}\ninactive_file {files}\nworkingset 7\n")


def first(folder: Path, bound: int, held: int, files: int = 0) -> None:
    """A group of the first version."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{bound}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{held}\n")
    (folder / "memory.stat").write_text(f"cache 1\ntotal_active_file {files}\ntotal_inactive_file {files}\n")


def test_the_tightest_group_on_the_way_up_counts(tmp_path: Path) -> None:
    proc, groups = proc_of(tmp_path, "0::/user.slice/job\n"), tmp_path / "groups"
    second(groups / "user.slice" / "job", "max", 100 * MB)
    assert left_in_groups(proc, groups) is None
    second(groups / "user.slice", 900 * MB, 700 * MB)
    assert left_in_groups(proc, groups) == 200 * MB
    second(groups / "user.slice" / "job", 150 * MB, 100 * MB)
    assert left_in_groups(proc, groups) == 50 * MB


def test_files_that_can_be_read_again_are_no_loss(tmp_path: Path) -> None:
    proc, groups = proc_of(tmp_path, "0::/\n"), tmp_path / "groups"
    second(groups, 900 * MB, 890 * MB, files=100 * MB)
    assert left_in_groups(proc, groups) == 210 * MB


def test_a_group_that_holds_more_than_it_may_leaves_nothing(tmp_path: Path) -> None:
    proc, groups = proc_of(tmp_path, "0::/\n"), tmp_path / "groups"
    second(groups, 900 * MB, 950 * MB)
    assert left_in_groups(proc, groups) == 0


def test_groups_of_the_first_version_and_a_containers_own_root(tmp_path: Path) -> None:
    """Docker's older way: the container is told the host's path, and sees its own group where all begins."""
    proc = proc_of(tmp_path, "9:name=systemd:/\n4:cpu,memory:/docker/0123abcd\n3:cpuset:/\n0::/\n")
    groups = tmp_path / "groups"
    first(groups / "memory", 800 * MB, 300 * MB, files=10 * MB)
    assert left_in_groups(proc, groups) == 520 * MB
    first(groups / "memory" / "docker" / "0123abcd", 400 * MB, 300 * MB)
    assert left_in_groups(proc, groups) == 100 * MB
    first(groups / "memory", NO_BOUND, 300 * MB)
    first(groups / "memory" / "docker" / "0123abcd", NO_BOUND, 300 * MB)
    told = left_in_groups(proc, groups)
    assert told is not None and told > 2**60, "no bound is more than anybody has"


def test_where_nobody_tells_nobody_knows(tmp_path: Path) -> None:
    assert left_in_groups(tmp_path, tmp_path) is None
    assert left_of_bound(tmp_path) is None


def test_what_linux_calls_available_is_what_the_system_leaves(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 2000 kB\nMemFree: 100 kB\nMemAvailable: 700 kB\nHugePages_Total: 0\n")
    assert left_in_system(tmp_path) == 700 * 1024


@pytest.mark.parametrize(
    ("system", "groups", "bound", "least"), [(5, 3, 4, 3), (5, None, 4, 4), (None, None, None, None)]
)
def test_the_least_counts(
    monkeypatch: pytest.MonkeyPatch, system: int | None, groups: int | None, bound: int | None, least: int | None
) -> None:
    for name, told in (("left_in_system", system), ("left_in_groups", groups), ("left_of_bound", bound)):
        monkeypatch.setattr(headroom, name, lambda told=told: told)
    assert free_memory(CPU) == least


@pytest.mark.parametrize(("share", "left"), [(1.0, 5 * MB), (0.5, 2 * MB)])
def test_a_cards_memory_is_what_is_free_what_torch_keeps_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, share: float, left: int
) -> None:
    told = {
        "mem_get_info": (3 * MB, 10 * MB),
        "memory_reserved": 5 * MB,
        "memory_allocated": 3 * MB,
        "get_per_process_memory_fraction": share,
    }
    for name, value in told.items():
        monkeypatch.setattr(torch.cuda, name, lambda _device, value=value: value)
    assert free_memory(torch.device("cuda")) == left


BOUNDED = """
import sys
import torch
from painterly_engine.headroom import free_memory, left_of_bound
from painterly_engine.service.memory import bound_memory

bound_memory(int(sys.argv[1]))
left = left_of_bound()
assert free_memory(torch.device("cpu")) <= left < int(sys.argv[1]), left
kept = torch.empty(left - 64 * 2**20, dtype=torch.uint8)
try:
    torch.empty(192 * 2**20, dtype=torch.uint8)
except RuntimeError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells what a process holds")
def test_an_engines_own_bound_leaves_what_can_really_be_had() -> None:
    """As ``painterly serve --max-memory`` sets it: what is told can be taken, more cannot."""
    command = [sys.executable, "-c", BOUNDED, str(3 * 2**30)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "allocate" in done.stdout
