"""``painterly video --backend ray``: shots side by side; the same video as here, whatever goes down meanwhile."""

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
av = pytest.importorskip("av", reason="PyAV is not installed")
cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")

HEIGHT, WIDTH, SHOTS, FRAMES = 240, 320, 4, 8  # a frame does not fit into a message of Ray's own
PATIENCE_S = 600


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Shots that have nothing in common, each a slow pan."""
    file = tmp_path / "clip.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for shot in range(SHOTS):
            scene = texture(shot, HEIGHT, WIDTH + FRAMES)
            for number in range(FRAMES):
                pixels = np.ascontiguousarray(scene[:, number : number + WIDTH])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    Image.fromarray(texture(99, 150, 190)).save(tmp_path / "painting.png")
    return file


def video(clip: Path, output: Path, *options: str) -> subprocess.Popen[str]:
    painting = clip.with_name("painting.png")
    command = [sys.executable, "-m", "painterly_engine.cli", "video", str(clip), "--painting", str(painting)]
    command += ["-o", str(output), "--size", "64", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def pictures(file: Path) -> list[np.ndarray]:
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_video_whose_driver_and_node_are_killed_goes_on_and_ends_the_same(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far, work = tmp_path / "near.mp4", tmp_path / "far.mp4", tmp_path / "work"
    _, errors = (local := video(clip, near)).communicate(timeout=PATIENCE_S)
    assert local.returncode == 0, errors
    with RayCluster(nodes=2, cpus=1) as cluster:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        options = (*cluster.options, "--workers", "2", "--work", str(work))
        painting = clip.with_name("painting.png")
        killed_after("10 frames", "video", clip, "--painting", painting, "-o", far, "--size", "64", *options)
        before = {file.name: file.stat().st_mtime_ns for file in work.glob("0*.png")}
        assert 3 <= len(before) < SHOTS * FRAMES
        again = video(clip, far, *options)
        wait_until(lambda: len(list(work.glob("0*.png"))) > len(before) or again.poll() is not None, PATIENCE_S)
        cluster.kill(0)
        said, errors = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, errors
    assert f"{SHOTS * FRAMES} frames in {SHOTS} shots" in said
    assert "all of them painted before" in said or f"{SHOTS * FRAMES} of them painted before" in said
    kept = list(work.glob("0*.png"))
    assert len(kept) == SHOTS * FRAMES, "each frame once"
    assert {file.name: file.stat().st_mtime_ns for file in kept if file.name in before} == before
    ours, theirs = pictures(near), pictures(far)
    assert len(ours) == len(theirs) == SHOTS * FRAMES
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_more_workers_than_the_cluster_has_room_for(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that find none are not waited for; with --frames no more is painted than was asked for."""
    with RayCluster(nodes=1, cpus=1) as cluster:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        options = ("--workers", "3", "--frames", str(FRAMES + 3), "--work", str(tmp_path / "work"))
        asked = video(clip, tmp_path / "out.mp4", *cluster.options, *options)
        said, errors = asked.communicate(timeout=PATIENCE_S)
    assert asked.returncode == 0, errors
    assert f"{FRAMES + 3} frames in 2 shots, {FRAMES + 3} of them painted before" in said
    assert len(list((tmp_path / "work").glob("0*.png"))) == FRAMES + 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--workers", "2"), "--backend ray"),
        (("--backend", "ray", "--address", "ray://127.0.0.1:1"), "streams no frames"),
    ],
)
def test_workers_that_cannot_be_had_are_said(tmp_path: Path, clip: Path, options: tuple[str, ...], says: str) -> None:
    asked = video(clip, tmp_path / "out.mp4", *options)
    _, errors = asked.communicate(timeout=PATIENCE_S)
    assert asked.returncode == 1
    assert says in errors
