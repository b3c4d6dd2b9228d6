"""The plug-in as a painter meets it: menu, dialog, progress, cancel, result, undo. The engine waits on files, never on
the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from support import jobs
from support.fake_engine import FakeEngine, wait_until
from support.gimp_house import GimpHouse, Profile
from support.gimp_window import GimpWindow
from support.real_engine import RealEngine

IMAGE_WINDOW = r"layers.*GIMP"
DIALOG = "^Painterly Harmonize$"
SMALLEST_SCREEN = (1366, 768)

SCENE = """
image = new_image(240, 160)
add_layer(image, "painting", (240, 160), flat((240, 160), (90, 120, 160, 255)))
cup = add_layer(image, "cup", (80, 60), flat((80, 60), (200, 60, 20, 255)), (30, 40))
image.clean_all()
show(image)
image.set_selected_layers([cup])
result = stack(image)
"""


class Atelier:
    """A windowed GIMP with an object over a painting, and a fake engine that holds each job until it is let go."""

    def __init__(self, profile: Profile, engine: FakeEngine, window: GimpWindow, hold: Path) -> None:
        self.profile, self.engine, self.window, self.hold = profile, engine, window, hold
        self.stack = window.call(SCENE)
        window.wait_for_window(IMAGE_WINDOW)

    def open_dialog(self) -> None:
        """By the keyboard: our entry is the last of the Filters menu."""
        self.window.focus(IMAGE_WINDOW)
        self.window.keys("alt+r")
        self.window.screenshot("window-menu")
        self.window.keys("Up", "Return")
        self.window.wait_for_window(DIALOG)
        self.window.focus(DIALOG)

    def accept(self) -> None:
        """Press OK and wait until the engine has the job."""
        jobs = len(self.engine.messages("submit"))
        self.window.keys("alt+o")
        self.wait_for_messages("submit", jobs + 1)

    def wait_for_messages(self, kind: str, count: int) -> None:
        wait_until(lambda: len(self.engine.messages(kind)) >= count)

    def wait_for_layers(self, count: int) -> None:
        self.window.wait_for(f"result = len(image.get_layers()) == {count}")

    def is_untouched(self) -> bool:
        state: dict[str, Any] = self.window.call("result = {'stack': stack(image), 'dirty': image.is_dirty()}")
        return state == {"stack": self.stack, "dirty": False}


@pytest.fixture
def atelier(gimp_house: GimpHouse) -> Iterator[Atelier]:
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with gimp_house.profile() as profile:
        hold = profile.folder / "hold"
        steps = [
            {"do": "progress", "fraction": 0.4, "iteration": 20, "iterations": 50, "seconds_left": 70},
            {"do": "preview", "rgb": [10, 250, 20], "width": 24, "height": 16},
            {"do": "wait", "file": str(hold)},
            {"do": "result", "how": "invert", "metadata": {"warnings": ["The network was never trained."]}},
        ]
        with FakeEngine(profile.folder, steps) as engine, profile.window() as window:
            yield Atelier(profile, engine, window, hold)


def preview_is_shown(picture: Path) -> bool:
    """Whether a part of the screen has the fake preview's colour."""
    with Image.open(picture) as screen:
        small = screen.convert("RGB").resize((128, 86))
    colours = small.getcolors(small.width * small.height) or []
    return sum(count for count, colour in colours if colour == (10, 250, 20)) > 100


def test_from_menu_to_undo(atelier: Atelier) -> None:
    window = atelier.window
    atelier.open_dialog()
    window.screenshot("window-dialog")
    atelier.accept()
    wait_until(lambda: preview_is_shown(window.screenshot("window-progress")))
    assert atelier.is_untouched(), "something changed before the result was there"

    atelier.hold.touch()
    atelier.wait_for_layers(3)
    window.wait_for_no_window(DIALOG)
    window.screenshot("window-result")
    after = window.call("result = stack(image)")
    assert [layer["name"] for layer in after] == ["Harmonized: cup", "cup", "painting"]
    assert (after[0]["offsets"], after[0]["size"]) == ([30, 40], [80, 60])
    assert [layer["visible"] for layer in after] == [True, False, True]
    inverted = window.call("result = pixels(image.get_layers()[0])")
    assert inverted == bytes((55, 195, 235, 255)) * (80 * 60)
    assert "The network was never trained." in window.log()

    window.focus(IMAGE_WINDOW)
    window.keys("ctrl+z")
    atelier.wait_for_layers(2)
    window.screenshot("window-undone")
    assert atelier.is_untouched(), "one undo did not bring everything back"

    window.keys("ctrl+y")
    atelier.wait_for_layers(3)
    window.keys("ctrl+z")
    atelier.wait_for_layers(2)
    window.keys("ctrl+f")  # Repeat: no dialog, the last values
    atelier.wait_for_layers(3)
    jobs = [{**job["parameters"], "previews": None} for job in atelier.engine.messages("submit")]
    assert len(jobs) == 2
    assert jobs[0] == jobs[1]


