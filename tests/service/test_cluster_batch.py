"""``painterly batch --backend ray``: what a batch promises holds when its driver or a node goes down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.fake_engine import wait_until
from support.halting import killed_after
from support.ray_cluster import RayCluster

pytest.importorskip("ray", reason="Ray is not installed: pip install 'painterly-harmonize[cluster]'")

COUNT = 12
QUICK = ("--preset", "published", "--weights", "slim", "--size", "64", "--iterations", "3")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    folder = tmp_path / "pairs"
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        (folder / str(number)).mkdir(parents=True)
        painting = rng.integers(0, 255, (64, 64, 3), np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        mask[16:40, 20:45] = 255
        composite = np.where(mask[..., None] > 0, np.uint8([200, 30, 30]), painting)
        for part, array in {"painting": painting, "composite": composite, "mask": mask}.items():
            Image.fromarray(array).save(folder / str(number) / f"{part}.png")
    return folder


def batch(pairs: Path, output: Path, log: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "painterly_engine.cli", "batch", str(pairs), "-o", str(output), *QUICK, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PAINTERLY_LOG_DIR": str(log)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def pictures(output: Path) -> dict[str, bytes]:
    return {file.name: Image.open(file).tobytes() for file in output.glob("*.png")}


def test_a_batch_whose_driver_and_node_are_killed_goes_on_and_does_nothing_twice(
    tmp_path: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    said, errors = batch(pairs, near, tmp_path / "log", "--inline").communicate(timeout=600)
    assert f"{COUNT} made" in said, errors
    with RayCluster(nodes=2, cpus=1) as cluster:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        options = (*cluster.options, "--workers", "2")
        monkeypatch.setenv("PAINTERLY_LOG_DIR", str(tmp_path / "log"))
        killed_after(f"3 of {COUNT}", "batch", pairs, "-o", far, *QUICK, *options)
        before = {name: (far / name).stat().st_mtime_ns for name in pictures(far)}
        assert 0 < len(before) < COUNT
        again = batch(pairs, far, tmp_path / "log", *options)
        wait_until(lambda: len(pictures(far)) >= len(before) + 2, 300)
        cluster.kill(0)
        said, errors = again.communicate(timeout=600)
    assert again.returncode == 0, errors
    assert f"{COUNT - len(before)} made" in said
    assert f"{len(before)} finished before" in said
    assert {name: (far / name).stat().st_mtime_ns for name in before} == before
    assert pictures(far) == pictures(near)
    assert len(pictures(far)) == COUNT
