"""What a job will take, going by what others took."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from painterly_engine import presets
from painterly_plugin.estimate import (
    KNOWN,
    REMEMBERED,
    USUAL_SIZE,
    Basis,
    Run,
    estimate,
    load_runs,
    pace,
    run_of,
    save_run,
    working_size,
)
from painterly_plugin.wording import estimate_text
from painterly_protocol.request import PRESETS, Parameters

PIXELS = 1_000_000


def plain(seconds: float, preset: str = "draft") -> Run:
    return Run(preset, "auto", 256, 50, True, seconds)


def test_of_an_unknown_machine_nothing_is_known_before_the_first_run() -> None:
    found = estimate(Parameters(preset="draft"), PIXELS, [plain(5.0, "published")])
    assert (found.seconds, found.basis) == (None, Basis.NOTHING)
    assert found.megabytes > 0
    assert "first run" in estimate_text(found)


@pytest.mark.parametrize("preset", PRESETS)
def test_before_the_first_run_it_is_guessed_from_another_machine(preset: str) -> None:
    """Every preset has its figure; half as fast a machine takes twice as long; a run here is worth more."""
    usual, slower = (estimate(Parameters(preset=preset), PIXELS, [], pace=pace).seconds for pace in (1.0, 2.0))
    assert usual is not None
    assert slower == 2 * usual == 2 * KNOWN[preset].seconds
    found = estimate(Parameters(preset=preset), PIXELS, [plain(5.0, preset)], pace=1.0)
    assert (found.seconds, found.basis) == (5.0, Basis.LEARNT)


def test_a_guess_goes_by_the_object_and_what_is_asked() -> None:
    def guessed(parameters: Parameters, side: int = 0) -> float:
        found = estimate(parameters, PIXELS, [], side=side, pace=1.0)
        assert found.basis is Basis.GUESSED
        assert found.seconds is not None
        assert "a guess until the first run" in estimate_text(found)
        return found.seconds

    usual = guessed(Parameters("standard"))
    assert guessed(Parameters("standard"), side=100) < usual / 20
    assert guessed(Parameters("standard", size=384)) == usual / 4
    assert guessed(Parameters("standard", iterations=132)) == 2 * usual
    assert guessed(Parameters("published"), side=100) == guessed(Parameters("published"))
    assert guessed(Parameters("standard"), side=3000) > guessed(Parameters("standard"), side=2000) > usual


def test_what_was_learnt_goes_by_the_object_too() -> None:
    small = replace(plain(4.0, "standard"), side=150)

    def learnt(side: int) -> float:
        found = estimate(Parameters("standard"), PIXELS, [small], side=side)
        assert found.seconds is not None
        return found.seconds

    assert learnt(150) == 4.0
    assert learnt(300) == 16.0
    assert learnt(3000) > learnt(2000) > learnt(500) > 16.0
    assert learnt(0) == 4.0, "of an object of unknown size"


def test_the_figures_are_about_the_engines_own_presets() -> None:
    for name, preset in presets.PRESETS.items():
        known = KNOWN[name]
        assert 0.5 <= known.iterations / preset.iterations <= 2
        assert known.size is None or 0.5 <= known.size / preset.size <= 2


def test_a_machines_pace_is_a_number_of_some_sense() -> None:
    assert 0.01 < pace() < 100


def test_the_middle_of_the_latest_runs() -> None:
    runs = [plain(seconds) for seconds in (900.0, 10.0, 12.0, 11.0, 40.0, 9.0)]
    found = estimate(Parameters(preset="draft"), PIXELS, runs)
    assert (found.seconds, found.basis) == (11.0, Basis.LEARNT)
    assert estimate_text(found).startswith("Takes about 10 s")


def test_own_size_and_iterations_are_scaled() -> None:
    found = estimate(Parameters(preset="draft", size=512, iterations=100), PIXELS, [plain(10.0)])
    assert (found.seconds, found.basis) == (80.0, Basis.SCALED)
    assert "roughly" in estimate_text(found)


def test_a_run_with_an_own_size_tells_nothing_of_the_preset() -> None:
    odd = Run("draft", "auto", 64, 5, False, 1.0)
    assert estimate(Parameters(preset="draft"), PIXELS, [odd]).seconds is None
    assert estimate(Parameters(preset="draft", size=128, iterations=5), PIXELS, [odd]).seconds == 4.0


def test_more_pixels_take_more_memory() -> None:
    small, large = (estimate(Parameters(), pixels, []).megabytes for pixels in (PIXELS, 10 * PIXELS))
    assert small < large
    assert estimate(Parameters(size=1024), PIXELS, []).megabytes > small


def test_a_result_becomes_a_run() -> None:
    metadata = {"working_size": [256, 171], "iterations": 50, "seconds": {"pass-one": 3.5, "finishing": 1.0}}
    assert run_of(Parameters(preset="draft"), metadata) == Run("draft", "auto", 256, 50, True, 4.5)
    assert run_of(Parameters(preset="draft"), metadata, 120) == Run("draft", "auto", 256, 50, True, 4.5, 120)
    own = run_of(Parameters(preset="draft", size=256), metadata)
    assert own is not None
    assert not own.is_plain


@pytest.mark.parametrize(
    "metadata", [{}, {"working_size": 3, "iterations": 1, "seconds": {}}, {"working_size": [1, 2], "iterations": "x"}]
)
def test_a_result_that_says_too_little_is_no_run(metadata: dict[str, object]) -> None:
    assert run_of(Parameters(), metadata) is None


def test_runs_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "new" / "runs.json"
    assert load_runs(file) == []
    for number in range(REMEMBERED + 3):
        save_run(file, plain(float(number)))
    assert [run.seconds for run in load_runs(file)] == [float(number) for number in range(3, REMEMBERED + 3)]


def test_methods_are_told_apart() -> None:
    asked = Parameters(preset="draft", method="local")
    ran = run_of(asked, {"working_size": [200, 256], "iterations": 48, "seconds": {"pass-one": 30.0}})
    assert ran is not None and ran.preset == "draft local"
    assert estimate(asked, PIXELS, [plain(5.0), ran]).seconds == 30.0
    assert estimate(Parameters(preset="draft"), PIXELS, [plain(5.0), ran]).seconds == 5.0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"runs": 3}', '{"runs": [{"preset": 1}]}'])
def test_damage_is_forgotten(tmp_path: Path, text: str) -> None:
    file = tmp_path / "runs.json"
    file.write_text(text)
    assert load_runs(file) == []
    save_run(file, plain(1.0))
    assert len(load_runs(file)) == 1


def test_the_working_size_that_is_halved_when_memory_is_short() -> None:
    assert working_size(Parameters(preset="draft", size=300), [plain(1.0)]) == 300
    assert working_size(Parameters(preset="draft"), [plain(1.0)]) == 256
    assert working_size(Parameters(preset="published"), [plain(1.0)]) == USUAL_SIZE