def test_cancel_stops_the_job_and_leaves_no_trace(atelier: Atelier) -> None:
    window = atelier.window
    atelier.open_dialog()
    atelier.accept()
    wait_until(lambda: preview_is_shown(window.screenshot("window-cancel")))
    window.keys("alt+c")
    cancelled = atelier.engine.wait_for("cancel")
    assert cancelled["job_id"] == atelier.engine.messages("submit")[0]["job_id"]
    assert atelier.is_untouched()

    # The dialog has stayed: OK starts another job, closing the window stops that too.
    atelier.accept()
    window.keys("Escape")
    atelier.wait_for_messages("cancel", 2)
    window.wait_for_no_window(DIALOG)
    atelier.hold.touch()
    assert atelier.is_untouched()
    window.wait_for("result = len(Gimp.get_images()) == 1")  # nothing of what was read is left behind


def test_an_object_deleted_meanwhile_ends_in_a_sentence(atelier: Atelier) -> None:
    window = atelier.window
    atelier.open_dialog()
    atelier.accept()
    window.call("image.remove_layer(cup)")
    atelier.hold.touch()
    log = atelier.profile.log_dir / "plug-in.log"
    wait_until(log.exists)
    assert "was deleted while its result was being painted" in log.read_text()
    window.screenshot("window-trouble")  # the dialog has stayed, with the sentence
    window.focus(DIALOG)
    window.keys("Escape")
    window.wait_for_no_window(DIALOG)
    assert window.call("result = [layer.get_name() for layer in image.get_layers()]") == ["painting"]
    assert "Traceback" not in window.log()


def test_again_starts_from_the_settings_of_the_layer(atelier: Atelier) -> None:
    """The dialog on a result shows what that was made with, not the last values, and reads only once."""
    window = atelier.window
    atelier.hold.touch()
    source = "made = harmonize(image, [cup], seed=77, size=64, genre='cubism', edge_softness=3.0)['values'][0]"
    window.call(source + "\nimage.set_selected_layers([made]); result = None")
    atelier.open_dialog()
    atelier.accept()
    atelier.wait_for_layers(4)
    window.wait_for_no_window(DIALOG)
    first, again = ({**job["parameters"], "previews": None} for job in atelier.engine.messages("submit"))
    assert first == again
    assert (again["seed"], again["size"], again["stylization"]) == (77, 64, "cubism")
    masks = "result = [pixels(layer.get_mask(), MASK) for layer in image.get_layers()[:2]]"
    newer, older = window.call(masks)
    assert newer == older, "the edge was softened twice"


def test_the_engine_window_opens_from_the_menu(atelier: Atelier) -> None:
    window = atelier.window
    window.focus(IMAGE_WINDOW)
    window.keys("alt+e", "Up", "Return")
    window.wait_for_window("Engine and Networks")
    atelier.engine.wait_for("status-query")
    window.focus("Engine and Networks")
    # Stop answers only once the engine's state is shown, which is a moment after the engine was asked for it.
    window.keys_until("alt+s", lambda: atelier.engine.messages("shutdown"))
    window.keys("Escape")
    window.wait_for_no_window("Engine and Networks")
    assert "Traceback" not in window.log()


