"""The dialog on a layer that the filter made, as a painter meets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.fake_engine import FakeEngine
from support.gimp_house import GimpHouse
from support.gimp_window import GimpWindow

IMAGE_WINDOW, DIALOG = r"layers.*GIMP", "^Painterly Harmonize$"
SCENE = """
import json
image = new_image(240, 160)
add_layer(image, "painting", (240, 160), flat((240, 160), (90, 120, 160, 255)))
cup = add_layer(image, "cup", (80, 60), flat((80, 60), (200, 60, 20, 255)), (30, 40))
show(image)
made = harmonize(image, [cup], seed=77, size=64, detail=0.25)["values"][0]
note = json.loads(bytes(value & 255 for value in made.get_parasite("painterly-harmonize").get_data()).rstrip(b"\\0"))
note["arguments"] |= damaged
made.detach_parasite("painterly-harmonize")
data = list(memoryview(json.dumps(note).encode()).cast("b"))
made.attach_parasite(Gimp.Parasite.new("painterly-harmonize", 1, data))
image.set_selected_layers([made])
result = None
"""
DAMAGED = {
    "strength": "abc",
    "seed": 2**40,
    "stylization": float("nan"),
    "mask-growth": None,
    "iterations": -7,
    "hide-object": "no",
    "preset": "none such",
    "weights": "\ud800",
    "method": [],
    "none such": 1,
}


@pytest.fixture
def studio(gimp_house: GimpHouse) -> Iterator[tuple[GimpWindow, FakeEngine]]:
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with gimp_house.profile() as profile:
        steps = [{"do": "result", "how": "invert"}]
        with FakeEngine(profile.folder, steps) as engine, profile.window() as window:
            yield window, engine


def test_damaged_values_of_a_note_are_passed_over(studio: tuple[GimpWindow, FakeEngine]) -> None:
    """The others of them count, and the dialog opens."""
    window, engine = studio
    window.call(SCENE, damaged=DAMAGED)
    window.wait_for_window(IMAGE_WINDOW)
    window.choose_last(IMAGE_WINDOW, "alt+r", DIALOG)
    window.press(DIALOG, "alt+o", lambda: len(engine.messages("submit")) == 2)
    window.wait_for("result = len(image.get_layers()) == 4")
    window.wait_for_no_window(DIALOG)
    first, again = ({**job["parameters"], "previews": None} for job in engine.messages("submit"))
    assert (again["size"], again["detail"]) == (64, 0.25)
    assert again == {**first, "seed": 0}
