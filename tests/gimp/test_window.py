"""The plug-in as a painter meets it: menu, dialog, progress, cancel, result, undo. The engine waits on files, never on
the clock."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from painterly_protocol.listener import Transport
from support import jobs
from support.fake_engine import FakeEngine, wait_until
from support.gimp_house import GimpHouse, Profile, processes_of
from support.gimp_window import MAIN_WINDOW, GimpWindow
from support.real_engine import RealEngine

IMAGE_WINDOW = r"layers.*GIMP"
DIALOG = "^Painterly Harmonize$"
ENGINE_WINDOW = "Engine and Networks"
# The networks' buttons, where the window stands in the corner.
DOWNLOAD, DOWNLOAD_SECOND = (580, 122), (580, 162)
SMALLEST_SCREEN = (1366, 768)
PREVIEW = (10, 250, 20)
BLURRED = (70, 70, 60)
INVERTED = (55, 195, 235)  # the cup below, as the fake engine gives it back

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
        self.window.choose_last(IMAGE_WINDOW, "alt+r", DIALOG)

    def accept(self) -> None:
        """Press OK and wait until the engine has the job."""
        jobs = len(self.engine.messages("submit"))
        self.window.press(DIALOG, "alt+o", lambda: len(self.engine.messages("submit")) > jobs)

    def undo(self, layers: int) -> None:
        """Press Ctrl+Z once and see so many layers."""
        self.window.press(IMAGE_WINDOW, "ctrl+z", lambda: self.has_layers(layers))

    def has_layers(self, count: int) -> bool:
        return bool(self.window.call(f"result = len(image.get_layers()) == {count}"))

    def previews(self) -> bool:
        """Whether the fake preview is what the dialog shows."""
        return shows(self.window.screenshot("window-progress"), PREVIEW)

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
            {"do": "preview", "rgb": PREVIEW, "width": 24, "height": 16},
            {"do": "wait", "file": str(hold)},
            {"do": "result", "how": "invert", "metadata": {"warnings": ["The network was never trained."]}},
        ]
        with FakeEngine(profile.folder, steps) as engine, profile.window() as window:
            yield Atelier(profile, engine, window, hold)


def shows(picture: Path, wanted: tuple[int, int, int]) -> bool:
    """Whether a part of the screen has the colour."""
    with Image.open(picture) as screen:
        colours = screen.convert("RGB").getcolors(screen.width * screen.height) or []
    return sum(count for count, colour in colours if colour == wanted) > 5000


def is_bare(picture: Path, place: tuple[int, int]) -> bool:
    """Whether nothing is drawn on the screen at the place, a button for example."""
    x, y = place
    with Image.open(picture) as screen:
        return len(screen.convert("RGB").crop((x - 20, y - 10, x + 20, y + 10)).getcolors(800) or "many") == 1


def differ(one: Path, other: Path) -> bool:
    with Image.open(one) as first, Image.open(other) as second:
        return ImageChops.difference(first.convert("L"), second.convert("L")).getbbox() is not None


def test_from_menu_to_undo(atelier: Atelier) -> None:
    window = atelier.window
    atelier.open_dialog()
    window.screenshot("window-dialog")
    atelier.accept()
    wait_until(atelier.previews)
    assert atelier.is_untouched(), "something changed before the result was there"
    window.press(DIALOG, "alt+p", lambda: not atelier.previews())  # Compare: as it was before
    window.press(DIALOG, "alt+p", atelier.previews)

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

    atelier.undo(2)
    window.screenshot("window-undone")
    assert atelier.is_untouched(), "one undo did not bring everything back"

    window.press(IMAGE_WINDOW, "ctrl+y", lambda: atelier.has_layers(3))
    atelier.undo(2)
    # Repeat: no dialog, the last values.
    window.press(IMAGE_WINDOW, "ctrl+f", lambda: len(atelier.engine.messages("submit")) == 2)
    atelier.wait_for_layers(3)
    atelier.undo(2)
    # Re-show: the dialog with the last values.
    window.press(IMAGE_WINDOW, "ctrl+shift+f", lambda: window.is_open(DIALOG))
    atelier.accept()
    atelier.wait_for_layers(3)
    jobs = [{**job["parameters"], "previews": None} for job in atelier.engine.messages("submit")]
    assert len(jobs) == 3
    assert jobs[0] == jobs[1] == jobs[2]


def test_cancel_stops_the_job_and_leaves_no_trace(atelier: Atelier) -> None:
    window = atelier.window
    atelier.open_dialog()
    atelier.accept()
    wait_until(atelier.previews)
    window.press(DIALOG, "alt+c", lambda: atelier.engine.messages("cancel"))
    cancelled = atelier.engine.wait_for("cancel")
    assert cancelled["job_id"] == atelier.engine.messages("submit")[0]["job_id"]
    assert atelier.is_untouched()

    # The dialog has stayed: OK starts another job, closing the window stops that too.
    atelier.accept()
    window.leave(DIALOG)
    wait_until(lambda: len(atelier.engine.messages("cancel")) == 2)
    atelier.hold.touch()
    assert atelier.is_untouched()
    window.wait_for("result = len(Gimp.get_images()) == 1")  # nothing of what was read is left behind


def test_settings_are_saved_and_reset_by_gimps_own_buttons(atelier: Atelier) -> None:
    """Another quality, saved; after Reset a job is the usual one, after Load the saved one."""
    window = atelier.window
    atelier.hold.touch()
    saved = atelier.profile.gimp_directory / "plug-in-settings"
    atelier.open_dialog()
    window.keys("alt+q", "Up")
    window.press(DIALOG, "alt+s", lambda: [file for file in saved.glob("*") if "draft" in file.read_text()])
    window.keys("alt+r", "Up", "Return")  # to factory defaults
    atelier.accept()
    atelier.wait_for_layers(3)
    window.wait_for_no_window(DIALOG)
    atelier.undo(2)
    window.call("image.set_selected_layers([cup]); result = None")
    atelier.open_dialog()
    window.keys("alt+l")
    atelier.accept()
    atelier.wait_for_layers(3)
    assert [job["parameters"]["preset"] for job in atelier.engine.messages("submit")] == ["standard", "draft"]


def test_an_object_deleted_meanwhile_ends_in_a_sentence(atelier: Atelier) -> None:
    window = atelier.window
    atelier.open_dialog()
    atelier.accept()
    window.call("image.remove_layer(cup)")
    atelier.hold.touch()
    log = atelier.profile.log_dir / "plug-in.log"
    wait_until(lambda: log.exists() and "was deleted while its result was being painted" in log.read_text())
    window.screenshot("window-trouble")  # the dialog has stayed, with the sentence
    window.leave(DIALOG)
    assert window.call("result = [layer.get_name() for layer in image.get_layers()]") == ["painting"]
    assert "Traceback" not in window.log()


def test_again_starts_from_the_settings_of_the_layer(atelier: Atelier) -> None:
    """The dialog on a result shows what that was made with, not the last values, and reads only once."""
    window = atelier.window
    atelier.hold.touch()
    source = "made = harmonize(image, [cup], seed=77, size=64, genre='cubism', edge_softness=3.0)['values'][0]"
    window.call(source + "\nimage.set_selected_layers([made]); result = None")
    atelier.open_dialog()
    window.screenshot("window-again")
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
    window.choose_last(IMAGE_WINDOW, "alt+e", ENGINE_WINDOW)
    atelier.engine.wait_for("status-query")
    # Stop answers only once the engine's state is shown, which is a moment after the engine was asked for it.
    window.press(ENGINE_WINDOW, "alt+s", lambda: atelier.engine.messages("shutdown"), seconds=10)
    window.leave(ENGINE_WINDOW)
    assert "Traceback" not in window.log()


# In the place of the engine's Python: its command line, with two networks to fetch.
SHELF = """#!/usr/bin/env python3
import pathlib, sys, time
folder, name = pathlib.Path(__file__).parent, sys.argv[-1]
def tell(line):
    with (folder / "told").open("a") as file: file.write(line + "\\n")
