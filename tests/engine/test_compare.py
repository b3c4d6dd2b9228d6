"""What a comparison runs, and what it says of it."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from painterly_engine.compare import page
from painterly_engine.compare.running import Bench, Outcome, Subject
from painterly_engine.compare.variants import PASTED, Variant, variants
from painterly_engine.network.features import VGG16_BLOCKS, VGG19_BLOCKS
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.report.record import Figure, LossPoint


def noise(seed: int, height: int = 60, width: int = 80) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def silent(_variant: Variant) -> None:
    pass


def test_every_combination_that_a_method_knows_comes_once() -> None:
    found = variants(
        [PASTED, "global", "adain", "two-pass"], {"ratio": [1.0, 0.01], "weights": ["slim"], "preset": ["draft"]}
    )
    assert [(one.name, dict(one.options)) for one in found] == [
        ("pasted", {}),
        ("global, ratio 1", {"ratio": 1.0, "weights": "slim"}),
        ("global, ratio 0.01", {"ratio": 0.01, "weights": "slim"}),
        ("adain", {}),
        ("two-pass", {"weights": "slim", "preset": "draft"}),
    ]
    (alone, _) = variants(["global"], {"content_layer": ["2_2", "4_2"], "iterations": [5]})
    assert alone.name == "content layer 2_2" and alone.options["iterations"] == 5


def test_shorter_runs_are_looks_at_the_longest_and_the_same() -> None:
    subject = Subject(noise(1), noise(2))
    chosen = variants(["global"], {"iterations": [2, 6], "weights": ["slim"]})
    told: list[str] = []
    short, long = Bench(subject, size=48).run_all(chosen, lambda variant: told.append(variant.name))
    assert told == ["2 iterations"] and 0 < short.seconds < long.seconds
    (alone,) = Bench(subject, size=48).run_all(chosen[:1], silent)
    assert np.abs(alone.picture.astype(int) - short.picture).max() <= 2  # brought up from 8 bits, not from floats
    assert (long.picture != short.picture).any() and long.step is not None
    assert [point.iteration for point in short.losses] == [1, 2] and len(long.losses) == 6
    assert [figure.name for figure in long.figures][-1] == "colours changed"


def test_what_is_named_twice_is_timed_twice() -> None:
    chosen = variants(["global"], {"weights": ["slim", "slim"], "iterations": [2]})
    told: list[str] = []
    first, again = Bench(Subject(noise(1), noise(2)), size=48).run_all(chosen, lambda one: told.append(one.name))
    assert len(told) == 2 and first.seconds != again.seconds and again.work is not None and again.work > 0
    assert np.array_equal(first.picture, again.picture)


@pytest.mark.parametrize("method", ["local", "global", "adain", "two-pass", "pass-one"])
def test_objects_are_painted_by_each_method_and_nothing_else_is(method: str) -> None:
    painting, mask = noise(3, 120, 150), np.zeros((120, 150), np.uint8)
    mask[50:70, 60:85] = 255
    composite = np.where(mask[..., None] > 0, np.uint8([210, 40, 40]), painting)
    chosen = variants([PASTED, method], {"iterations": [2], "weights": ["slim"], "preset": ["draft"]})
    pasted, painted = Bench(Subject(composite, painting, mask), size=64).run_all(chosen, silent)
    assert pasted.picture is composite and pasted.step is None and not pasted.losses
    assert np.array_equal(painted.picture[:20], painting[:20]) and (painted.picture != composite)[mask > 0].any()
    assert {figure.name for figure in painted.figures} >= {"seam", "style distance in slim"}


def outcome(name: str, step: float | None, losses: list[LossPoint]) -> Outcome:
    figures = [Figure("seam", "How hard.", 2.0, 1.5)]
    return Outcome(Variant("global", {}, name), noise(4), 3.0, step, step and step / 2, losses, figures)


def test_the_table_has_a_row_a_variant_and_gaps_where_there_is_no_number() -> None:
    rows = page.table(
        [
            outcome("first", 0.5, [LossPoint("pass-one", 1, {"style": 9.0}), LossPoint("pass-one", 2, {"style": 3.0})]),
            outcome("second", 1.0, []),
            outcome("third, quick", None, [LossPoint("pass-one", 1, {"content": 4.0})]),
        ]
    )
    found = list(csv.DictReader(io.StringIO(page.as_csv(rows))))
    assert [row["variant"] for row in found] == ["first", "second", "third, quick"]
    assert [row["times the first"] for row in found] == ["1", "2", ""]
    assert [row["of a processor"] for row in found] == ["0.25", "0.5", ""]
    assert [row["loss: style"] for row in found] == ["3", "", ""] and found[2]["loss: content"] == "4"
    assert found[0]["seam"] == "1.5" and found[0]["seconds"] == "3"


def test_the_page_says_everything_and_fetches_nothing() -> None:
    losses = [LossPoint("pass-one", n, {"style": 9.0 / n}) for n in (1, 2, 3)]
    subject = Subject(noise(1), noise(2))
    text = page.page("a <b>", subject, [outcome("one & only", 0.5, losses)], ["No graphics card."])
    assert "a &lt;b&gt;" in text and "one &amp; only" in text and "No graphics card." in text and "How hard." in text
    assert "one &amp; only" in page.drawing([outcome("one & only", 0.5, losses)])
    assert 'class="chart"' in text and "http" not in text.replace("http-equiv", "")
    shown = page.tiles(subject, [outcome("one", 0.5, [])])
    assert [name for name, _ in shown] == ["painting", "content", "one"]
    assert page.grid(shown * 2).shape[0] > 1.8 * page.grid(shown).shape[0]


@pytest.mark.parametrize(("name", "blocks"), [("random-vgg16", VGG16_BLOCKS), ("random-vgg19", VGG19_BLOCKS)])
def test_networks_for_timing_are_as_wide_and_deep_as_vgg(name: str, blocks: tuple[int, ...]) -> None:
    network = NetworkShelf().get(name)
    assert len(network.layers) == sum(blocks) and network.get_buffer("relu5_1_weight").shape == (512, 512, 3, 3)
