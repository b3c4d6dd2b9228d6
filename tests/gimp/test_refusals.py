"""What cannot be harmonized ends in a sentence with advice, EXECUTION_ERROR, and an image in which nothing changed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.fake_engine import FakeEngine, wait_until
from support.gimp_cases import HARMONIZE, Outcome, Workplace, workplace
from support.gimp_house import GimpHouse, processes_of

SCENE = """
image = new_image(48, 32)
canvas = add_layer(image, "painting", (48, 32), flat((48, 32), (200, 180, 90, 255)))
cup = add_layer(image, "cup", (6, 6), flat((6, 6), (1, 2, 3, 255)), (3, 4))
layers = [cup]
"""

# What makes the scene unusable, and words of the sentence and of the advice.
CASES = {
    "nothing selected": ("layers = []", "No layer is selected", "Select the object's layer"),
    "three layers": (
        "layers = [cup, canvas, add_layer(image, 'third', (5, 5), flat((5, 5), (0, 0, 0, 255)))]",
        "3 layers are selected",
        "Select one layer",
    ),
    "a layer mask": (
        "m = cup.create_mask(Gimp.AddMaskType.WHITE); cup.add_mask(m); layers = [m]",
        "A layer mask is selected",
        "thumbnail",
    ),
    "a channel": (
        "c = Gimp.Channel.new(image, 'saved', 48, 32, 50, Gegl.Color.new('red')); image.insert_channel(c, None, 0); "
        "layers = [c]",
        "A channel is selected",
        "Layers dialog",
    ),
    "a group and a layer in it": (
        "g = Gimp.GroupLayer.new(image, 'g'); image.insert_layer(g, None, 0); "
        "layers = [g, add_layer(image, 'in', (5, 5), flat((5, 5), (0, 0, 0, 255)), parent=g)]",
        "group that contains the other",
        "outside its group",
    ),
    "indexed colours": (
        "image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, '')",
        "indexed colours",
        "Image → Mode → RGB",
    ),
    "a floating selection": (
        "image.select_rectangle(Gimp.ChannelOps.REPLACE, 4, 5, 2, 2); Gimp.Selection.float(image, [cup], 0, 0)",
        "floating selection",
        "Anchor",
    ),
    "outside the canvas": ("cup.set_offsets(48, 0)", "“cup” lies outside the canvas", "Move it"),
    "an empty layer": ("put(cup, flat((6, 6), (1, 2, 3, 0)))", "Nothing of the object “cup”", "holds the object"),
    "a selection beside the object": (
        "image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 20, 5, 5)",
        "selection does not touch the object “cup”",
        "Select → None",
    ),
    "nothing below": ("layers = [canvas]", "no painting below the layer “painting”", "visible below"),
    "a hidden painting": ("canvas.set_visible(False)", "no painting below the layer “cup”", "visible below"),
    "an empty painting of two": (
        "put(canvas, flat((48, 32), (1, 2, 3, 0))); layers = [cup, canvas]",
        "painting “painting” shows nothing",
        "lower of the two",
    ),
    "beside the painting": (
        "canvas.set_offsets(20, 0)",
        "Nothing of the object “cup” can be seen on the painting",
        "place it",
    ),
    "a hidden group": (
        "g = Gimp.GroupLayer.new(image, 'shelf'); image.insert_layer(g, None, 0); g.set_visible(False); "
        "image.reorder_item(cup, g, 0)",
        "group “shelf” is hidden",
        "Make the group visible",
    ),
}


@pytest.fixture(scope="module")
def place(gimp_house: GimpHouse) -> Iterator[Workplace]:
    with workplace(gimp_house) as made:
        yield made


@pytest.fixture(scope="module")
def refused(place: Workplace) -> dict[str, Outcome]:
    """All cases, one after the other in one GIMP."""
    cases = {name: SCENE + change + HARMONIZE + "image.delete()\n" for name, (change, *_words) in CASES.items()}
    source = """
answers = {}
for name, code in cases.items():
    exec(code)
    answers[name] = result
