"""The benchmark: what it counts, what it projects, and one real trial in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F

from painterly_engine.arrays import to_array
from painterly_engine.balance import published_balance
from painterly_engine.bench import scenes, suites
from painterly_engine.bench.agreement import MANNERS, ON_CPU, USUAL
from painterly_engine.bench.measuring import Operations
from painterly_engine.bench.plot import plot
from painterly_engine.bench.trial import FULL_VGG, Seen, Trial, ask, run
from painterly_engine.cli.main import main
from painterly_engine.tensors import to_tensor
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import PRESETS, Parameters

TRIAL = Trial("small", "published", height=72, width=64, object_side=30, size=48, iterations=3, threads=1)


def seen(trial: Trial) -> Seen:
    """As many seconds as the painting is high, all but 3 of them in the passes."""
    seconds = {"preparing": 1.0, "pass-one": trial.height - 4.0, "matching": 1.0, "pass-two": 0.0, "finishing": 2.0}
    steps, work = {"pass-one": 0.5, "pass-two": 0.25}, {"pass-one": 5e9, "pass-two": 2e9}
    return Seen(trial, seconds, trial.height, steps, work, {"pass-one": 100, "finishing": 300}, "cpu")


def test_a_trial_in_its_own_process_tells_every_figure() -> None:
    found = run(TRIAL)
    assert found.trial == TRIAL and found.device in ("cpu", "cuda")
    assert sum(found.seconds.values()) == pytest.approx(found.total, rel=0.05)
    assert set(found.iteration) == set(found.work) == {"pass-one", "pass-two"}
    assert all(value > 0 for value in (*found.iteration.values(), *found.work.values()))
    if Path("/proc/self/clear_refs").exists():
        peak = found.peak()
        assert peak is not None and 10**6 < peak < 10**9


def test_a_trial_that_fails_says_why() -> None:
    with pytest.raises(PainterlyError, match="no such network"):
        run(Trial("broken", "published", 64, 64, 30, size=48, iterations=1, weights="/no such network.pth"))


def test_operations_of_convolutions_and_products_forwards_and_back() -> None:
    x, weight = torch.rand(1, 5, 20, 30, requires_grad=True), torch.rand(7, 5, 3, 3)
    with Operations() as operations:
        features = F.conv2d(x, weight, padding=1)
        forwards = operations.total
        torch.autograd.grad(features.sum(), x)
    assert forwards == 2 * 7 * 5 * 9 * 20 * 30
    assert operations.total == 2 * forwards
    with Operations() as operations:
        torch.rand(3, 4) @ torch.rand(4, 6)
    assert operations.total == 2 * 3 * 4 * 6


def test_seconds_of_the_full_run_are_projected_from_the_iterations() -> None:
    found = seen(TRIAL)
    assert found.projected(1000) == 72 + 997 * 0.75
    assert found.projected(1000, ("pass-two",)) == 997 * 0.25
    assert found.share(1e11) == {"pass-one": 0.1, "pass-two": 0.08}
    assert found.peak() == 300 and found.peak(("pass-one",)) == 100


@pytest.mark.parametrize("rough", [False, True])
def test_a_rough_painting_is_one_whose_histograms_count(rough: bool) -> None:
    asked = scenes.request(300, 240, 90, Parameters(), rough=rough)
    balance = published_balance(to_tensor(to_array(asked.painting), "painting"), 5.0)
    assert balance.matters(balance.histogram) == rough
    assert balance.matters(balance.variation) != rough
    assert (to_array(asked.mask) > 127).sum() == pytest.approx(3.14 / 4 * 90**2, rel=0.02)


def test_growth_is_told_beside_the_first_and_plotted(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(what: str, _arguments: Mapping[str, object]) -> dict[str, Any]:
        return {"matrix_flops": 1e11} if what == "machine" else {"size": 512}

    monkeypatch.setattr(suites, "ask", answers)
    monkeypatch.setattr(suites, "run", seen)
    told: list[str] = []
    found = json.loads(json.dumps(suites.usual(suites.Options(sizes=(256,), iterations=1000, repeats=3), told.append)))
    assert {f"{kind}, {preset}" for kind in ("canvas", "object") for preset in PRESETS} == set(found["growth"])
    canvas, own = found["growth"]["canvas, published"], found["growth"]["canvas, draft"]
    assert [row["side"] for row in canvas] == list(suites.CANVASES)
    assert [row["side"] for row in own] == list(suites.OWN_CANVASES)
    assert canvas[0]["times_the_first"]["seconds_in_full"] == 1
    assert canvas[1]["times_the_first"]["seconds_in_full"] == own[1]["times_the_first"]["seconds_in_full"] == 2
    assert canvas[1]["times_the_first"]["seconds_of_passes"] == (960 - 3) / (480 - 3)
    assert len(told) > len(found["presets"])
    texts = [text.text or "" for text in ElementTree.fromstring(plot(found)).iter() if text.tag.endswith("text")]
    assert any("ProPIH" in text for text in texts) and any("256 px" in text for text in texts)


def test_the_gpus_suite_is_the_published_run_with_the_full_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "ask", lambda *_: {"matrix_flops": 1e11})
    monkeypatch.setattr(suites, "run", seen)
    found = suites.gpu(suites.Options(), lambda _: None)
    published = [row["trial"] for row in found["presets"] if row["trial"]["preset"] == "published"]
    assert [(trial["height"], trial["width"], trial["iterations"]) for trial in published] == [
        (700, 547, None),
        (682, 700, None),
    ]
    assert {trial["weights"] for trial in published} == {"random-vgg19"}
    within = [row["trial"] for row in found["presets"] if row["trial"]["card"] == 8 * 10**9]
    assert [(trial["preset"], trial["height"], trial["object_side"]) for trial in within] == [
        ("draft", 4096, 1500),
        ("standard", 4096, 1500),
    ]
    assert plot(found).startswith("<svg")


def test_what_fails_on_a_borrowed_machine_does_not_take_the_rest_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def scarce(trial: Trial) -> Seen:
        if trial.card:
            raise PainterlyError(ErrorCode.INTERNAL, "Out of memory.")
        return seen(trial)

    answers = {"machine": {"matrix_flops": 1e11}, "agreement": {"trial": {"name": "a job"}, "manners": {}}}
    monkeypatch.setattr(suites, "ask", lambda what, _: answers[what])
    monkeypatch.setattr(suites, "run", scarce)
    assert main(["bench", "--suite", "gpu", "-o", str(tmp_path)]) == 1
    assert len(json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["presets"]) == 3
    assert "draft at 4096 px within 8 GB: Out of memory." in capsys.readouterr().out


def test_the_large_suite_draws_the_memory_held_over_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(suites, "LARGE_SIDE", 300)
    monkeypatch.setattr(suites, "LARGE_OBJECT", 90)
    assert main(["bench", "--suite", "large", "--threads", "1", "-o", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["large"]
    assert found["trial"]["preset"] == "draft" and found["total"] >= sum(found["seconds"].values()) * 0.99
    assert [phase for _, phase in found["began"]] == ["loading", "preparing", "pass-one", "pass-two", "finishing"]
    if Path("/proc/self/status").exists():
        assert found["before"] < found["peak"] == max(held for _, held in found["curve"])
        assert "MB at most" in capsys.readouterr().out
    drawing = ElementTree.parse(tmp_path / "bench.svg")
    texts = [text.text or "" for text in drawing.iter() if text.tag.endswith("text")]
    assert any("300 × 300 px, object of 90 px" in text for text in texts) and "finishing" in texts


@pytest.mark.long
def test_an_engine_cold_and_warm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--suite", "engine", "-o", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["engine"]
    assert found["hello"] < found["cold_first_iteration"]
    assert found["warm_first_word"] < found["warm_first_iteration"] < found["cold_first_iteration"]
    assert "HELLO" in capsys.readouterr().out
    if found["held_warm"]:
        assert found["held_unloaded"] < found["held_warm"] / 2


@pytest.mark.parametrize("preset", ["published", pytest.param("standard", marks=pytest.mark.long)])
def test_the_gpus_trials_run_at_a_tiny_size_on_the_cpu(preset: str) -> None:
    """Nobody lends a GPU to a test: at least nothing in them is misspelt."""
    tiny = Trial("as a GPU's", preset, 48, 40, 20, iterations=2, size=48, rough=True, weights=FULL_VGG, threads=1)
    found = run(tiny)
    assert "pass-two" in found.iteration and found.device in ("cpu", "cuda")
    assert list(found.working_size) == [40, 48]


def test_a_job_in_other_manners() -> None:
    """On a CPU TF32 is nothing, and bfloat16 rounds all the same."""
    trial = Trial("tiny", "draft", 72, 64, 30, iterations=4, device="cpu", threads=1)
    manners = ask("agreement", {"trial": asdict(trial), "on_cpu": True})["manners"]
    half = manners.pop("bfloat16 in convolutions")
    assert set(manners) == {*MANNERS, ON_CPU} - {"bfloat16 in convolutions"}
    assert all(told["same_bytes"] and told["most_off"] == 0 for told in manners.values())
    assert not half["same_bytes"] and 0 < half["mean_off"] < 20
    assert half["figures"].keys() == manners[USUAL]["figures"].keys() and len(half["figures"]) == 3


@pytest.mark.long
def test_the_gpus_suite_at_a_tiny_size_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def tiny(trial: Trial) -> Trial:
        return replace(trial, height=60, width=52, object_side=24, size=48, iterations=2, threads=1)

    def answers(what: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        small = {"trial": asdict(tiny(Trial(**arguments["trial"])))} if what == "agreement" else {}
        return ask(what, {**arguments, **small})

    monkeypatch.setattr(suites, "run", lambda trial: run(tiny(trial)))
    monkeypatch.setattr(suites, "ask", answers)
    assert main(["bench", "--suite", "gpu", "--device", "cpu", "-o", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert len(found["presets"]) == 5 and len(found["agreement"]) == 4 and not found["failed"]
    assert all(0 < share < 2 for row in found["presets"] for share in row["matrix_share"].values())
    told = capsys.readouterr().out
    assert "within 8 GB" in told and "draft at 512 px, TF32 everywhere" in told


@pytest.mark.long
def test_the_whole_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(suites, "CANVASES", (64, 80))
    monkeypatch.setattr(suites, "OWN_CANVASES", (64, 80))
    monkeypatch.setattr(suites, "OBJECTS", (20, 30))
    monkeypatch.setattr(suites, "OBJECT_CANVAS", 64)
    monkeypatch.setattr(suites, "MATCHING_SIZE", 96)
    options = ["--presets", "published", "--sizes", "64", "--iterations", "2", "--threads", "1"]
    assert main(["bench", *options, "-o", str(tmp_path / "new" / "bench")]) == 0
    found = json.loads((tmp_path / "new" / "bench" / "bench.json").read_text(encoding="utf-8"))
    assert {"machine", "peers", "presets", "growth", "matching"} <= set(found)
    assert "published at 64 px" in capsys.readouterr().out
    ElementTree.parse(tmp_path / "new" / "bench" / "bench.svg")
