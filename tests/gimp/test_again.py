"""A result is harmonized again after its image has changed: its outline goes with the object, or a sentence says why
not."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import pytest

from support.gimp_cases import Workplace, workplace
from support.gimp_house import GimpHouse

# A cup of 20 × 16 at (10, 8), of which the right three quarters are selected, softly towards the right. A "plain" one
# is of one colour, and all of it is selected: nothing tells a mirrored one from one that was moved.
PREPARED = """
import struct, zlib
def checked(width, height):
    return bytes(part for y in range(height) for x in range(width) for part in (5 * x, 7 * y, x * y % 251, 255))
def chosen(x, y):
    return 0 if x < 15 or not 8 <= y < 24 else 255 if x < 24 else 128 if x < 30 else 0
def spread():
    canvas.resize_to_image_size()
    size = canvas.get_width(), canvas.get_height()
    put(canvas, flat(size, (200, 100, 50, 255)))
def parasite(name):
    return bytes(value & 255 for value in first.get_parasite(name).get_data())
def attach(name, data):
    first.detach_parasite(name)
    first.attach_parasite(Gimp.Parasite.new(name, 1, list(memoryview(data).cast("b"))))
def drawn(plain):
    image = new_image(64, 48)
    add_layer(image, "painting", (64, 48), flat((64, 48), (200, 100, 50, 255)))
    cup = add_layer(image, "cup", (20, 16), flat((20, 16), (40, 60, 80, 255)) if plain else checked(20, 16), (10, 8))
    if not plain: select(image, bytes(chosen(x, y) for y in range(48) for x in range(64)))
    assert harmonize(image, [cup])["status"] == "success"
    Gimp.Selection.none(image)
    save(image, f"{folder}/{plain}.xcf")
    image.delete()
drawn(True); drawn(False)
"""
SCENE = """
image = load(f"{folder}/{name in plains}.xcf")
first, cup, canvas = image.get_layers()
"""
AGAIN = """
def box(layer):
    return [*layer.get_offsets()[1:], layer.get_width(), layer.get_height()]
answer = harmonize(image, [first])
result = {"status": answer["status"], "message": answer["message"], "images": len(Gimp.get_images())}
if answer["status"] == "success":
    made = answer["values"][0]
    coverage, width = pixels(made.get_mask(), MASK), made.get_width()
    result |= {"box": box(made), "top": list(coverage[:width]), "name": made.get_name().split("#")[0].strip()}