tell(" ".join(sys.argv[3:]))
if "list" in sys.argv:
    for each in ("vgg19", "vgg16"):
        print(each + ("    550 MB" if (folder / f"fetched-{each}").exists() else "    not here"))
if "fetch" in sys.argv:
    print(f"{name}:  42%|####      |", flush=True)
    while not (folder / f"arrive-{name}").exists(): time.sleep(0.02)
    (folder / f"fetched-{name}").touch()
"""


class Shelf:
    """The networks of a profile's engine, in the place of the real ones."""

    def __init__(self, profile: Profile) -> None:
        self._profile, self._folder = profile, profile.folder / "shelf"
        python = self._folder / "python"
        self._folder.mkdir()
        python.write_text(SHELF)
        python.chmod(0o755)
        settings = profile.plugin_folder / "config.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "engine_command": [str(python)]}))

    def count(self, words: str) -> int:
        """How often it was asked so."""
        told = self._folder / "told"
        return told.read_text().splitlines().count(words) if told.exists() else 0

    def let_arrive(self, name: str) -> None:
        (self._folder / f"arrive-{name}").touch()

    def open_window(self, window: GimpWindow) -> None:
        """The engine's window, in the corner, with the networks in it."""
        window.choose_last(MAIN_WINDOW, "alt+e", ENGINE_WINDOW)
        window.place(ENGINE_WINDOW, 0, 0)
        wait_until(lambda: self.count("weights list") == 1 and not is_running(self._profile, "list"))


