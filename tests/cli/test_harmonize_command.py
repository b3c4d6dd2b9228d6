"""``painterly`` as a user runs it: processes, files, exit statuses, what is printed.

The network is random and the jobs are tiny: what the pictures look like is not the matter here.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from painterly_engine.network.features import random_network

PAINTERLY = [sys.executable, "-m", "painterly_engine.cli"]
QUICK = ["--preset", "published", "--weights", "random", "--size", "48", "--iterations", "2"]
LONG = ["--preset", "published", "--weights", "random", "--size", "160", "--iterations", "5000"]
KINDS = ("weight", "bias")
PATIENCE_S = 180


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painting of noise, a round object, the two together, its mask."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    painting = rng.integers(0, 255, (60, 80, 3), np.uint8)
    y, x = np.mgrid[:24, :24] - 11.5
    disc = (np.clip(11 - np.hypot(x, y), 0, 1) * 255).astype(np.uint8)
    cutout = np.dstack([np.full((24, 24, 3), (200, 30, 30), np.uint8), disc])
    mask = np.zeros((60, 80), np.uint8)
    mask[20:44, 30:54] = disc
    composite = np.where(mask[..., None] > 127, np.uint8([200, 30, 30]), painting)
    for name, array in {"painting": painting, "object": cutout, "mask": mask, "composite": composite}.items():
        Image.fromarray(array).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Folders of the test's own, and no engine left behind."""
    folders = {f"PAINTERLY_{name}_DIR": str(tmp_path / name.lower()) for name in ("RUNTIME", "DATA", "LOG")}
    values = {**os.environ, **folders, "OMP_NUM_THREADS": "1"}
    yield values
    subprocess.run([*PAINTERLY, "stop"], env=values, check=False, capture_output=True, timeout=PATIENCE_S)


def painterly(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*PAINTERLY, *map(str, arguments)]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=PATIENCE_S)