image.delete()
"""
SELECTED = [255] * 9 + [128] * 6  # a row of the mask
LOST = "The object “cup” is not what it was when “Harmonized: cup” was made of it: its outline does not fit now."
ADVICE = "Select the part of the object to harmonize, or run the filter on the object's own layer."

# What is done → where the new result lies, and its mask's first row.
FOLLOWED: dict[str, tuple[str, list[int], list[int]]] = {
    "nothing": ("pass", [15, 8, 15, 16], SELECTED),
    "a larger canvas": ("image.resize(94, 78, 15, 15); spread()", [30, 23, 15, 16], SELECTED),
    "a much larger canvas": ("image.resize(164, 148, 90, 90); spread()", [105, 98, 15, 16], SELECTED),
    "a crop around": ("image.crop(50, 40, 8, 4)", [7, 4, 15, 16], SELECTED),
    "the object moved": ("cup.set_offsets(30, 20)", [35, 20, 15, 16], SELECTED),
    "the object moved over the edge": ("cup.set_offsets(-10, 20)", [0, 20, 10, 16], SELECTED[5:]),
    "the result moved": ("first.set_offsets(2, 2)", [15, 8, 15, 16], SELECTED),
    "a copy moved": (
        "copy = first.copy(); image.insert_layer(copy, None, 0); copy.set_offsets(2, 2); first = copy",
        *([15, 8, 15, 16], SELECTED),
    ),
    "both moved": ("cup.set_offsets(30, 20); first.set_offsets(35, 20)", [35, 20, 15, 16], SELECTED),
    "the object retouched and moved": (
        "put(cup, checked(20, 16)[::-1]); put(cup, flat((20, 16), (1, 2, 3, 255))); cup.set_offsets(11, 9)",
        *([16, 9, 15, 16], SELECTED),
    ),
    "painted out": (
        "put(first.get_mask(), bytes(0 if x == 3 else 255 for y in range(16) for x in range(15)), MASK)",
        *([15, 8, 15, 16], [*SELECTED[:3], 0, *SELECTED[4:]]),
    ),
    "painted out, then the object moved": (
        "put(first.get_mask(), bytes(0 if x == 3 else 255 for y in range(16) for x in range(15)), MASK); "
        "cup.set_offsets(30, 20)",
        *([35, 20, 15, 16], [*SELECTED[:3], 0, *SELECTED[4:]]),
    ),
    "the layer mask applied": ("first.remove_mask(Gimp.MaskApplyMode.APPLY)", [15, 8, 15, 16], SELECTED),
    "the layer mask thrown away": ("first.remove_mask(Gimp.MaskApplyMode.DISCARD)", [15, 8, 15, 16], SELECTED),
    "scaled": (
        "Gimp.context_set_interpolation(Gimp.InterpolationType.NONE); image.scale(128, 96)",
        *([30, 16, 30, 32], [255] * 18 + [128] * 12),
    ),
    "turned": ("image.rotate(Gimp.RotationType.DEGREES90)", [24, 15, 16, 15], [255] * 16),
    "turned about": ("image.rotate(Gimp.RotationType.DEGREES180)", [34, 24, 15, 16], SELECTED[::-1]),
    "mirrored": ("image.flip(Gimp.OrientationType.HORIZONTAL)", [34, 8, 15, 16], SELECTED[::-1]),
    "cut": ("image.crop(30, 30, 20, 4)", [0, 4, 10, 16], SELECTED[5:]),
    "saved and loaded": (
        "save(image, folder + '/again.xcf'); image.delete(); image = load(folder + '/again.xcf'); "
        "first, cup = image.get_layers()[:2]",
        *([15, 8, 15, 16], SELECTED),
    ),
    "a copy of the image": (
        "copy = image.duplicate(); image.delete(); image = copy; first, cup, canvas = image.get_layers()",
        *([15, 8, 15, 16], SELECTED),
    ),
    "the object renamed": ("cup.set_name('mug')", [15, 8, 15, 16], SELECTED),
    "a note of before": (
        "attach('painterly-harmonize-mask', struct.pack('<4i', 17, 8, 10, 16) + zlib.compress(bytes([200]) * 160))",
        *([17, 8, 10, 16], [200] * 10),
    ),
    "a note of before, and a larger canvas": (
        "attach('painterly-harmonize-mask', struct.pack('<4i', 17, 8, 10, 16) + zlib.compress(bytes([200]) * 160)); "
        "image.resize(94, 78, 15, 15); spread()",
        *([30, 23, 15, 16], SELECTED),
    ),
    "a note of gigabytes": (
        "d = parasite('painterly-harmonize-mask'); attach('painterly-harmonize-mask', "
        "d[:4] + struct.pack('<4i', 0, 0, 500000, 500000) + d[20:])",
        *([15, 8, 15, 16], SELECTED),
    ),
}
PLAIN: dict[str, tuple[str, list[int], list[int]]] = {
    "plain, the object moved": ("cup.set_offsets(30, 20)", [30, 20, 20, 16], [255] * 20),
    "plain, mirrored": ("image.flip(Gimp.OrientationType.HORIZONTAL)", [34, 8, 20, 16], [255] * 20),
}
# Of a selected half of a plain object nothing but its place tells that it was mirrored.
HALF = """
put(cup, flat((20, 16), (40, 60, 80, 255)))
first.set_visible(False); cup.set_visible(True)
image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 8, 8, 16)
first = harmonize(image, [cup])["values"][0]
Gimp.Selection.none(image)
"""
PLAIN |= {
    "a plain half, mirrored": (HALF + "image.flip(Gimp.OrientationType.HORIZONTAL)", [46, 8, 8, 16], [255] * 8),
    "a plain half, moved": (HALF + "cup.set_offsets(30, 20)", [30, 20, 8, 16], [255] * 8),
}
REFUSED = {
    "the object alone scaled": "cup.scale(30, 24, False)",
    "the object alone cut": "cup.resize(10, 16, 0, 0)",
    "turned, and no layer mask": "first.remove_mask(Gimp.MaskApplyMode.DISCARD); "
    "image.rotate(Gimp.RotationType.DEGREES90)",
    "the object emptied": "put(cup, flat((20, 16), (0, 0, 0, 0)))",
}


@pytest.fixture(scope="module")
def place(gimp_house: GimpHouse) -> Iterator[Workplace]:
    with workplace(gimp_house) as made:
        yield made


@pytest.fixture(scope="module")
def answers(place: Workplace) -> dict[str, Any]:
    """All cases, one after the other in one GIMP."""
    changes = {name: change for name, (change, *_expected) in (FOLLOWED | PLAIN).items()} | REFUSED
    source = """
