"""A painter's afternoon with nothing faked: open, look, run, watch, cancel, run again, compare, undo, redo, again.

Set ``PAINTERLY_SCREENSHOTS`` to a folder to keep a picture of every step, and the times they took.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from painterly_protocol.client import connect
from painterly_protocol.errors import PainterlyError
from painterly_protocol.messages import EngineState
from support.fake_engine import wait_until
from support.gimp_house import GimpHouse, Profile, processes_of
from support.gimp_window import PATIENCE, GimpWindow
from support.installer import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
SMALLEST_SCREEN = (1366, 768)
IMAGE_WINDOW = r"layers.*GIMP|layer.*GIMP"
DIALOG = "^Painterly Harmonize$"
CORNER = (60, 40)
PREVIEW = (CORNER[0] + 90, CORNER[1] + 180, CORNER[0] + 370, CORNER[1] + 400)  # well inside the dialog's picture
ENGINE_WINDOW = "Engine and Networks"
WALKING_ANTS = 4000  # pixels that a selection's outline changes from one look to the next, at most
OPEN = """
image = load(painting)
cup = Gimp.file_load_layer(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(object_file)))
image.insert_layer(cup, None, 0); cup.set_name("coffee"); cup.set_offsets(340, 278)
image.set_selected_layers([cup]); image.clean_all()
show(image)
result = stack(image)
"""


class Walk:
    """A windowed GIMP, the engine it starts by itself, and how long everything took."""

    def __init__(self, profile: Profile, window: GimpWindow) -> None:
        self.profile, self.window = profile, window
        self.times: dict[str, float] = {}
        self._number = 0

    def look(self, name: str) -> Path:
        """Take a picture of this step."""
        self._number += 1
        return self.window.screenshot(f"walk-{self.profile.house.version[:3]}-{self._number:02d}-{name}")

    def look_quietly(self) -> Path:
        """A picture that nobody keeps."""
        return self.window.screenshot("walk-now")

    def look_when_drawn(self, name: str) -> Path:
        """A picture of this step once GIMP, which redraws large changes piece by piece, has come to rest."""

        def rests() -> bool:
            before = _grey(self.look_quietly())
            time.sleep(0.7)
            changed = ImageChops.difference(before, _grey(self.look_quietly()))
            return changed.point([0] * 12 + [255] * 244).histogram()[255] < WALKING_ANTS

        wait_until(rests)
        return self.look(name)

    def timed(self, name: str, begin: Callable[[], None], condition: Callable[[], object]) -> None:
        began = time.monotonic()
        begin()
        wait_until(condition, 10 * PATIENCE)
        self.times[name] = round(time.monotonic() - began, 2)

    def layers(self) -> list[str]:
        names: list[str] = self.window.call("result = [layer.get_name() for layer in image.get_layers()]")
        return names

    def engine_is(self, *states: EngineState) -> bool:
        try:
            with connect(self.profile.runtime_dir, timeout_s=20) as client:
                return client.status(20).state in states
        except PainterlyError:
            return False

    def open_dialog(self) -> None:
        self.window.focus(IMAGE_WINDOW)
        self.window.keys("alt+r", "Up")
        self.timed("menu to dialog", lambda: self.window.keys("Return"), lambda: self.is_open(DIALOG))
        self.window.focus(DIALOG)

    def engine_is_asked(self) -> bool:
        """Whether the window waits for the engine's command line, which loads torch to list the networks."""
        commands = (Path("/proc", str(pid), "cmdline") for pid in processes_of(self.profile.folder))
        return any(b"painterly_engine.cli" in _read(command) for command in commands)

    def is_open(self, title: str) -> bool:
        return any(re.search(title, known) for known in self.window.titles())