def test_another_object_is_picked_in_the_dialog(atelier: Atelier) -> None:
    window = atelier.window
    atelier.hold.touch()
    window.call(
        "spoon = add_layer(image, 'spoon', (20, 90), flat((20, 90), (9, 9, 9, 255)), (150, 20), position=1); "
        "image.set_selected_layers([cup]); result = None"
    )
    atelier.open_dialog()
    window.keys("alt+j", "Down")
    atelier.accept()
    window.wait_for_no_window(DIALOG)
    names = window.call("result = [layer.get_name() for layer in image.get_layers()]")
    assert names == ["cup", "Harmonized: spoon", "spoon", "painting"]


def test_a_selection_changed_meanwhile_counts(atelier: Atelier) -> None:
    """The picture is read when the dialog opens, and again where the image has changed since."""
    window = atelier.window
    atelier.hold.touch()
    atelier.open_dialog()
    window.call("image.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 50, 20, 10); result = None")
    atelier.accept()
    window.wait_for_no_window(DIALOG)
    made = window.call("result = described(image.get_layers()[0])")
    assert (made["offsets"], made["size"]) == ([40, 50], [20, 10])


def test_a_button_tries_a_smaller_size_where_memory_is_short(gimp_house: GimpHouse) -> None:
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    full = {"do": "failure", "code": "out-of-memory", "sentence": "The memory is full.", "advice": "Take less."}
    with gimp_house.profile() as profile:
        script = {"jobs": [[full], [{"do": "result", "how": "invert"}]]}
        with FakeEngine(profile.folder, script=script) as engine, profile.window() as window:
            atelier = Atelier(profile, engine, window, profile.folder / "hold")
            atelier.open_dialog()
            atelier.accept()
            wait_until((profile.log_dir / "plug-in.log").exists)
            assert atelier.is_untouched()
            window.screenshot("window-memory")
            window.keys_until("alt+u", lambda: len(engine.messages("submit")) == 2)
            atelier.wait_for_layers(3)
            window.wait_for_no_window(DIALOG)
            first, second = (job["parameters"]["size"] for job in engine.messages("submit"))
    assert first is None
    assert second == 256


def test_a_job_of_somebody_else_comes_first(gimp_house: GimpHouse) -> None:
    """The real engine, which is held by another client's job: the window waits in the queue, and then gets its own."""
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with gimp_house.profile() as profile:
        hold = profile.folder / "hold"
        with RealEngine(profile.folder) as engine, engine.connect() as other, profile.window() as window:
            window.call(SCENE)
            window.wait_for_window(IMAGE_WINDOW)
            first = other.submit(jobs.request(f"hold:{hold}"))
            wait_until(lambda: other.status().running == first)
            window.focus(IMAGE_WINDOW)
            window.keys("alt+r", "Up", "Return")
            window.wait_for_window(DIALOG)
            window.focus(DIALOG)
            window.call("result = None")
            window.keys("alt+o")
            wait_until(lambda: other.status().queued == 1)  # the sketch waits
            time.sleep(0.5)  # that is told and drawn
            window.screenshot("window-queued")
            assert window.call("result = len(image.get_layers())") == 2
            hold.touch()
            window.wait_for("result = len(image.get_layers()) == 3")
            window.wait_for_no_window(DIALOG)
            inverted = window.call("result = pixels(image.get_layers()[0])")
    assert inverted[:4] == bytes((165, 135, 95, 255)), "the painting, inverted by the scripted runner"


@pytest.mark.parametrize("language", ["de", "es"])
def test_the_dialog_fits_a_small_screen(gimp_house: GimpHouse, language: str) -> None:
    """With everything unfolded, by the keyboard, in the languages with the longer words."""
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with gimp_house.profile(environment={"LANGUAGE": language}) as profile, profile.window() as window:
        window.call(SCENE)
        window.wait_for_window(IMAGE_WINDOW)
        window.focus(IMAGE_WINDOW)
        window.keys("alt+r", "Up", "Return")
        window.wait_for_window(DIALOG)
        folded = window.size(DIALOG)
        window.focus(DIALOG)
        window.keys("alt+m")
        wait_until(lambda: window.size(DIALOG)[1] > folded[1])
        window.screenshot(f"window-{language}")
        assert all(side <= most for side, most in zip(window.size(DIALOG), SMALLEST_SCREEN, strict=True))
        window.keys("Escape")
        window.wait_for_no_window(DIALOG)
