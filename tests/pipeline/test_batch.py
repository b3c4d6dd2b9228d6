"""Batches: lists and folders read, finished results known again, crews of every kind, the command from end to end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from painterly_engine.batch.description import entries_of
from painterly_engine.batch.entries import Broken, Entry, request
from painterly_engine.batch.folder import entries_in
from painterly_engine.batch.in_engine import InEngine
from painterly_engine.batch.ledger import Ledger, key_of, network_key
from painterly_engine.batch.running import State, run_batch
from painterly_engine.batch.work import Done, Job, OneByOne
from painterly_engine.cli.main import main
from painterly_engine.pictures.files import Picture
from painterly_protocol.client import EngineClient
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import EngineMessage, Progress, Result
from painterly_protocol.request import HarmonizeRequest, Parameters
from support import jobs
from support.halting import killed_after
from support.real_engine import RealEngine

QUICK = ["--preset", "published", "--weights", "random", "--size", "48", "--iterations", "1", "--inline"]
PATIENCE_S = 180


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Three jobs of 64×48 px, each in a folder."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "pairs"
    for name in ("1", "2", "10"):
        (folder / name).mkdir(parents=True)
        painting = rng.integers(0, 255, (48, 64, 3), np.uint8)
        mask = np.zeros((48, 64), np.uint8)
        mask[10:30, 20:45] = 255
        composite = np.where(mask[..., None] > 0, np.uint8([200, 30, 30]), painting)
        for part, array in {"painting": painting, "composite": composite, "mask": mask}.items():
            Image.fromarray(array).save(folder / name / f"{part}.png")
    return folder


def silent(_name: str, _event: EngineMessage) -> None:
    pass


def invert(request: HarmonizeRequest, _on_event: object) -> Result:
    """A crew's run that takes no time: the composite inverted."""
    samples = bytes(255 - sample for sample in bytes(request.composite.data))
    picture = type(request.composite)(
        request.composite.height, request.composite.width, 3, request.composite.sample_type, samples
    )
    return Result("job", 0, 0, picture, {"warnings": ["it was inverted"], "seconds": {"loading": 1.5}})