@pytest.fixture
def walk(gimp_house: GimpHouse) -> Iterator[Walk]:
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    if not gimp_house.reaches_engine:
        pytest.skip("a GIMP in a plain chroot cannot start the engine outside it")
    with gimp_house.profile() as profile, profile.window() as window:
        walk = Walk(profile, window)
        yield walk
        if folder := os.environ.get("PAINTERLY_SCREENSHOTS"):
            name = f"walk-{gimp_house.version[:3]}-times.json"
            (Path(folder) / name).write_text(json.dumps(walk.times, indent=1))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _grey(file: Path) -> Image.Image:
    with Image.open(file) as screen:
        return screen.convert("L")


def previews_differ(one: Path, other: Path) -> bool:
    """Whether the dialog's picture is another one on the second screen."""
    with Image.open(one) as first, Image.open(other) as second:
        pictures = [screen.convert("L").crop(PREVIEW) for screen in (first, second)]
    changed = ImageChops.difference(*pictures).point([0] * 12 + [255] * 244)
    return changed.histogram()[255] > 500


@pytest.mark.long
def test_a_painters_walk(walk: Walk) -> None:
    window = walk.window
    painting = walk.profile.folder / "terrace.png"
    with Image.open(EXAMPLES / "terrace.jpg") as picture:
        picture.save(painting)
    cutout = walk.profile.folder / "coffee.png"
    with Image.open(EXAMPLES / "coffee.png") as picture:
        picture.save(cutout)
    before = window.call(OPEN, painting=painting, object_file=cutout)
    window.wait_for_window(IMAGE_WINDOW)
    walk.look("opened")

    walk.open_dialog()
    wait_until(lambda: len(window.call("result = [i.get_id() for i in Gimp.get_images()]")) == 2)  # the scratch copy
    time.sleep(1.5)  # its picture is drawn
    window.place(DIALOG, *CORNER)
    time.sleep(0.5)
    asked = walk.look("dialog")
    assert all(side <= most for side, most in zip(window.size(DIALOG), SMALLEST_SCREEN, strict=True))

    walk.timed("OK to engine at work", lambda: window.keys("alt+o"), lambda: walk.engine_is(EngineState.BUSY))
    walk.timed("engine at work to first preview", lambda: None, lambda: previews_differ(asked, walk.look_quietly()))
    walk.look("preview")
    walk.timed("cancel", lambda: window.keys("alt+c"), lambda: walk.engine_is(EngineState.READY))
    walk.look("cancelled")
    assert window.call("result = stack(image)") == before

    walk.timed("OK to result", lambda: window.keys("alt+o"), lambda: len(walk.layers()) == 3)
    window.wait_for_no_window(DIALOG)
    assert walk.layers()[0] == "Harmonized: coffee"
    walk.look_when_drawn("result")

    window.focus(IMAGE_WINDOW)
    window.keys("ctrl+z")
    wait_until(lambda: len(walk.layers()) == 2)
    assert window.call("result = stack(image)") == before
    walk.look_when_drawn("undone")
    window.keys("ctrl+y")
    wait_until(lambda: len(walk.layers()) == 3)

    window.call("image.set_selected_layers([image.get_layers()[0]])")
    walk.open_dialog()
    time.sleep(2)
    walk.look("again")
    window.keys("alt+o")
    wait_until(lambda: len(walk.layers()) == 4, 4 * PATIENCE)
    window.wait_for_no_window(DIALOG)
    assert window.call("result = [layer.get_visible() for layer in image.get_layers()]") == [True, False, False, True]
    walk.look_when_drawn("harmonized-again")

    window.focus(IMAGE_WINDOW)
    window.keys("alt+e", "Up", "Return")
    window.wait_for_window(ENGINE_WINDOW)
    wait_until(walk.engine_is_asked)
    wait_until(lambda: not walk.engine_is_asked(), PATIENCE)
    time.sleep(1)  # the answers are shown
    walk.look("engine")
    window.focus(ENGINE_WINDOW)
    window.keys("Escape")
    window.wait_for_no_window(ENGINE_WINDOW)
    assert "Traceback" not in window.log()