@pytest.fixture
def shelf(gimp_house: GimpHouse) -> Iterator[tuple[Shelf, Profile, GimpWindow]]:
    """The engine's window over networks that can be fetched."""
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with gimp_house.profile() as profile:
        networks = Shelf(profile)
        with profile.window() as window:
            networks.open_window(window)
            yield networks, profile, window
            assert "Traceback" not in window.log()


def test_a_network_is_fetched_by_a_button_which_also_stops_it(shelf: tuple[Shelf, Profile, GimpWindow]) -> None:
    networks, profile, window = shelf
    # Download, Cancel and Download again are one button.
    window.click_until(DOWNLOAD, lambda: is_running(profile, "fetch"))
    window.screenshot("window-download")
    window.click_until(DOWNLOAD, lambda: not is_running(profile, "fetch"))
    window.click_until(DOWNLOAD, lambda: networks.count("weights fetch vgg19") == 2)
    networks.let_arrive("vgg19")
    wait_until(lambda: networks.count("weights list") == 2)  # what is there now is asked for
    window.screenshot("window-downloaded")
    window.leave(ENGINE_WINDOW)


def test_a_download_that_ends_leaves_the_others_alone(shelf: tuple[Shelf, Profile, GimpWindow]) -> None:
    """Two at once: the second one's button still stops it when the first has ended, and so does closing the window."""
    networks, profile, window = shelf
    window.click_until(DOWNLOAD, lambda: networks.count("weights fetch vgg19") == 1)
    window.click_until(DOWNLOAD_SECOND, lambda: is_running(profile, "vgg16"))
    networks.let_arrive("vgg19")
    wait_until(lambda: networks.count("weights list") == 2 and not is_running(profile, "list"))
    wait_until(lambda: is_bare(window.screenshot("window-one-of-two-downloaded"), DOWNLOAD))
    window.click_until(DOWNLOAD_SECOND, lambda: not is_running(profile, "vgg16"))
    window.click_until(DOWNLOAD_SECOND, lambda: networks.count("weights fetch vgg16") == 2)
    window.leave(ENGINE_WINDOW)
    wait_until(lambda: not is_running(profile, "vgg16"))


def test_an_engine_on_another_machine_is_named_and_neither_stopped_nor_given_networks(gimp_house: GimpHouse) -> None:
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with gimp_house.profile() as profile, FakeEngine(profile.folder / "far", transport=Transport.TCP) as far:
        far.invite(profile.runtime_dir)
        shelf = Shelf(profile)
        with profile.window() as window:
            window.choose_last(MAIN_WINDOW, "alt+e", ENGINE_WINDOW)
            window.place(ENGINE_WINDOW, 0, 0)
            far.wait_for("status-query")
            window.keys("alt+s")
            window.click(*DOWNLOAD)
            asked = len(far.messages("status-query"))
            wait_until(lambda: len(far.messages("status-query")) > asked + 1)  # the window has looked anew
            window.screenshot("window-engine-elsewhere")
            window.leave(ENGINE_WINDOW)
            assert "Traceback" not in window.log()
        assert not far.messages("shutdown")
        assert shelf.count("weights list") == shelf.count("weights fetch vgg19") == shelf.count("doctor") == 0


def is_running(profile: Profile, word: str) -> bool:
    """Whether the shelf above is at work."""
    for pid in processes_of(profile.folder):
        with contextlib.suppress(OSError):
            command = Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
            if b"painterly_engine.cli" in command and word.encode() in command:
                return True
    return False


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
            window.press(DIALOG, "alt+u", lambda: len(engine.messages("submit")) == 2)
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
            window.choose_last(IMAGE_WINDOW, "alt+r", DIALOG)
            before = window.screenshot("window-asked")
            window.press(DIALOG, "alt+o", lambda: other.status().queued == 1)  # the sketch waits
            wait_until(lambda: differ(before, window.screenshot("window-queued")))  # that is told
            assert window.call("result = len(image.get_layers())") == 2
            hold.touch()
            window.wait_for("result = len(image.get_layers()) == 3")
            window.wait_for_no_window(DIALOG)
            inverted = window.call("result = pixels(image.get_layers()[0])")
    assert inverted[:4] == bytes((165, 135, 95, 255)), "the painting, inverted by the scripted runner"


