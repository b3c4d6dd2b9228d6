"""A painter's afternoon with nothing faked: open, look, run, watch, cancel, run again, compare, undo, redo, again.

Set ``PAINTERLY_SCREENSHOTS`` to a folder to keep a picture of every step, and the times they took.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

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
PREVIEW = (CORNER[0] + 90, CORNER[1] + 240, CORNER[0] + 370, CORNER[1] + 400)  # well inside the dialog's picture
ENGINE_WINDOW = "Engine and Networks"
RESTING_LOOKS = 3
WALKING_ANTS = 4000  # pixels that a selection's outline changes from one look to the next, at most
OPEN = """
image = load(painting)
cup = Gimp.file_load_layer(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(object_file)))
image.insert_layer(cup, None, 0); cup.set_name("coffee"); cup.set_offsets(340, 278)
image.set_selected_layers([cup]); image.clean_all()
show(image)
result = None
"""
SELECT = """
image.select_item(Gimp.ChannelOps.REPLACE, cup)
Gimp.Selection.feather(image, 3.0)
image.clean_all(); Gimp.displays_flush()
result = None
"""
MADE_BY = """
import json
data = image.get_layers()[0].get_parasite("painterly-harmonize").get_data()
result = json.loads(bytes(value & 0xFF for value in data))["arguments"]["preset"]
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
        wait_until(self.rests)
        return self.look(name)

    def rests(self) -> bool:
        """Whether what is seen stays as it is, for longer than a busy machine leaves GIMP's drawing waiting."""
        before = _grey(self.look_quietly())
        for _look in range(RESTING_LOOKS):
            time.sleep(1)
            changed = ImageChops.difference(before, _grey(self.look_quietly()))
            if changed.point([0] * 12 + [255] * 244).histogram()[255] >= WALKING_ANTS:
                return False
        return True

    def note(self, name: str, began: float) -> None:
        """How long it is since ``began``."""
        self.times[name] = round(time.monotonic() - began, 2)

    def run_to_the_end(self, preset: str, layers: int) -> None:
        """Press OK, and wait until the dialog has gone and the image has so many layers."""

        def done() -> bool:
            return len(self.layers()) == layers

        began = time.monotonic()
        self.press("alt+o", lambda: self.engine_is(EngineState.BUSY) or done())
        wait_until(done, 10 * PATIENCE)
        self.note(f"OK to result, {preset}", began)
        self.window.wait_for_no_window(DIALOG)

    def has_read(self) -> bool:
        """Whether the dialog, in its corner, shows the picture: it is plain there until it has been read."""
        with Image.open(self.look_quietly()) as screen:
            return ImageStat.Stat(screen.convert("L").crop(PREVIEW)).stddev[0] > 20

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
        self.times["menu to dialog"] = round(self.window.choose_last(IMAGE_WINDOW, "alt+r", DIALOG), 2)

    def engine_is_asked(self) -> bool:
        """Whether the window waits for the engine's command line, which loads torch to list the networks."""
        commands = (Path("/proc", str(pid), "cmdline") for pid in processes_of(self.profile.folder))
        return any(b"painterly_engine.cli" in _read(command) for command in commands)

    def press(self, key: str, until: Callable[[], object]) -> None:
        """Press a key in the dialog."""
        self.window.press(DIALOG, key, until)


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
    before = open_and_select(walk)
    watch_and_cancel(walk, before)
    run_undo_and_redo(walk, before)
    harmonize_again(walk, "draft", shown=[True, False, False, True])
    harmonize_again(walk, "instant", shown=[True, False, False, False, True])
    look_at_the_engine(walk)
    assert "Traceback" not in walk.window.log()


def open_and_select(walk: Walk) -> object:
    """A painting, a cut-out above it, and a soft selection of what of that is wanted; gives the layers as they are."""
    files = {}
    for name in ("terrace.jpg", "coffee.png"):
        files[name] = walk.profile.folder / Path(name).with_suffix(".png")
        with Image.open(EXAMPLES / name) as picture:
            picture.save(files[name])
    window = walk.window
    window.call(OPEN, painting=files["terrace.jpg"], object_file=files["coffee.png"])
    window.wait_for_window(IMAGE_WINDOW)
    walk.look_when_drawn("opened")
    window.call(SELECT)
    walk.look_when_drawn("selected")
    return window.call("result = stack(image)")


def watch_and_cancel(walk: Walk, before: object) -> None:
    """The first run of all: the engine is started, a first look comes, then the picture itself; then Cancel."""
    window = walk.window
    walk.open_dialog()
    window.place(DIALOG, *CORNER)
    wait_until(walk.has_read)
    asked = walk.look_when_drawn("dialog")
    assert all(side <= most for side, most in zip(window.size(DIALOG), SMALLEST_SCREEN, strict=True))
    unfolded = window.size(DIALOG)[1] + 60
    walk.press("alt+m", lambda: window.size(DIALOG)[1] > unfolded)
    walk.look_when_drawn("more")
    walk.press("alt+m", lambda: window.size(DIALOG)[1] < unfolded)

    began = time.monotonic()
    walk.press("alt+o", lambda: walk.engine_is(EngineState.BUSY))
    walk.note("OK to engine at work, cold", began)
    wait_until(lambda: previews_differ(asked, walk.look_quietly()), PATIENCE)
    walk.note("OK to first look, cold", began)
    sketch = walk.look("first-look")
    wait_until(lambda: previews_differ(sketch, walk.look_quietly()), PATIENCE)
    walk.note("OK to first preview of the picture, cold", began)
    walk.look("preview")
    walk.press("alt+p", lambda: not previews_differ(asked, walk.look_quietly()))
    walk.look("compared")
    walk.press("alt+p", lambda: previews_differ(asked, walk.look_quietly()))
    began = time.monotonic()
    walk.press("alt+c", lambda: walk.engine_is(EngineState.READY))
    walk.note("Cancel to engine ready", began)
    walk.look_when_drawn("cancelled")
    assert window.call("result = stack(image)") == before


def run_undo_and_redo(walk: Walk, before: object) -> None:
    window = walk.window
    walk.run_to_the_end("standard", 3)
    assert walk.layers()[0] == "Harmonized: coffee"
    walk.look_when_drawn("result")
    window.press(IMAGE_WINDOW, "ctrl+z", lambda: len(walk.layers()) == 2)
    assert window.call("result = stack(image)") == before
    walk.look_when_drawn("undone")
    window.press(IMAGE_WINDOW, "ctrl+y", lambda: len(walk.layers()) == 3)
    walk.look_when_drawn("redone")


def harmonize_again(walk: Walk, preset: str, shown: list[bool]) -> None:
    """On the result, from its own settings, with the quality one step lower."""
    window = walk.window
    window.call("image.set_selected_layers([image.get_layers()[0]])")
    walk.open_dialog()
    window.place(DIALOG, *CORNER)
    wait_until(walk.has_read)
    window.keys("alt+q", "Up")
    walk.look_when_drawn(f"again-{preset}")
    walk.run_to_the_end(preset, len(shown))
    assert window.call("result = [layer.get_visible() for layer in image.get_layers()]") == shown
    assert window.call(MADE_BY) == preset
    walk.look_when_drawn(f"harmonized-again-{preset}")


def look_at_the_engine(walk: Walk) -> None:
    walk.window.choose_last(IMAGE_WINDOW, "alt+e", ENGINE_WINDOW)
    wait_until(walk.engine_is_asked)
    wait_until(lambda: not walk.engine_is_asked(), PATIENCE)
    walk.look_when_drawn("engine")
    walk.window.leave(ENGINE_WINDOW)