result = answers
"""
    answers = place.profile.run(source, cases=cases)
    return {name: Outcome(answer, place.engine) for name, answer in answers.items()}


@pytest.mark.parametrize("case", CASES)
def test_refused_with_advice(refused: dict[str, Outcome], case: str) -> None:
    _change, sentence, advice = CASES[case]
    refused[case].check_refused(sentence, advice)


@pytest.mark.usefixtures("refused")
def test_the_engine_was_not_troubled(place: Workplace) -> None:
    assert place.engine.messages("submit") == []


def test_what_the_engine_refuses_is_passed_on(gimp_house: GimpHouse) -> None:
    failure = {
        "do": "failure",
        "code": "out-of-memory",
        "sentence": "The card is full.",
        "advice": "Take less.",
    }
    with workplace(gimp_house, [{"do": "progress", "fraction": 0.2}, failure]) as place:
        place.harmonize(SCENE).check_refused("The card is full. Take less.")


def test_an_engine_that_vanishes(gimp_house: GimpHouse) -> None:
    with workplace(gimp_house, [{"do": "progress", "fraction": 0.2}, {"do": "vanish"}]) as place:
        place.harmonize(SCENE).check_refused("engine has stopped in the middle")


def test_an_engine_of_another_version(gimp_house: GimpHouse) -> None:
    with workplace(gimp_house, script={"hello": "future", "jobs": [[]]}) as place:
        place.harmonize(SCENE).check_refused("version")


def test_an_engine_that_cannot_start(gimp_house: GimpHouse) -> None:
    with gimp_house.profile(config={"engine_command": ["/nowhere/python", "-m", "engine"]}) as profile:
        done = profile.run(SCENE + HARMONIZE)
    assert done["status"] == "execution-error"
    assert "The engine could not be started" in done["message"]
    assert done["after"] == done["before"]


def test_a_damaged_installation_says_how_to_repair(gimp_house: GimpHouse) -> None:
    with gimp_house.profile() as profile:
        (profile.plugin_folder / "config.json").write_text("{")
        damaged = profile.run(SCENE + HARMONIZE)
        (profile.plugin_folder / "vendor").rename(profile.folder / "elsewhere")
        bare = profile.run(SCENE + HARMONIZE)
    for answer, word in ((damaged, "config.json"), (bare, "painterly_protocol")):
        assert answer["status"] == "execution-error"
        assert word in answer["message"]
        assert "install.py" in answer["message"]
        assert answer["after"] == answer["before"]


def test_our_own_mistakes_reach_the_log_not_the_user(gimp_house: GimpHouse) -> None:
    with workplace(gimp_house) as place:
        module = place.profile.plugin_folder / "painterly_plugin" / "gimp_insert.py"
        module.write_text(module.read_text().replace("image.undo_group_start()", "raise RuntimeError('ouch')"))
        done = place.harmonize(SCENE)
        done.check_refused("unexpected", "ouch", str(place.profile.log_dir))
        log = place.profile.log_dir / "plug-in.log"
        wait_until(lambda: log.exists() and "Traceback" in log.read_text())


def test_a_plug_in_killed_by_gimps_own_cancel_leaves_no_trace(gimp_house: GimpHouse) -> None:
    """GIMP's status bar ends a plug-in by SIGKILL: nothing of it can clean up, so nothing may need it."""
    with gimp_house.profile() as profile:
        hold = profile.folder / "hold"
        steps = [{"do": "wait", "file": str(hold)}, {"do": "progress", "fraction": 0.5}, {"do": "silence"}]
        with FakeEngine(profile.folder, steps) as engine, ThreadPoolExecutor(1) as pool:
            running = pool.submit(profile.run, SCENE + HARMONIZE)
            engine.wait_for("submit")
            (plug_in,) = (pid for pid in processes_of(profile.folder) if is_our_plug_in(pid))
            os.kill(plug_in, signal.SIGKILL)
            answer = running.result(180)
            hold.touch()
            engine.wait_for("client-gone")
    assert answer["status"] != "success"
    assert answer["after"] == answer["before"]
    assert answer["selection_kept"]
    assert answer["images"] == 1, "a scratch image was left behind"


def is_our_plug_in(pid: int) -> bool:
    try:
        command = Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return False
    return b"painterly-harmonize.py" in command and b"-run" in command