exec(prepared)
answers = {}
for name, change in changes.items():
    exec(scene + change + again)
    answers[name] = result
result = answers
"""
    values = {"changes": changes, "plains": list(PLAIN), "prepared": PREPARED, "scene": SCENE, "again": AGAIN}
    answers: dict[str, Any] = place.profile.run(source, folder=str(place.profile.folder), **values)
    return answers


DEEP = """
image = new_image(64, 48, precision=getattr(Gimp.Precision, precision))
add_layer(image, "painting", (64, 48), flat((64, 48), (200, 100, 50, 255)))
cup = add_layer(image, "cup", (64, 48), flat((64, 48), (40, 60, 80, 255)))
select(image, bytes(4 * x + y % 4 for y in range(48) for x in range(64)))
first = harmonize(image, [cup])["values"][0]
Gimp.Selection.none(image)
result = harmonize(image, [first])["status"]
"""


@pytest.mark.parametrize("precision", ["U16_NON_LINEAR", "FLOAT_LINEAR"])
def test_of_deep_images_each_of_256_steps_of_softness_is_remembered(place: Workplace, precision: str) -> None:
    assert place.profile.run(DEEP, precision=precision) == "success"
    first, again = (job["job_id"] for job in place.engine.messages("submit")[-2:])
    masks = [array("f", (place.engine.saved / f"{job}-mask.raw").read_bytes()) for job in (first, again)]
    assert len(set(masks[0])) == 256
    assert all(abs(one - other) < 1e-6 for one, other in zip(*masks, strict=True))


TWICE = """
image = new_image(64, 48)
add_layer(image, "painting", (64, 48), flat((64, 48), (200, 100, 50, 255)))
made = [add_layer(image, "cup", (20, 16), flat((20, 16), (40, 60, 80, 255)), (20, 12))]
edges = {"mask_growth": 3, "edge_softness": 6.0}
for mode in (Gimp.RunMode.NONINTERACTIVE, Gimp.RunMode.NONINTERACTIVE, Gimp.RunMode.WITH_LAST_VALS):
    made += call(PROCEDURE, run_mode=mode, image=image, drawables=[made[-1]], **edges)["values"]
image.select_rectangle(Gimp.ChannelOps.REPLACE, 25, 15, 10, 10)
made += harmonize(image, [made[-1]], mask_growth=3)["values"]
result = [[layer.get_width(), layer.get_height(), pixels(layer.get_mask(), MASK)] for layer in made[1:]]
"""


def test_an_outline_is_moved_and_softened_once(place: Workplace) -> None:
    """By a script and by Repeat, as in the dialog; a selection is another outline."""
    first, second, repeated, selected = place.profile.run(TWICE)
    assert first[0] > 26, "it was not moved and softened at all"
    assert first == second == repeated
    assert selected[:2] == [16, 16]


@pytest.mark.parametrize("case", [*FOLLOWED, *PLAIN])
def test_the_outline_goes_with_the_object(answers: dict[str, Any], case: str) -> None:
    _change, box, row = (FOLLOWED | PLAIN)[case]
    answer = answers[case]
    assert answer["status"] == "success", answer["message"]
    assert (answer["box"], answer["top"]) == (box, row)
    assert answer["name"] in ("Harmonized: cup", "Harmonized: mug"), "the earlier result was taken for the object"
    assert answer["images"] == 1, "a scratch image was left behind"


@pytest.mark.parametrize("case", REFUSED)
def test_an_outline_that_fits_no_longer_is_asked_for(answers: dict[str, Any], case: str) -> None:
    answer = answers[case]
    assert answer["status"] == "execution-error"
    assert LOST in answer["message"]
    assert ADVICE in answer["message"]
    assert answer["images"] == 1, "a scratch image was left behind"
