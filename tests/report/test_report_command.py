"""``painterly harmonize --record`` and ``painterly report`` as a user runs them, down to what a browser shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from painterly_engine.report import record
from support.browser import Page
from support.browser_build import Browser
from support.records import a_record, canvas

PAINTERLY = [sys.executable, "-m", "painterly_engine.cli"]
PATIENCE_S = 180


def painterly(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*PAINTERLY, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """A quick job with a random network; add ``-o`` and the rest."""
    folder = tmp_path_factory.mktemp("job")
    rng = np.random.default_rng(0)
    painting = rng.integers(0, 255, (90, 120, 3), np.uint8)
    mask = np.zeros((90, 120), np.uint8)
    mask[30:60, 40:80] = 255
    composite = np.where(mask[..., None] > 0, np.array([200, 30, 30], np.uint8), painting)
    for name, array in {"painting": painting, "mask": mask, "composite": composite}.items():
        Image.fromarray(array).save(folder / f"{name}.png")
    pictures = [part for name in ("painting", "composite", "mask") for part in (f"--{name}", folder / f"{name}.png")]
    return [
        "harmonize",
        *pictures,
        "--weights",
        "random",
        "--preset",
        "published",
        "--size",
        "96",
        "--iterations",
        "12",
    ]


@pytest.fixture(scope="module")
def run(job: list[str | Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded run, its result beside it."""
    folder = tmp_path_factory.mktemp("runs") / "first try"
    ran = painterly(*job, "-o", folder.parent / "out.png", "--record", folder)
    assert ran.returncode == 0, ran.stderr
    assert f"painterly report '{folder}'" in ran.stdout
    return folder


def test_the_record_holds_what_was_computed(run: Path) -> None:
    kept = record.load(run)
    assert np.array_equal(kept.result, np.asarray(Image.open(run.parent / "out.png").convert("RGB")))
    assert kept.parameters["size"] == 96 and kept.about["iterations"] == 12
    assert {"pass-one", "pass-two"} == {point.phase for point in kept.losses}
    assert {stage.kind for stage in kept.stages} == {"picture", "mask", "field"}
    figures = {figure.name.split(" in ")[0]: figure for figure in kept.figures}
    assert figures["changed outside"].result == 0 and (figures["object changed"].result or 0) > 0
    assert all(path.suffix in {".json", ".png", ".npz"} for path in run.iterdir() if path.name != "report.html")


def test_a_run_becomes_a_page(run: Path, browser: Browser) -> None:
    ran = painterly("report", run)
    assert ran.returncode == 0 and str(run / "report.html") in ran.stdout, ran.stderr
    with Page(browser=browser) as page:
        page.open(run / "report.html")
        assert page.complaints == [] and page.asked_for == [page.address]
        headings = page.run("[...document.querySelectorAll('h2')].map(h => h.innerText)")
        assert len(headings) == 7 and page.run("document.querySelectorAll('svg.chart').length") == 2
        assert page.run("document.title") == "first try"


def test_a_folder_becomes_a_page_that_leads_to_each_runs_own(tmp_path: Path, browser: Browser) -> None:
    for name in ("a & b", "100 %", "9 %"):
        record.save(a_record(), tmp_path / "runs" / name)
    (tmp_path / "runs" / "notes").mkdir()
    references = tmp_path / "others"
    references.mkdir()
    Image.fromarray(canvas((1, 2, 3))).save(references / "a & b.png")
    ran = painterly("report", tmp_path / "runs", "--references", references, "-o", tmp_path / "sheet.html")
    assert ran.returncode == 0, ran.stderr
    with Page(browser=browser) as page:
        page.open(tmp_path / "sheet.html")
        rows = page.run(
            "[...document.querySelectorAll('.row')]"
            ".map(r => [r.querySelector('h3').innerText, r.querySelectorAll('img').length])"
        )
        assert rows == [["9 %", 4], ["100 %", 4], ["a & b", 6]]
        for number, (name, _) in enumerate(rows, start=1):
            page.open(tmp_path / "sheet.html")
            page.follow(f".row:nth-of-type({number}) h3 a")
            assert page.run("document.title") == name
            assert page.address.endswith("report.html")


def test_making_a_page_loads_no_torch(run: Path) -> None:
    code = (
        "import sys; from painterly_engine.cli.main import main\n"
        f"assert main(['report', {str(run)!r}]) == 0; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_a_record_in_the_way_is_said_before_the_work(job: list[str | Path], run: Path, tmp_path: Path) -> None:
    before = (run / "run.json").read_bytes()
    ran = painterly(*job, "-o", tmp_path / "out.png", "--record", run)
    assert ran.returncode == 1 and "not empty" in ran.stderr and "%" not in ran.stderr
    assert (run / "run.json").read_bytes() == before and not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    "results", [["-o", "r/out.png"], ["-o", "out.png", "--film", "r/f.gif"], ["-o", "out.png", "--snapshots", "r"]]
)
def test_the_result_cannot_lie_in_its_record(job: list[str | Path], tmp_path: Path, results: list[str]) -> None:
    """All of the work was done before it was told that the record could not be kept."""
    (tmp_path / "r").mkdir()
    places = [word if word.startswith("-") else tmp_path / word for word in results]
    ran = painterly(*job, *places, "--record", tmp_path / "r")
    assert ran.returncode == 1 and "beside that folder" in ran.stderr
    assert list((tmp_path / "r").iterdir()) == [] and not (tmp_path / "out.png").exists()


def test_a_job_that_fails_leaves_no_record(job: list[str | Path], tmp_path: Path) -> None:
    ran = painterly(*job, "--size", "33", "--weights", tmp_path / "none.pth", "-o", tmp_path / "o.png",
                    "--record", tmp_path / "r")  # fmt: skip
    assert ran.returncode == 1 and "none.pth" in ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{t}"], "no recorded run"),
        (["{t}/missing"], "no recorded run"),
        (["{t}/broken"], "cannot be read"),
        (["{t}/cup", "-o", "{t}/nowhere/page.html"], "cannot be written"),
        (["{t}/cup", "--references", "{t}"], "several runs only"),
        (["{t}/cup", "-o", "{t}/cup/painting.png"], "read here"),
        (["{t}/cup", "-o", "{t}/cup/run.json"], "read here"),
    ],
)
def test_bad_input_gets_a_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    record.save(a_record(), tmp_path / "sub" / "cup")
    (tmp_path / "sub" / "broken").mkdir()
    (tmp_path / "sub" / "broken" / "run.json").write_text("{}")
    place = tmp_path / "sub" if "/" in arguments[0] else tmp_path
    ran = painterly("report", *(argument.format(t=place) for argument in arguments))
    assert ran.returncode == 1 and words in ran.stderr
    assert "Traceback" not in ran.stderr and ran.stderr.splitlines()[-1].startswith("painterly: ")
    assert not list(tmp_path.rglob("*.part"))
    assert record.load(tmp_path / "sub" / "cup").painting.shape == a_record().painting.shape