class TestFolders:
    def test_a_folder_for_each_job(self, pairs: Path) -> None:
        found = entries_in(pairs, Parameters(preset="draft"))
        assert [entry.name for entry in found] == ["1", "2", "10"]
        first = found[0]
        assert isinstance(first, Entry) and first.parameters.preset == "draft"
        assert first.mask == pairs / "1/mask.png" and first.loose_mask is None

    @pytest.mark.parametrize(
        "names",
        [
            ("sea_painting.png", "sea_composite.png", "sea_mask.png", "sea_mask_loose.png"),
            ("sea-painting.png", "sea-composite.png", "sea-mask.png", "sea-loose-mask.png"),
            ("sea_target.png", "sea_naive.png", "sea_c_mask.png", "sea_c_mask_dilated.png"),
        ],
    )
    def test_names_in_front(self, pairs: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
        folder = tmp_path / "flat"
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes((pairs / "1/mask.png").read_bytes())
        (folder / "notes.txt").write_text("not a picture")
        (folder / "sea_sketch.png").write_bytes(b"of no role")
        (entry,) = entries_in(folder, Parameters())
        assert isinstance(entry, Entry) and entry.name == "sea"
        roles = [entry.painting, entry.composite, entry.mask, entry.loose_mask]
        assert [path and path.name for path in roles] == list(names)

    def test_every_name_is_known_in_a_folder_of_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "sea").mkdir()
        names = ("target.png", "naive.png", "c_mask.png", "loose-mask.png", "style.jpg", "style_mask.png")
        for name in (*names, "sketch.png", "my_painting.png"):
            (tmp_path / "sea" / name).write_bytes(b"a picture")
        (entry,) = entries_in(tmp_path, Parameters())
        assert isinstance(entry, Entry) and [path.name for _, path in entry.files()] == list(names)

    def test_what_is_missing_or_twofold_breaks_that_job_only(self, pairs: Path) -> None:
        (pairs / "2/mask.png").unlink()
        (pairs / "10/painting.jpg").write_bytes(b"another")
        one, two, ten = entries_in(pairs, Parameters())
        assert isinstance(one, Entry) and isinstance(two, Broken) and "no mask" in str(two.error)
        assert isinstance(ten, Broken) and "painting.jpg and" in str(ten.error) and "its painting" in str(ten.error)

    def test_names_that_differ_in_capitals_are_one_job(self, pairs: Path) -> None:
        """Elsewhere its result would be one file."""
        for part in ("painting", "composite"):
            (pairs / f"Cup_{part}.png").write_bytes((pairs / f"1/{part}.png").read_bytes())
        (pairs / "cup_mask.png").write_bytes((pairs / "1/mask.png").read_bytes())
        *_, cup = entries_in(pairs, Parameters())
        assert isinstance(cup, Entry) and cup.name == "Cup" and cup.mask == pairs / "cup_mask.png"
        (pairs / "CUP").mkdir()
        (pairs / "CUP/mask.png").write_bytes((pairs / "1/mask.png").read_bytes())
        found = entries_in(pairs, Parameters())
        broken = [entry for entry in found if isinstance(entry, Broken)]
        both = f"{Path('CUP/mask.png')} and cup_mask.png could both be its mask"
        assert len(found) == 4 and len(broken) == 1 and both in str(broken[0].error)

    def test_an_ambiguous_job_fails_and_stays_failed(self, pairs: Path, tmp_path: Path) -> None:
        """It was said to have failed, was made none the less, and counted as made."""
        (pairs / "2/mask.jpg").write_bytes((pairs / "2/mask.png").read_bytes())
        told: list[str] = []
        ledger = Ledger(tmp_path / "out")
        entries = entries_in(pairs, Parameters(weights="slim"))
        outcomes = run_batch(
            entries, ledger, OneByOne(invert), silent, lambda outcome: told.append(outcome.state.value)
        )
        assert [outcome.state for outcome in outcomes] == [State.MADE, State.FAILED, State.MADE]
        assert sorted(told) == ["failed", "made", "made"]
        assert not ledger.result("2").exists() and "could both be its mask" in outcomes[1].reason

    def test_a_folder_of_something_else_gets_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(PainterlyError, match="no jobs"):
            entries_in(tmp_path, Parameters())


