"""The real GIMP starts, answers, and has our plug-in as install.py leaves it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.gimp_headless import GimpError
from support.gimp_house import GimpHouse, Profile, processes_of, wait_until


def test_gimp_3_starts_with_our_procedure(gimp_profile: Profile, gimp_house: GimpHouse) -> None:
    version, exists, menu = gimp_profile.run("""
p = Gimp.get_pdb().lookup_procedure(PROCEDURE)
result = [Gimp.version(), p is not None, p.get_menu_label()]
""")
    assert version == gimp_house.version
    assert version.startswith("3.")
    assert exists
    assert menu == "_Painterly Harmonize…"


def test_pixels_selections_and_values_travel_unchanged(gimp_house: GimpHouse) -> None:
    picture, mask = bytes(range(24)), bytes(range(0, 240, 20))
    with gimp_house.profile(plugin=False) as profile:
        answer = profile.run(
            """
image = new_image(4, 3)
layer = add_layer(image, "object", (3, 2), picture, at=(1, -1))
select(image, mask)
result = {"picture": pixels(layer), "mask": selection(image), "stack": stack(image), "nested": [None, 1.5, "é"]}
""",
            picture=picture,
            mask=mask,
        )
    assert answer["picture"] == picture
    assert answer["mask"] == mask
    assert answer["nested"] == [None, 1.5, "é"]
    assert [(layer["name"], layer["offsets"], layer["size"]) for layer in answer["stack"]] == [
        ("object", [1, -1], [3, 2])
    ]


def test_an_error_inside_gimp_is_an_error_of_the_test(gimp_house: GimpHouse) -> None:
    with gimp_house.profile(plugin=False) as profile, pytest.raises(GimpError, match="there is no such thing"):
        profile.run("raise ValueError('there is no such thing')")


def test_a_gimp_that_never_ends_is_ended(gimp_house: GimpHouse) -> None:
    with gimp_house.profile(plugin=False) as profile:
        with pytest.raises(GimpError, match="longer than"):
            profile.run("import time\nwhile True: time.sleep(1)", timeout=8)
        folder = profile.folder
    assert processes_of(folder) == []
    assert not folder.exists()


def test_what_a_killed_test_run_left_is_cleared(gimp_house: GimpHouse) -> None:
    source = (
        "import os, subprocess; from support.gimp_house import find_house\n"
        f"with find_house({gimp_house.version[:3]!r}).profile(plugin=False) as profile:\n"
        "    profile.popen(['sleep', '1000'], stdout=subprocess.DEVNULL)\n"
        "    print(profile.folder, flush=True)\n"
        "    os._exit(0)"
    )
    paths = os.pathsep.join(sys.path)
    killed = subprocess.run(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}
    )
    left = Path(killed.stdout.decode().strip())
    assert wait_until(lambda: len(processes_of(left)) == 1, 30)
    with gimp_house.profile(plugin=False):
        assert processes_of(left) == []
        assert not left.exists()


def test_the_engines_python_can_be_started_from_inside(gimp_house: GimpHouse) -> None:
    if not gimp_house.reaches_engine:
        pytest.skip("this machine forbids mount namespaces: GIMP cannot reach the engine's Python")
    with gimp_house.profile() as profile:
        process = profile.popen(
            [sys.executable, "-c", "import painterly_engine; print(painterly_engine.__name__)"], stdout=subprocess.PIPE
        )
        out, _ = process.communicate(timeout=60)
    assert out.decode().strip() == "painterly_engine"


def test_the_window_obeys_keys_and_calls(gimp_house: GimpHouse) -> None:
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"windowed tests need {', '.join(missing)}")
    with gimp_house.profile(plugin=False) as profile, profile.window() as window:
        window.call("image = new_image(64, 48); layer = add_layer(image, 'paper', (64, 48)); show(image)")
        # GIMP lets a new image's actions be called a moment after its window tells of it.
        window.press("1 layer", "ctrl+shift+n", lambda: window.is_open("New Layer"), seconds=8)
        window.press("New Layer", "Return", lambda: not window.is_open("New Layer"))
        assert window.wait_for("result = len(image.get_layers()) if len(image.get_layers()) > 1 else 0") == 2
        alone = "result = [l.get_name() for l in image.get_layers()] == ['paper']"
        window.press("2 layers", "ctrl+z", lambda: window.call(alone))
        assert window.call(alone)
        picture = window.screenshot("house")
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert window.exit_code == 0