def test_a_first_look_comes_before_the_picture(gimp_house: GimpHouse) -> None:
    """The instant result is shown while the real one is painted, whose own previews then take its place."""
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with gimp_house.profile() as profile:
        paint, end = profile.folder / "paint", profile.folder / "end"
        preview = {"do": "preview", "rgb": PREVIEW, "width": 24, "height": 16}
        early, finer = {"do": "progress", "fraction": 0.1}, {"do": "progress", "fraction": 0.3}
        steps: list[dict[str, Any]] = [early, {**preview, "rgb": BLURRED}, {"do": "wait", "file": str(paint)}]
        steps += [finer, preview, {"do": "wait", "file": str(end)}, {"do": "result"}]
        script = {"sketch": [{"do": "result", "how": "invert"}], "jobs": [steps]}
        with FakeEngine(profile.folder, script=script) as engine, profile.window() as window:
            atelier = Atelier(profile, engine, window, end)
            atelier.open_dialog()
            atelier.accept()
            wait_until(lambda: shows(window.screenshot("window-first-look"), INVERTED))
            assert [job["parameters"]["preset"] for job in engine.messages("sketch")] == ["instant"]
            assert [job["parameters"]["preset"] for job in engine.messages("submit")] == ["standard"]
            assert atelier.is_untouched()
            assert shows(window.screenshot("window-first-look"), INVERTED), "the first blurred picture has replaced it"
            paint.touch()
            wait_until(atelier.previews)
            assert not shows(window.screenshot("window-refined"), INVERTED)
            end.touch()
            atelier.wait_for_layers(3)
            window.wait_for_no_window(DIALOG)


def test_two_images_at_once_get_each_its_own(gimp_house: GimpHouse) -> None:
    """Two dialogs of one GIMP and somebody else's job at the real engine: everybody's turn comes in order."""
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    colours = [(90, 120, 160), (30, 200, 70)]
    with gimp_house.profile() as profile:
        hold = profile.folder / "hold"
        with RealEngine(profile.folder) as engine, engine.connect() as other, profile.window() as window:
            first = other.submit(jobs.request(f"hold:{hold}"))
            wait_until(lambda: other.status().running == first)
            for waiting, colour in enumerate(colours, 1):
                window.call(
                    "pictures = globals().get('pictures', [])\n" + SCENE.replace("90, 120, 160", "*colour"),
                    colour=colour,
                )
                window.call("pictures.append(image); result = None")
                window.choose_last(IMAGE_WINDOW, "alt+r", DIALOG)
                window.press(DIALOG, "alt+o", lambda waiting=waiting: other.status().queued == waiting)
            window.screenshot("window-two-images")
            assert window.call("result = [len(each.get_layers()) for each in pictures]") == [2, 2]
            hold.touch()
            window.wait_for("result = [len(each.get_layers()) for each in pictures] == [3, 3]")
            window.wait_for_no_window(DIALOG)
            made = window.call("result = [pixels(each.get_layers()[0])[:4] for each in pictures]")
            asked, begun = ([line["job"] for line in engine.events(f"job-{what}")] for what in ("queued", "starts"))
    assert [bytes(corner) for corner in made] == [bytes((*(255 - part for part in each), 255)) for each in colours]
    assert begun[:3] == asked[:3], "a look at each image, in the order in which they were asked for"
    assert len(begun) == 5


@pytest.mark.parametrize("language", ["de", "es"])
def test_the_dialog_fits_a_small_screen(gimp_house: GimpHouse, language: str) -> None:
    """With everything unfolded, by the keyboard, in the languages with the longer words."""
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with gimp_house.profile(environment={"LANGUAGE": language}) as profile, profile.window() as window:
        window.call(SCENE)
        window.wait_for_window(IMAGE_WINDOW)
        window.choose_last(IMAGE_WINDOW, "alt+r", DIALOG)
        folded = window.size(DIALOG)
        window.press(DIALOG, "alt+m", lambda: window.size(DIALOG)[1] > folded[1] + 60)
        window.screenshot(f"window-{language}")
        assert all(side <= most for side, most in zip(window.size(DIALOG), SMALLEST_SCREEN, strict=True))
        window.leave(DIALOG)