def harmonize(folder: Path) -> list[str | Path]:
    return ["harmonize", "--painting", folder / "painting.png"]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_engine_and_inline_give_the_same_bytes_and_the_engine_stays(
    pictures: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    job = [*harmonize(pictures), "--composite", pictures / "composite.png", "--mask", pictures / "mask.png", *QUICK]
    inline = painterly(environment, *job, "--inline", "-o", tmp_path / "inline.png")
    assert inline.returncode == 0, inline.stderr
    assert painterly(environment, "status").returncode == 1
    served = painterly(environment, *job, "-o", tmp_path / "served.png")
    assert served.returncode == 0, served.stderr
    painting, result = pixels(pictures / "painting.png"), pixels(tmp_path / "inline.png")
    assert np.array_equal(result, pixels(tmp_path / "served.png"))
    assert result.shape == painting.shape and (result != painting).any()
    corners = np.s_[:5, :5], np.s_[-5:, -5:]
    assert all(np.array_equal(result[corner], painting[corner]) for corner in corners)

    status = painterly(environment, "status", "--json")
    assert status.returncode == 0 and json.loads(status.stdout)["state"] == "ready"
    assert painterly(environment, "stop").returncode == 0
    assert "No engine" in painterly(environment, "stop").stdout


def test_a_style_of_ones_own(pictures: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Through the engine as in this process; a mask of another size is refused with both sizes."""
    other, lends = np.full((50, 40, 3), (10, 200, 40), np.uint8), np.zeros((50, 40), np.uint8)
    other[:, :20], lends[:, 20:] = (200, 40, 10), 255
    Image.fromarray(other).save(tmp_path / "other.png")
    Image.fromarray(lends).save(tmp_path / "lends.png")
    job = [*harmonize(pictures), "--composite", pictures / "composite.png", "--mask", pictures / "mask.png", *QUICK]
    style = ["--style", tmp_path / "other.png", "--style-mask", tmp_path / "lends.png"]
    for name, arguments in {"usual": [], "inline": [*style, "--inline"], "served": style}.items():
        ran = painterly(environment, *job, *arguments, "-o", tmp_path / f"{name}.png")
        assert ran.returncode == 0, ran.stderr
    usual, inline, served = (pixels(tmp_path / f"{name}.png") for name in ("usual", "inline", "served"))
    assert np.array_equal(inline, served) and not np.array_equal(inline, usual)
    refused = painterly(environment, *job, "--style-mask", tmp_path / "lends.png", "-o", tmp_path / "no.png")
    assert refused.returncode == 1
    assert "style mask is 40×50 px, the painting 80×60 px" in refused.stderr and "Traceback" not in refused.stderr


def test_a_pipe_gets_plain_lines_and_a_summary(pictures: Path, environment: dict[str, str], tmp_path: Path) -> None:
    ran = painterly(
        environment, *harmonize(pictures), "--object", pictures / "object.png", "--at", "30,20", *QUICK, "--inline",
        "--stylization", "cubism", "-o", tmp_path / "out.png",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    lines = ran.stderr.splitlines()
    assert any("first pass, iteration 1 of 2" in line for line in lines) and "\r" not in ran.stderr
    assert "stylization 10" in ran.stdout and "random" in ran.stdout and "2 iterations" in ran.stdout
    assert "working size 48 × 36 px, 2 iterations each, " in ran.stdout


def test_what_a_preset_knows_nothing_of_is_not_told(
    pictures: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    ran = painterly(
        environment, *harmonize(pictures), "--object", pictures / "object.png", "--preset", "instant", "--inline", "-o",
        tmp_path / "out.png",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "working size 80 × 60 px, " in ran.stdout
    assert "iterations" not in ran.stdout and "stylization" not in ran.stdout and "[" not in ran.stdout


@pytest.mark.parametrize("method", ["pass-one", "local"])
def test_other_methods_paint_too(pictures: Path, environment: dict[str, str], tmp_path: Path, method: str) -> None:
    ran = painterly(
        environment, *harmonize(pictures), "--object", pictures / "object.png", *QUICK, "--method", method, "--inline",
        "-o", tmp_path / "out.png",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "2 iterations" in ran.stdout and "second pass" not in ran.stderr
    assert (pixels(tmp_path / "out.png") != pixels(pictures / "painting.png")).any()


def test_progress_can_be_looked_at(pictures: Path, environment: dict[str, str], tmp_path: Path) -> None:
    ran = painterly(
        environment, *harmonize(pictures), "--object", pictures / "object.png", *QUICK, "--every", "1",
        "--snapshots", tmp_path / "snaps", "--losses", tmp_path / "losses.csv", "--record", tmp_path / "record",
        "-o", tmp_path / "out.png",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert len(list((tmp_path / "snaps").iterdir())) == 4 and (tmp_path / "record/run.json").is_file()
    assert "pass-one,1," in (tmp_path / "losses.csv").read_text()


def test_a_terminal_gets_a_bar(pictures: Path, environment: dict[str, str], tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [
        *PAINTERLY, *map(str, harmonize(pictures)), "--object", str(pictures / "object.png"), *QUICK, "--inline",
        "-o", str(tmp_path / "out.png"),
    ]  # fmt: skip
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        try:
            while piece := os.read(master, 4096):
                shown += piece
        except OSError:  # Linux's way of saying that the terminal's last user has left
            pass
        assert process.wait(PATIENCE_S) == 0
    os.close(master)
    assert b"\r" in shown and b"second pass" in shown and b"%" in shown


def test_ctrl_c_cancels_and_writes_nothing(pictures: Path, environment: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path / "never.png"
    command = [
        *PAINTERLY, *map(str, harmonize(pictures)), "--object", str(pictures / "object.png"), *LONG, "-o", str(output),
    ]  # fmt: skip
    # A shell that runs its jobs in the background, as CI may, has them ignore Ctrl+C; this one must not.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        assert process.stderr is not None
        assert any("first pass, iteration" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    assert not output.exists()
    again = painterly(
        environment, *harmonize(pictures), "--object", pictures / "object.png", *QUICK, "-o", tmp_path / "next.png"
    )
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--composite", "{p}/composite.png"], "needs a mask"),
        (["--object", "{p}/missing.png"], "missing.png"),
        (["--object", "{p}/composite.png", "--scale", "0.3"], "no transparency"),
        (["--object", "{p}/object.png", "--at", "500,500"], "outside"),
        (["--object", "{p}/object.png", "--at", "-500,-7"], "outside"),
        (["--composite", "{p}/composite.png", "--mask", "{p}/mask.png", "--at", "3,4"], "Leave out --at"),
        (["--object", "{p}/object.png", "--size", "7"], "working size of 7"),
        (["--object", "{p}/object.png", "--weights", "{p}/object.png"], "object.png"),
        (["--object", "{p}/object.png", "--stylization", "dadaism", "--weights", "random"], "dadaism"),
        (["--object", "{p}/object.png", "--mask", "{p}/tiny.png"], "mask is 3×2"),
    ],
)
def test_bad_input_gets_a_sentence_and_no_output(
    pictures: Path, environment: dict[str, str], tmp_path: Path, arguments: list[str], words: str
) -> None:
    Image.new("L", (3, 2), 255).save(pictures / "tiny.png")
    filled = [argument.format(p=pictures) for argument in arguments]
    ran = painterly(environment, *harmonize(pictures), *filled, "--inline", "-o", tmp_path / "out.png")
    assert ran.returncode == 1 and words in ran.stderr
    assert "Traceback" not in ran.stderr and ran.stderr.splitlines()[-1].startswith("painterly: ")
    assert not (tmp_path / "out.png").exists()


def test_the_parser_names_what_it_wants(pictures: Path, environment: dict[str, str], tmp_path: Path) -> None:
    for option, value in (("--at", "5"), ("--at", "a,b"), ("--scale", "x"), ("--scale", "-1")):
        ran = painterly(
            environment, *harmonize(pictures), "--object", pictures / "object.png", f"{option}={value}",
            "-o", tmp_path / "out.png",
        )  # fmt: skip
        assert ran.returncode == 2 and "for example" in ran.stderr


def test_weights_by_layout_and_relative_path_reach_the_engine(
    pictures: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """The engine runs in another folder than the command."""
    vgg = random_network(width=4)
    state = {f"conv{layer[4:]}.{kind}": vgg.get_buffer(f"{layer}_{kind}") for layer in vgg.layers for kind in KINDS}
    save_file(state, tmp_path / "own.safetensors")
    for weights in ("caffe:own.safetensors", "own.safetensors"):
        command = [
            *PAINTERLY, *map(str, harmonize(pictures)), "--object", str(pictures / "object.png"), "--size", "48",
            "--iterations", "1", "--weights", weights, "-o", "out.png",
        ]  # fmt: skip
        ran = subprocess.run(
            command, env=environment, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert ran.returncode == 0, ran.stderr
        assert "network own" in ran.stdout


def test_the_engine_is_told_whose_turn_it_is(pictures: Path, environment: dict[str, str], tmp_path: Path) -> None:
    job = [*harmonize(pictures), "--object", pictures / "object.png", *QUICK, "-o", tmp_path / "out.png"]
    for options in ([], ["--priority", "batch"]):
        ran = painterly(environment, *job, *options)
        assert ran.returncode == 0, ran.stderr
    log = Path(environment["PAINTERLY_LOG_DIR"], "engine.log").read_text(encoding="utf-8").splitlines()
    assert [line.rpartition("priority=")[2] for line in log if "event=job-queued" in line] == ["normal", "batch"]


def test_the_command_line_itself_loads_no_torch() -> None:
    code = "import sys, painterly_engine.cli.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_installed_command_runs() -> None:
    command = Path(sys.executable).parent / "painterly"
    ran = subprocess.run([command, "--version"], check=False, capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stdout.startswith("painterly 0.")


def test_doctor_and_weights_list_answer(environment: dict[str, str]) -> None:
    doctor = painterly(environment, "doctor")
    assert "torch" in doctor.stdout and "not running" in doctor.stdout and not doctor.stderr
    listed = painterly(environment, "weights", "list")
    assert listed.returncode == 0 and "vgg19" in listed.stdout
    wrong = painterly(environment, "weights", "fetch", "vgg99")
    assert wrong.returncode == 1 and "vgg99" in wrong.stderr
