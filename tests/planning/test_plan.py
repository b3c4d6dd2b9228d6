"""Capacity: figures between measured ones, what gives out first, the simulation beside theory, the command."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from painterly_engine.cli.main import main
from painterly_engine.planning.figures import Figures, Overheads, Point, picture_bytes, read_figures
from painterly_engine.planning.simulation import SPREAD, simulate
from painterly_engine.planning.stations import (
    BUSY,
    DAY_S,
    Node,
    Station,
    Work,
    first_beside_workers,
    limits,
    stations,
    store_capacity,
)
from painterly_protocol.errors import ErrorCode
from support.failing import caught

GIB = 2**30
POINTS = {"draft": [Point(256, 2.0, GIB), Point(512, 8.0, 2 * GIB)], "high": [Point(512, 60.0, GIB)]}
FIGURES = Figures(POINTS, "cpu", 2, "a test")


def work(side: int = 512, **changes: object) -> Work:
    return Work("draft", side, FIGURES, **changes)  # type: ignore[arg-type]


# ---------------------------------------------------------------- figures


def test_measured_sizes_take_what_was_measured_and_others_lie_on_a_power_law() -> None:
    assert FIGURES.seconds("draft", 256) == pytest.approx(2.0)
    assert FIGURES.seconds("draft", 512) == pytest.approx(8.0)
    assert FIGURES.seconds("draft", 362) == pytest.approx(4.0, rel=0.01)
    assert FIGURES.seconds("draft", 1024) == pytest.approx(32.0), "beyond, the law goes on"
    assert FIGURES.seconds("high", 2000) == 60.0, "one figure is no law"


def test_a_preset_that_was_not_measured_is_said() -> None:
    with caught(ErrorCode.BAD_REQUEST) as error:
        FIGURES.seconds("standard", 512)
    assert "painterly bench --presets standard" in error.value.advice


def test_the_built_in_figures_know_the_usual_presets() -> None:
    figures = read_figures()
    assert {"instant", "draft", "standard"} <= figures.points.keys()
    for preset in figures.points:
        assert figures.seconds(preset, 512) > 0
        assert figures.memory(preset, 512) > GIB / 2


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"presets": [{"trial": 1}], "machine": {}}'])
def test_a_file_that_is_none_of_benchs_is_said(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bench.json"
    file.write_text(text)
    with caught(ErrorCode.UNREADABLE_FILE):
        read_figures(file)
    with caught(ErrorCode.UNREADABLE_FILE):
        read_figures(tmp_path / "absent.json")


# ---------------------------------------------------------------- needs


def test_workers_are_busy_most_of_the_time_and_never_more() -> None:
    rate = 100_000 / DAY_S
    workers = work().workers_for(rate)
    assert rate * 8.0 / workers <= BUSY < rate * 8.0 / (workers - 1)


def test_a_machine_holds_as_many_workers_as_its_cores_cards_and_memory_allow() -> None:
    assert work(node=Node(cores=16, memory=1000e9)).workers_per_node == 8
    assert work(node=Node(cores=64, memory=12 * GIB)).workers_per_node == 4
    assert work(node=Node(memory=1e9)).workers_per_node == 0
    cards = Figures(POINTS, "NVIDIA H100", 2, "a test")
    assert Work("draft", 512, cards, Node(gpus=4)).workers_per_node == 4


def test_what_gives_out_first_is_the_station_with_the_least_room() -> None:
    found = limits(work(), workers=4)
    assert found[0] == ("workers", pytest.approx(0.5))
    assert [most for _, most in found] == sorted(most for _, most in found)
    assert first_beside_workers(found)[0] != "workers"
    thin = limits(work(network=1e6), workers=10**6)
    assert thin[0] == ("network", pytest.approx(1e6 / 8 / picture_bytes(512)))
    small = work(node=Node(store=1e6))
    assert limits(small, workers=10**6)[0] == ("object store", store_capacity(small))


def test_the_driver_gives_out_before_the_loop() -> None:
    """It does the loop's work and Ray's."""
    costs = Overheads()
    assert costs.driver > costs.loop
    by_name = {station.name: station for station in stations(work(), 1)}
    assert by_name["cluster's driver"].capacity < by_name["engine's loop"].capacity


# ---------------------------------------------------------------- simulation


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
def test_one_worker_waits_as_pollaczek_and_khinchine_say(busy: float) -> None:
    seen = simulate([Station("workers", 1, 1.0)], busy, count=20_000)
    spread = SPREAD**2 / 3  # the variance of a uniform distribution, of mean 1
    mean = busy * (1 + spread) / (2 * (1 - busy))
    assert seen.busy["workers"] == pytest.approx(busy, rel=0.05)
    assert seen.mean == pytest.approx(mean, rel=0.15)
    assert not seen.growing


def test_more_than_can_go_only_grows() -> None:
    assert simulate([Station("workers", 2, 1.0)], 2.4, count=3000).growing
    seen = simulate([Station("network", 1, 0.5), Station("workers", 8, 1.0)], 3.0, count=3000)
    assert seen.growing, "the narrow one is another station"
    assert seen.busy["network"] > 0.99
    assert seen.busy["workers"] < 0.4


def test_the_same_seed_gives_the_same_day() -> None:
    usual = [Station("workers", 3, 1.0)]
    assert simulate(usual, 2.0, count=500) == simulate(usual, 2.0, count=500)
    assert simulate(usual, 2.0, count=500) != simulate(usual, 2.0, seed=1, count=500)


# ---------------------------------------------------------------- the command


def bench_file(folder: Path, device: str = "cpu") -> Path:
    rows = [
        {"trial": {"preset": "draft", "height": p.side, "width": p.side}, "seconds_in_full": p.seconds, "peak": p.peak}
        for p in POINTS["draft"]
    ]
    file = folder / "bench.json"
    file.write_text(json.dumps({"machine": {"device": device, "threads": 2}, "presets": rows}))
    return file


def test_the_command_says_what_is_needed_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "plan.svg"
    figures = ["--figures", str(bench_file(tmp_path)), "--preset", "draft", "--size", "512"]
    assert main(["plan", "--jobs", "86400", *figures, "--per-day", "1000", "1000000", "-o", str(picture)]) == 0
    said = capsys.readouterr().out
    assert "one job         8.0 s on 2 core(s)" in said
    assert f"{math.ceil(8 / BUSY)} workers" in said
    assert "384 core-hours" in said
    assert "1 000 000" in said
    assert "beyond, this is a guess" not in said
    names = {element.text for element in ElementTree.parse(picture).iter() if element.tag.endswith("text")}
    assert {"workers", "network", "engine's loop", "cluster's driver", "jobs a day", "1 000 000"} <= names


def test_figures_of_a_graphics_card_make_a_plan_of_such_cards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = ["--figures", str(bench_file(tmp_path, "NVIDIA H100")), "--preset", "draft", "--size", "512"]
    assert main(["plan", "--jobs", "86400", *figures, "--node-gpus", "4", "--per-day", "1000"]) == 0
    said = capsys.readouterr().out
    assert "one job         8.0 s on NVIDIA H100" in said
    assert "192 GPU-hours" in said
    assert "machines        3, with 4 workers each" in said


def test_another_engine_takes_half_of_what_one_cannot_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plot says where one gives out."""
    picture = tmp_path / "plan.svg"
    asked = ["plan", "--jobs", "10", "--figures", str(bench_file(tmp_path)), "--preset", "draft", "--size", "512"]
    rates = ["--per-day", "100000", "5000000"]
    assert main([*asked, *rates, "-o", str(picture)]) == 0
    assert "the queue only grows" in capsys.readouterr().out
    found = limits(work(), workers=10**6)
    name, most = first_beside_workers(found)
    words = {element.text for element in ElementTree.parse(picture).iter()}
    assert f"the {name} gives out: {round(most * DAY_S):,} a day".replace(",", " ") in words
    enough = str(math.ceil(5_000_000 / DAY_S / most / BUSY))
    assert main([*asked, *rates, "--engines", enough, "-o", str(picture)]) == 0
    assert "the queue only grows" not in capsys.readouterr().out
    assert "gives out" not in picture.read_text("utf-8")


def test_a_size_that_was_not_measured_is_called_a_guess(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = ["--figures", str(bench_file(tmp_path)), "--preset", "draft", "--size", "2048", "--per-day", "1000"]
    assert main(["plan", "--jobs", "10", *figures]) == 0
    assert "beyond, this is a guess" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [(["--jobs", "0"], "above 0"), (["--jobs", "5", "--node-memory", "0.1"], "none fits on such a machine")],
)
def test_what_cannot_be_planned_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert main(["plan", *options, "--figures", str(bench_file(tmp_path)), "--preset", "draft"]) == 1
    assert says in capsys.readouterr().err
