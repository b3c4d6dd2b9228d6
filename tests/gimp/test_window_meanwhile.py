"""What is done to the image while the dialog is open, or the engine paints: what is sent is what is seen when OK is
pressed, and what is gone is said in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fake_engine import FakeEngine, wait_until
from support.gimp_house import GimpHouse, Profile
from support.gimp_window import GimpWindow

IMAGE_WINDOW, DIALOG = r"layer.*GIMP", "^Painterly Harmonize$"
WIDTH = 240
SCENE = """
image = new_image(240, 160)
canvas = add_layer(image, "painting", (240, 160), flat((240, 160), (90, 120, 160, 255)))
cup = add_layer(image, "cup", (80, 60), flat((80, 60), (200, 60, 20, 255)), (30, 40))
display = show(image)
image.set_selected_layers([cup])
result = None
"""


class Studio:
    """A windowed GIMP with an object over a painting, and a fake engine whose results wait for the file ``hold``."""

    def __init__(self, profile: Profile, engine: FakeEngine, window: GimpWindow, hold: Path) -> None:
        self.profile, self.engine, self.window, self.hold = profile, engine, window, hold
        window.call(SCENE)
        window.wait_for_window(IMAGE_WINDOW)

    def open_dialog(self) -> None:
        """And wait until its picture is read."""
        self.window.call("image.set_selected_layers([cup]); result = None")
        self.window.choose_last(IMAGE_WINDOW, "alt+r", DIALOG)
        self.window.wait_for("result = len(Gimp.get_images()) == 1")

    def accept(self) -> None:
        jobs = len(self.engine.messages("submit"))
        self.window.press(DIALOG, "alt+o", lambda: len(self.engine.messages("submit")) > jobs)

    def sent_after(self, change: str) -> tuple[bytes, bytes]:
        """Composite and mask as they are sent where ``change`` is made while the dialog is open; then all is undone."""
        self.open_dialog()
        self.window.call("image.undo_group_start()\n" + change + "\nimage.undo_group_end(); result = None")
        self.accept()
        self.window.wait_for_no_window(DIALOG)
        job = self.engine.messages("submit")[-1]["job_id"]
        self.window.call("image.remove_layer(image.get_layers()[0]); cup.set_visible(True); result = None")
        composite, mask = ((self.engine.saved / f"{job}-{name}.raw").read_bytes() for name in ("composite", "mask"))
        return composite, mask

    def says(self, sentence: str) -> bool:
        """Whether the dialog has said so, which the log tells."""
        log = self.profile.log_dir / "plug-in.log"
        return log.exists() and sentence in log.read_text()

    def check_quiet(self) -> None:
        """No mistake of ours in what GIMP and the plug-in printed."""
        for line in self.window.log().splitlines():
            assert "Traceback" not in line
            assert "Calling error" not in line
            assert not ("painterly-harmonize.py" in line and "CRITICAL" in line), line
        assert not self.says("TypeError")


@pytest.fixture
def studio(gimp_house: GimpHouse) -> Iterator[Studio]:
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with gimp_house.profile() as profile:
        hold = profile.folder / "hold"
        steps = [{"do": "wait", "file": str(hold)}, {"do": "result", "how": "invert"}]
        with FakeEngine(profile.folder, steps) as engine, profile.window() as window:
            yield Studio(profile, engine, window, hold)


def test_what_is_sent_is_what_is_seen_when_ok_is_pressed(studio: Studio) -> None:
    """All of these leave the selection's bounds, and every layer's place, as they were."""
    studio.hold.touch()

    def at(samples: bytes, x: int, y: int) -> tuple[int, ...]:
        size = len(samples) // (WIDTH * 160)
        start = size * (y * WIDTH + x)
        return tuple(samples[start : start + size])

    studio.window.call("image.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 50, 60, 40); result = None")
    hole = "image.select_rectangle(Gimp.ChannelOps.SUBTRACT, 55, 60, 20, 20)"
    _composite, mask = studio.sent_after(hole)
    assert (at(mask, 65, 70), at(mask, 45, 55)) == ((0,), (255,)), "a hole was cut into the selection"

    studio.window.call("Gimp.Selection.none(image); result = None")
    composite, _mask = studio.sent_after("put(cup, flat((80, 60), (9, 8, 7, 255)))")
    assert at(composite, 65, 70) == (9, 8, 7), "the object was painted over"

    invert = "cup.append_filter(Gimp.DrawableFilter.new(cup, 'gegl:invert-gamma', 'Invert'))"
    composite, _mask = studio.sent_after(invert)
    assert at(composite, 65, 70) == (246, 247, 248), "a filter was added"

    half = "m = cup.create_mask(Gimp.AddMaskType.BLACK); cup.add_mask(m); "
    half += "put(m, bytes(255 if x < 40 else 0 for y in range(60) for x in range(80)), MASK); cup.set_edit_mask(False)"
    _composite, mask = studio.sent_after(half)
    assert (at(mask, 40, 50), at(mask, 90, 50)) == ((255,), (0,)), "a layer mask hides half of the object"

    composite, _mask = studio.sent_after("put(canvas, flat((240, 160), (1, 2, 3, 255)))")
    assert at(composite, 5, 5) == (1, 2, 3), "the painting was painted over"
    studio.check_quiet()


def test_an_image_or_a_layer_that_is_gone_is_said_before_the_engine_is_asked(studio: Studio) -> None:
    window = studio.window
    studio.hold.touch()
    studio.open_dialog()
    window.call("image.remove_layer(cup); result = None")
    window.press(DIALOG, "alt+o", lambda: studio.says("The object's layer was deleted. Undo"))
    window.screenshot("window-object-gone")
    window.leave(DIALOG)
    # The image and its undo are whole: the object comes back, and is harmonized.
    window.press(IMAGE_WINDOW, "ctrl+z", lambda: window.call("result = len(image.get_layers()) == 2"))
    window.call("cup = image.get_layers()[0]; result = None")
    studio.open_dialog()
    studio.accept()
    window.wait_for_no_window(DIALOG)
    window.call("first, cup, canvas = image.get_layers(); image.set_selected_layers([first]); result = None")
    window.choose_last(IMAGE_WINDOW, "alt+r", DIALOG)
    window.call("image.remove_layer(first); result = None")
    window.press(DIALOG, "alt+o", lambda: studio.says("The earlier result, whose outline counts, was deleted."))
    window.leave(DIALOG)
    studio.open_dialog()
    window.call("display.delete(); result = None")
    window.press(DIALOG, "alt+o", lambda: studio.says("The image was closed. Open it"))
    window.screenshot("window-image-gone")
    window.leave(DIALOG)
    assert len(studio.engine.messages("submit")) == 1
    assert window.call("result = len(Gimp.get_images())") == 0, "a scratch image was left behind"
    studio.check_quiet()


def test_an_image_closed_while_the_engine_paints_ends_in_a_sentence(studio: Studio) -> None:
    window = studio.window
    studio.open_dialog()
    studio.accept()
    window.call("display.delete(); result = None")
    studio.hold.touch()
    wait_until(lambda: studio.says("The image was closed while its result was being painted."))
    window.leave(DIALOG)
    assert window.call("result = len(Gimp.get_images())") == 0
    studio.check_quiet()