class TestLists:
    def listed(self, folder: Path, text: str, **overriding: object) -> list[Entry | Broken]:
        (folder / "jobs.yaml").write_text(text, encoding="utf-8")
        return entries_of(folder / "jobs.yaml", overriding)

    def test_a_list_says_everything(self, tmp_path: Path) -> None:
        one, two = self.listed(
            tmp_path,
            """
            defaults: {preset: draft, strength: 0.7, style: night.jpg, style-mask: moon.png}
            jobs:
              - {name: cup, painting: sea.jpg, composite: c.png, mask: /m.png, loose-mask: l.png,
                 seed: 3, weights: n.pth, style: day.jpg, method: local}
              - name: 7
                painting: sea.jpg
                objects:
                  - cup.png
                  - {file: cat.png, at: [-3, 8], scale: 0.5, rotate: 90, flip: true, feather: 1.5, grow: 2}
                strength: 0.2
                stylization: auto
            """,
        )
        assert isinstance(one, Entry) and isinstance(two, Entry)
        assert (one.painting, one.mask, one.loose_mask) == (tmp_path / "sea.jpg", Path("/m.png"), tmp_path / "l.png")
        assert (one.parameters.preset, one.parameters.strength, one.parameters.seed) == ("draft", 0.7, 3)
        assert one.parameters.weights == str(tmp_path / "n.pth") and one.parameters.method == "local"
        assert (one.style, one.style_mask) == (tmp_path / "day.jpg", None), "a mask is one of its own style's"
        assert (two.style, two.style_mask) == (tmp_path / "night.jpg", tmp_path / "moon.png")
        assert two.name == "7" and two.parameters.strength == 0.2 and two.parameters.stylization is None
        (_, plain), (path, placed) = two.objects
        assert plain.at is None and path == tmp_path / "cat.png"
        assert (placed.at, placed.scale, placed.rotate, placed.flip, placed.grow) == ((-3, 8), 0.5, 90, True, 2)

    def test_the_documents_example_is_right(self, tmp_path: Path, repository: Path) -> None:
        text = (repository / "docs/pipeline.md").read_text(encoding="utf-8")
        found = self.listed(tmp_path, text.split("```yaml\n")[1].split("```")[0])
        assert [isinstance(entry, Entry) for entry in found] == [True, True]

    def test_the_command_line_counts_more(self, tmp_path: Path) -> None:
        text = "jobs: [{name: a, painting: p, composite: c, mask: m, preset: high, seed: 5}]"
        (one,) = self.listed(tmp_path, text, preset="instant")
        assert isinstance(one, Entry) and one.parameters.preset == "instant" and one.parameters.seed == 5

    @pytest.mark.parametrize(
        ("job", "words"),
        [
            ("{name: a, painting: p, composite: c}", "no mask"),
            ("{name: a, composite: c, mask: m}", "no painting"),
            ("{name: a, painting: p, composite: c, mask: m, objects: [o]}", "both objects and"),
            ("{name: a, painting: p, objects: []}", "Give a list"),
            ("{name: a, painting: p, objects: [{file: o, at: 3}]}", "two whole numbers"),
            ("{name: a, painting: p, objects: [{file: o, sclae: 3}]}", "An object has an unknown setting “sclae”."),
            ("{name: a, painting: p, composite: c, mask: m, colour: red}", "Job 1 has an unknown setting “colour”."),
            ("{name: a, painting: p, objects: [{scale: 3}]}", "no file"),
            ("{name: a, painting: p, objects: [{file: o, scale: -3}]}", "scale of -3"),
            ("{name: a, painting: p, composite: c, mask: m, strength: much}", "Give a number"),
            ("{name: a, painting: p, composite: c, mask: m, strength: 7}", "strength of 7"),
            ("{name: a, painting: p, composite: c, mask: m, preset: best}", "no preset"),
            ("{name: a, painting: p, composite: c, mask: m, method: mosaic}", "no method"),
            ("{name: a, painting: p, composite: c, mask: m, style: [s]}", "Give text"),
            ("{name: ../a, painting: p, composite: c, mask: m}", "without slashes"),
            ("{name: a, painting: true, composite: c, mask: m}", "Give text"),
            ("just words", "key: value"),
            ("[1, 2]", "key: value"),
        ],
    )
    def test_a_bad_job_breaks_itself_only(self, tmp_path: Path, job: str, words: str) -> None:
        good = "{name: good, painting: p, composite: c, mask: m}"
        bad, fine = self.listed(tmp_path, f"jobs:\n  - {job}\n  - {good}\n")
        assert isinstance(bad, Broken) and words in str(bad.error)
        assert isinstance(fine, Entry)

    def test_two_of_one_name(self, tmp_path: Path) -> None:
        job = "{name: a, painting: p, composite: c, mask: m}"
        one, two = self.listed(tmp_path, f"jobs: [{job}, {job}]")
        assert isinstance(one, Entry) and isinstance(two, Broken) and two.name != one.name

    def test_every_duplicate_has_a_name_and_an_outcome_of_its_own(self, tmp_path: Path) -> None:
        job = "painting: p, composite: c, mask: m"
        names = ["a", "A", "b", "a", "job 2 (A)", "b", "job 6 (b)"]
        found = self.listed(tmp_path, "jobs:\n" + "".join(f"  - {{name: {name}, {job}}}\n" for name in names))
        assert [isinstance(entry, Entry) for entry in found] == [True, False, True, False, True, False, True]
        assert len({entry.name.casefold() for entry in found}) == len(names)
        assert isinstance(found[1], Broken) and "called a too, and their results" in str(found[1].error)
        outcomes = run_batch(found, Ledger(tmp_path / "out"), OneByOne(invert), silent, lambda _: None)
        assert [outcome.name for outcome in outcomes] == [entry.name for entry in found]

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "jobs: 3", "jobs: [", "a: &a [*a]", "jobs: []\nmore: 1", "\x00", "!!python/object:os.system {}"],
    )
    def test_what_is_no_list_gets_a_sentence(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(PainterlyError) as caught:
            self.listed(tmp_path, text)
        assert caught.value.code is ErrorCode.UNREADABLE_FILE

    def test_lists_need_yaml(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "yaml", None)
        with pytest.raises(PainterlyError, match=r"painterly-harmonize\[batch\]"):
            self.listed(tmp_path, "jobs: []")


class TestLedger:
    def states(self, pairs: Path, folder: Path) -> list[State]:
        entries = entries_in(pairs, Parameters(weights="slim"))
        outcomes = run_batch(entries, Ledger(folder), OneByOne(invert), silent, lambda _outcome: None)
        return [outcome.state for outcome in outcomes]

    def test_finished_is_finished_until_something_changes(self, pairs: Path, tmp_path: Path) -> None:
        made, before = State.MADE, State.FINISHED
        assert self.states(pairs, tmp_path / "out") == [made] * 3
        assert self.states(pairs, tmp_path / "out") == [before] * 3
        first = np.asarray(Image.open(tmp_path / "out/1.png"))
        assert np.array_equal(first, 255 - np.asarray(Image.open(pairs / "1/composite.png")))
        mask = np.asarray(Image.open(pairs / "2/mask.png")).copy()
        mask[0, 0] = 255
        Image.fromarray(mask).save(pairs / "2/mask.png")
        (tmp_path / "out/10.png").unlink()
        assert self.states(pairs, tmp_path / "out") == [before, made, made]
        assert self.states(pairs, tmp_path / "out") == [before] * 3

    def test_the_key_knows_settings_placements_and_network(self, pairs: Path, tmp_path: Path) -> None:
        def key(**settings: object) -> str:
            entry = Entry("a", pairs / "1/painting.png", parameters=Parameters(**{"weights": "slim", **settings}))  # type: ignore[arg-type]
            return key_of(entry)

        network = tmp_path / "network.bin"
        keys = {key(), key(seed=1), key(preset="instant"), key(weights="random")}
        for content in (b"one", b"another one"):
            network.write_bytes(content)
            keys.add(key(weights=str(network)))
        assert len(keys) == 6
        assert key(weights="auto") in {key(), key(weights="vgg19") if key(weights="auto") != key() else key()}

    def test_the_network_is_the_one_that_paints(self) -> None:
        random = Parameters(weights="random")
        slim = network_key(replace(random, preset="instant"))
        assert network_key(replace(random, method="adain")) == slim
        assert network_key(replace(random, preset="instant", method="local")) == network_key(random) != slim

    def test_what_no_batch_wrote_is_not_written_over(self, pairs: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        (out / "1.png").write_bytes(b"a picture of somebody's")
        assert self.states(pairs, out) == [State.FAILED, State.MADE, State.MADE]
        (out / "2.png").write_bytes(b"retouched by hand")
        (pairs / "2/mask.png").write_bytes((pairs / "2/composite.png").read_bytes())
        assert self.states(pairs, out) == [State.FAILED, State.FAILED, State.FINISHED]
        assert (out / "1.png").read_bytes() == b"a picture of somebody's"
        assert (out / "2.png").read_bytes() == b"retouched by hand"

    def test_a_result_that_is_a_jobs_own_painting_is_not_written_over(self, pairs: Path, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path / "out")
        (first, *_) = entries_in(pairs, Parameters(weights="slim"))
        assert isinstance(first, Entry)
        run_batch([first], ledger, OneByOne(invert), silent, lambda _: None)
        before = ledger.result("1").read_bytes()
        again = replace(first, painting=ledger.result("1"))
        (outcome,) = run_batch([again], ledger, OneByOne(invert), silent, lambda _: None)
        assert outcome.state is State.FAILED and "read here" in outcome.reason
        assert ledger.result("1").read_bytes() == before

    def test_an_end_between_note_and_result_is_mended(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path)
        ledger.keep("a", "old", Picture(np.zeros((3, 3, 3), np.uint8)), "now", {})
        before = ledger.result("a").read_bytes()
        ledger.keep("a", "new", Picture(np.ones((3, 3, 3), np.uint8)), "now", {})
        after = ledger.result("a").read_bytes()
        ledger.result("a").write_bytes(before)  # the note was written, the result not yet
        assert not ledger.is_finished("a", "new") and not ledger.is_finished("a", "old")
        ledger.result("a").write_bytes(after)
        assert ledger.is_finished("a", "new")

    @pytest.mark.parametrize("note", ["", "{", "[]", '{"format": "other"}', '{"format": "painterly-batch-1"}'])
    def test_a_damaged_note_is_none(self, tmp_path: Path, note: str) -> None:
        (tmp_path / "a.painterly.json").write_text(note)
        assert Ledger(tmp_path).note("a") is None


class TestCrews:
    def test_one_by_one_outlives_every_kind_of_failure(self, capsys: pytest.CaptureFixture[str]) -> None:
        def run(request: HarmonizeRequest, _on_event: object) -> Result:
            raise {"1": MemoryError(), "2": ZeroDivisionError("by nought")}[request.parameters.weights]

        def unreadable() -> HarmonizeRequest:
            raise PainterlyError(ErrorCode.UNREADABLE_FILE, "No file.")

        work = [
            Job("a", unreadable),
            Job("b", lambda: jobs.request("1")),
            Job("c", lambda: jobs.request("2")),
        ]
        found = {done.name: done.outcome for done in OneByOne(run).work(work, silent)}
        codes = {name: one.code for name, one in found.items() if isinstance(one, PainterlyError)}
        assert codes == {"a": ErrorCode.UNREADABLE_FILE, "b": ErrorCode.OUT_OF_MEMORY, "c": ErrorCode.INTERNAL}
        assert "by nought" in capsys.readouterr().err

    def test_what_keeps_every_job_from_running_is_said_once(self) -> None:
        def run(_request: HarmonizeRequest, _on_event: object) -> Result:
            raise PainterlyError(ErrorCode.ENGINE_START_FAILED, "No engine.")

        with pytest.raises(PainterlyError, match="No engine"):
            list(OneByOne(run).work([Job("a", jobs.request)], silent))

    def test_the_engine_gets_the_next_job_while_it_works(self, tmp_path: Path) -> None:
        loaded: list[str] = []
        told: set[str] = set()

        def job(name: str, script: str) -> Job:
            def load() -> HarmonizeRequest:
                loaded.append(name)
                return jobs.request(script)

            return Job(name, load)

        go = tmp_path / "go"
        scripts = {"a": f"hold:{go}", "b": "empty", "c": "auto", "d": "crash", "e": "auto"}

        def tell(name: str, event: EngineMessage) -> None:
            if isinstance(event, Progress):
                told.add(name)
                if not go.exists():
                    assert loaded == ["a", "b"]
                    go.touch()

        with RealEngine(tmp_path) as engine:
            work = [job(name, script) for name, script in scripts.items()]
            found = {done.name: done.outcome for done in InEngine(engine.connect).work(work, tell)}
        assert {name for name, one in found.items() if isinstance(one, Result)} == {"a", "c", "e"}
        empty, crash = found["b"], found["d"]
        assert isinstance(empty, PainterlyError) and empty.code is ErrorCode.EMPTY_MASK
        assert isinstance(crash, PainterlyError) and crash.code is ErrorCode.WORKER_DIED
        assert told >= {"a", "c", "e"}

    def test_an_engine_that_vanishes_takes_its_jobs_only(self, tmp_path: Path) -> None:
        engines = iter([RealEngine(tmp_path / "one"), RealEngine(tmp_path / "two")])
        entered: list[RealEngine] = []

        def connect() -> EngineClient:
            entered.append(next(engines).__enter__())
            return entered[-1].connect()

        def tell(_name: str, event: EngineMessage) -> None:
            if isinstance(event, Progress) and len(entered) == 1:
                entered[0].kill()

        never = tmp_path / "never"
        work = [Job(name, lambda: jobs.request(f"hold:{never}")) for name in ("a", "b")]
        work += [Job(name, jobs.request) for name in ("c", "d")]
        try:
            found = {done.name: done.outcome for done in InEngine(connect).work(work, tell)}
        finally:
            for engine in entered:
                engine.__exit__(None, None, None)
        gone = {name for name, one in found.items() if isinstance(one, PainterlyError)}
        assert gone == {"a", "b"} and found.keys() == {"a", "b", "c", "d"}

    def test_leaving_cancels(self, tmp_path: Path) -> None:
        never, note = tmp_path / "never", tmp_path / "note"
        with RealEngine(tmp_path) as engine:
            work = [Job("a", jobs.request), Job("b", lambda: jobs.request(f"hold:{never}"))]
            working: Iterator[Done] = InEngine(engine.connect).work(work, silent)
            assert next(working).name == "a"
            working.close()  # type: ignore[attr-defined]
            with engine.connect() as client:
                after = client.run(jobs.request(f"note:{note}"))
        assert isinstance(after, Result) and note.exists(), "the next client's turn has come"


def painterly(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "painterly_engine.cli", *map(str, arguments)]
    return subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_batch_that_was_killed_goes_on_where_it_was(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed_after("1: made", "batch", pairs, "-o", out, *QUICK)
    first = (out / "1.png").stat().st_mtime_ns, (out / "1.png").read_bytes()
    assert not (out / "contact-sheet.html").exists()
    with painterly("batch", pairs, "-o", out, *QUICK) as process:
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, stderr
    assert "1: finished before" in stderr and "10: made" in stderr
    assert re.search(r"3 jobs: \d made, \d finished before\.", stdout)
    assert ((out / "1.png").stat().st_mtime_ns, (out / "1.png").read_bytes()) == first
    assert not list(out.glob(".*"))
    page = (out / "contact-sheet.html").read_text(encoding="utf-8")
    assert page.count("<h3>") == 4 and 'href="10.png"' in page


def test_failures_are_collected_and_shown(pairs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Image.new("L", (64, 48)).save(pairs / "2/mask.png")
    (pairs / "10/composite.png").write_bytes(b"not a picture")
    assert main(["batch", str(pairs), "-o", str(tmp_path / "out"), *QUICK]) == 1
    printed = capsys.readouterr().out
    assert "2: The mask is empty" in printed and "10: " in printed and "cannot be read" in printed
    assert "3 jobs: 1 made, 2 failed." in printed
    page = (tmp_path / "out/contact-sheet.html").read_text(encoding="utf-8")
    assert "What failed" in page and "The mask is empty" in page
    note = json.loads((tmp_path / "out/1.painterly.json").read_text())
    assert note["about"]["network"]["name"].startswith("random")


def test_a_style_for_all_jobs_counts_more_than_a_jobs_own(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[HarmonizeRequest] = []

    def run(request: HarmonizeRequest, on_event: object) -> Result:
        asked.append(request)
        return invert(request, on_event)

    monkeypatch.setattr("painterly_engine.cli.inline.run_inline", run)
    for name, shade in (("own", 9), ("all", 200)):
        Image.new("RGB", (30, 20), (shade, 0, 0)).save(tmp_path / f"{name}.png")
    Image.new("L", (30, 20), 255).save(pairs / "2/style-mask.png")
    Image.open(tmp_path / "own.png").save(pairs / "2/style.png")
    for options in ([], ["--style", str(tmp_path / "all.png")]):
        assert main(["batch", str(pairs), "-o", str(tmp_path / "out"), "--inline", *options]) == 0
    styles = [request.style and request.style.data[0] for request in asked]
    assert styles == [None, 9, None, 200, 200, 200], "another style makes every result anew"
    assert [request.style_mask is not None for request in asked] == [False, True, False, False, False, False]


def test_where_everything_fails_there_is_a_page_too(pairs: Path, tmp_path: Path) -> None:
    for mask in pairs.glob("*/mask.png"):
        mask.write_bytes(b"")
    assert main(["batch", str(pairs), *QUICK]) == 1
    assert "What failed" in (tmp_path / "pairs-harmonized/contact-sheet.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("pairs")
def test_a_list_of_objects_is_pasted(tmp_path: Path) -> None:
    cutout = np.zeros((9, 9, 4), np.uint8)
    cutout[2:7, 2:7] = (200, 40, 40, 255)
    Image.fromarray(cutout).save(tmp_path / "cup.png")
    text = "jobs: [{name: a, painting: pairs/1/painting.png, objects: [{file: cup.png, at: [30, 20]}]}]"
    (tmp_path / "jobs.yaml").write_text(text)
    (entry,) = entries_of(tmp_path / "jobs.yaml", {})
    assert isinstance(entry, Entry)
    mask = np.frombuffer(request(entry).mask.data, np.uint8).reshape(48, 64)
    assert mask[22:27, 32:37].all() and mask.sum() == 25 * 255
