"""Snapshots, films and loss tables of pictures that come into being."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from painterly_engine.report.film import check_film, write_film
from painterly_engine.report.losses import drawing, table
from painterly_engine.report.record import LossPoint
from painterly_engine.report.watching import FRAMES, Watcher
from painterly_protocol.errors import PainterlyError
from painterly_protocol.messages import Phase
from support.passes import Recorder


def paint(watcher: Watcher, iterations: int, losses_every: int = 1) -> None:
    """As a method does: a report, then a picture, every iteration; it grows lighter."""
    for done in range(1, iterations + 1):
        losses = {"style": 1 / done, "content": 0.5} if (done - 1) % losses_every == 0 else None
        watcher.report(Phase.PASS_ONE, done / iterations, iteration=done, iterations=iterations, losses=losses)
        watcher.picture(lambda done=done: torch.full((3, 20, 30), done / iterations))
    watcher.end(np.full((40, 60, 3), 255, np.uint8))


def test_snapshots_come_every_so_often_and_the_last_is_the_result(tmp_path: Path) -> None:
    watcher, heard = Watcher(5, tmp_path), Recorder()
    watcher.inner = heard
    paint(watcher, 12)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n:06}.png" for n in (1, 5, 10, 12)]
    assert np.asarray(Image.open(tmp_path / "000010.png"))[0, 0, 0] == round(255 * 10 / 12)
    assert Image.open(tmp_path / "000012.png").size == (60, 40)
    assert len(heard.pictures) == 12 and heard.iterations == list(range(1, 13)) and not watcher.frames


def test_nothing_is_computed_for_who_only_wants_losses() -> None:
    watcher = Watcher(1)
    watcher.report(Phase.PASS_ONE, 0.5, iteration=1, iterations=2, losses={"style": 1.0})
    watcher.picture(lambda: pytest.fail("nobody looks"))
    assert len(watcher.losses) == 1


def test_a_long_film_is_thinned_out_and_keeps_its_ends() -> None:
    watcher = Watcher(1, filming=True)
    paint(watcher, 3 * FRAMES)
    looks = [iteration for iteration, _ in watcher.frames]
    assert FRAMES / 2 <= len(looks) <= FRAMES and looks[0] == 1 and looks[-1] == 3 * FRAMES
    assert looks == sorted(looks)


@pytest.mark.parametrize("name", ["film.gif", "film.png", "film.apng"])
def test_films_hold_a_frame_a_look(tmp_path: Path, name: str) -> None:
    watcher = Watcher(4, filming=True)
    paint(watcher, 12)
    write_film(tmp_path / name, watcher.frames)
    with Image.open(tmp_path / name) as film:
        assert film.n_frames == 4 and film.size == (60, 40)
        film.seek(3)
        assert np.asarray(film.convert("RGB")).min() == 255
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_strip_is_one_picture_of_some_of_them(tmp_path: Path) -> None:
    watcher = Watcher(1, filming=True)
    paint(watcher, 40)
    write_film(tmp_path / "strip.jpg", watcher.frames)
    with Image.open(tmp_path / "strip.jpg") as shown:
        assert shown.width > 6 * shown.height


def test_a_name_that_is_no_film_is_refused() -> None:
    with pytest.raises(PainterlyError, match=r"film\.mov"):
        check_film(Path("film.mov"))


def test_losses_become_a_table_and_a_drawing() -> None:
    watcher = Watcher(10)
    paint(watcher, 30, losses_every=5)
    watcher.losses.append(LossPoint("pass-two", 1, {"style": 2.0, "patches": 3.0}))
    rows = list(csv.DictReader(io.StringIO(table(watcher.losses))))
    assert [row["iteration"] for row in rows] == ["1", "11", "21", "1"]
    assert list(rows[0]) == ["phase", "iteration", "total", "style", "content", "histogram", "variation", "patches"]
    assert float(rows[1]["total"]) == pytest.approx(1 / 11 + 0.5, rel=1e-5) and rows[1]["histogram"] == ""
    assert (rows[3]["total"], rows[3]["patches"]) == ("5", "3")
    drawn = ElementTree.fromstring(drawing(watcher.losses))
    assert len(drawn.findall("{http://www.w3.org/2000/svg}svg")) == 2
    assert {"total", "style", "patches"} <= {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    ElementTree.fromstring(drawing([]))
