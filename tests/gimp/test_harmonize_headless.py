"""What the plug-in reads, sends and inserts, in a real GIMP without a window, against the fake engine.

The fake inverts the composite under the mask, so that a wrong pixel anywhere on the way there or back shows.
Expected pixels are computed here, one by one, from what the layers hold.
"""

from __future__ import annotations

import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.gimp_cases import HARMONIZE, Outcome, Workplace, workplace
from support.gimp_house import GimpHouse

WIDTH, HEIGHT = 48, 32
Pixel = tuple[int, ...]


@pytest.fixture(scope="module")
def place(gimp_house: GimpHouse) -> Iterator[Workplace]:
    with workplace(gimp_house) as made:
        yield made


def painted(x: int, y: int) -> Pixel:
    """An opaque painting whose every pixel differs from its neighbours."""
    return (5 * x % 256, 7 * y % 256, (x * y) % 251, 255)


def rgba(size: tuple[int, int], colour: Callable[[int, int], Pixel]) -> bytes:
    return bytes(part for y in range(size[1]) for x in range(size[0]) for part in colour(x, y))


def rgb_at(samples: bytes, width: int, x: int, y: int) -> Pixel:
    start = 3 * (y * width + x)
    return tuple(samples[start : start + 3])


CANVAS_PAINTING = rgba((WIDTH, HEIGHT), painted)
ONE_LAYER = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), painting)
layers = [add_layer(image, "cup", size, cup, at)]
if chosen: select(image, chosen)
"""


def check_layer_pixels(done: Outcome, box: tuple[int, int, int, int]) -> None:
    """The layer covers ``box`` of the canvas-sized pictures, with the fake's result in it."""
    x0, y0, width, height = box
    assert (done.layer["offsets"], done.layer["size"]) == ([x0, y0], [width, height])
    composite, painting, mask = done.sent("composite"), done.sent("painting"), done.sent("mask")
    for y in range(height):
        for x in range(width):
            inside = mask[(y0 + y) * WIDTH + x0 + x]
            start = 4 * (y * width + x)
            if inside:
                expected = tuple(255 - part for part in rgb_at(composite, WIDTH, x0 + x, y0 + y))
            else:
                expected = rgb_at(painting, WIDTH, x0 + x, y0 + y)
            assert tuple(done.layer["rgba"][start : start + 4]) == (*expected, 255)
            assert done.layer["coverage"][y * width + x] == inside


def test_soft_selection_times_alpha_of_an_object_that_hangs_over_the_edge(place: Workplace) -> None:
    size, at = (24, 20), (30, -6)

    def cup(x: int, y: int) -> Pixel:
        return (200, 10 * x, 3 * y, (255, 255, 200, 100, 0)[(x + y) % 5])

    def coverage(x: int, y: int) -> int:
        return max(0, min(255, 40 * (x - 31), 40 * (13 - y)))  # soft at its left and lower edge

    chosen = bytes(coverage(x, y) for y in range(HEIGHT) for x in range(WIDTH))
    done = place.harmonize(ONE_LAYER, painting=CANVAS_PAINTING, cup=rgba(size, cup), size=size, at=at, chosen=chosen)
    done.check_done("cup")
    assert done.shape("painting") == done.shape("composite") == [HEIGHT, WIDTH, 3]
    mask, painting, composite = done.sent("mask"), done.sent("painting"), done.sent("composite")
    for y in range(HEIGHT):
        for x in range(WIDTH):
            colour = cup(x - at[0], y - at[1]) if x >= at[0] and y < at[1] + size[1] else (0, 0, 0, 0)
            product = coverage(x, y) * colour[3] / 255
            assert abs(mask[y * WIDTH + x] - product) <= 0.51, (x, y)
            assert rgb_at(painting, WIDTH, x, y) == painted(x, y)[:3]
            if product == 0:
                assert rgb_at(composite, WIDTH, x, y) == painted(x, y)[:3]
            if product == 255:
                assert rgb_at(composite, WIDTH, x, y) == colour[:3]
    check_layer_pixels(done, (32, 0, 16, 13))


def test_without_selection_the_alpha_is_the_mask(place: Workplace) -> None:
    def cup(x: int, y: int) -> Pixel:
        return (9, 8, 7, 255 if 2 <= x < 6 and 1 <= y < 4 else 0)

    done = place.harmonize(
        ONE_LAYER, painting=CANVAS_PAINTING, cup=rgba((10, 8), cup), size=(10, 8), at=(20, 10), chosen=None
    )
    done.check_done("cup")
    check_layer_pixels(done, (22, 11, 4, 3))


def test_the_new_layer_is_ready_to_go_on_with(place: Workplace) -> None:
    source = (
        ONE_LAYER
        + 'options = {"preset": "published", "size": 96, "iterations": 3, "genre": "number", "stylization": 2.5, '
        '"seed": 11, "method": "local"}'
    )
    cup = rgba((6, 6), lambda _x, _y: (1, 2, 3, 255))
    done = place.harmonize(source, painting=CANVAS_PAINTING, cup=cup, size=(6, 6), at=(3, 4), chosen=None)
    done.check_done("cup")
    assert done.layer["selected"]
    assert not done.layer["edit_mask"]
    assert (done.layer["mode"], done.layer["opacity"], done.layer["visible"]) == ("normal", 100.0, True)
    asked = {"preset": "published", "size": 96, "iterations": 3, "stylization": 2.5, "weights": "auto", "seed": 11}
    asked["method"] = "local"
    assert asked.items() <= done.note["arguments"].items()
    assert done.note["result"]["network"] == {"name": "fake"}
    assert done.note["plug-in"] == "test"
    received = done.engine.messages("submit")[-1]["parameters"]
    assert {**asked, "previews": False}.items() <= received.items()


def test_the_object_stays_visible_if_asked(place: Workplace) -> None:
    cup = rgba((6, 6), lambda _x, _y: (1, 2, 3, 255))
    source = ONE_LAYER + 'options = {"hide_object": False}'
    done = place.harmonize(source, painting=CANVAS_PAINTING, cup=cup, size=(6, 6), at=(3, 4), chosen=None)
    done.check_done("cup", hidden=False)


LOCKED = """
answers = []
for locked in ("cup", "first", ""):
    image = new_image(48, 32)
    add_layer(image, "painting", (48, 32), painting)
    cup = add_layer(image, "cup", (6, 6), flat((6, 6), (1, 2, 3, 255)), (3, 4))
    cup.set_lock_visibility(locked == "cup")
    first = harmonize(image, [cup])["values"][0]
    first.set_lock_visibility(locked == "first")
    answer = harmonize(image, [first])
    answers.append([answer["status"], [layer.get_visible() for layer in image.get_layers()]])
    image.delete()
result = answers
"""


def test_a_layer_that_cannot_be_hidden_is_said(gimp_house: GimpHouse) -> None:
    """Its locked visibility is left alone, as every other lock."""
    if missing := gimp_house.missing_for_windows():
        pytest.skip(f"no windowed tests without {', '.join(missing)}")
    with workplace(gimp_house) as place, place.profile.window() as window:
        answers = window.call(LOCKED, painting=CANVAS_PAINTING)
        log = window.log()
    locked = [[True, False, True, True], [True, True, False, True], [True, False, False, True]]
    assert answers == [["success", visible] for visible in locked]
    sentence = "The layer “{}” could not be hidden, because its visibility is locked"
    assert log.count(sentence.format("cup")) == 2, "once for each result"
    assert log.count(sentence.format("Harmonized: cup")) == 1
    assert log.count("could not be hidden") == 3


def test_a_hidden_object_can_be_harmonized_again(place: Workplace) -> None:
    """After the first run the object is hidden and the first result stands above it: neither is the painting."""
    cup = rgba((6, 6), lambda _x, _y: (1, 2, 3, 255))
    source = ONE_LAYER + "layers[0].set_visible(False)\nadd_layer(image, 'above', (48, 32), painting[::-1])\n"
    done = place.harmonize(source, painting=CANVAS_PAINTING, cup=cup, size=(6, 6), at=(3, 4), chosen=None)
    done.check_done("cup")
    check_layer_pixels(done, (3, 4, 6, 6))
    assert done.sent("painting") == b"".join(CANVAS_PAINTING[i : i + 3] for i in range(0, len(CANVAS_PAINTING), 4))


def test_two_selected_layers_are_object_and_painting_alone(place: Workplace) -> None:
    """Their order in the call does not matter; what lies between, above and below is not the painting."""
    source = """
image = new_image(48, 32)
add_layer(image, "floor", (48, 32), flat((48, 32), (255, 0, 0, 255)))
canvas = add_layer(image, "painting", (48, 32), painting)
canvas.set_opacity(30); canvas.set_mode(Gimp.LayerMode.MULTIPLY); canvas.set_visible(False)
add_layer(image, "between", (48, 32), flat((48, 32), (0, 255, 0, 255)))
cup = add_layer(image, "cup", (6, 6), flat((6, 6), (1, 2, 3, 255)), (3, 4))
add_layer(image, "above", (48, 32), flat((48, 32), (0, 0, 255, 255)))
layers = [canvas, cup]
"""
    done = place.harmonize(source, painting=CANVAS_PAINTING)
    done.check_done("cup")
    check_layer_pixels(done, (3, 4, 6, 6))
    assert rgb_at(done.sent("painting"), WIDTH, 40, 20) == painted(40, 20)[:3]


def test_in_a_group_the_result_joins_it_and_its_lower_layers_are_painting(place: Workplace) -> None:
    source = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), painting)
outer = Gimp.GroupLayer.new(image, "outer"); image.insert_layer(outer, None, 0)
inner = Gimp.GroupLayer.new(image, "inner"); image.insert_layer(inner, outer, 0)
add_layer(image, "patch", (10, 10), flat((10, 10), (50, 60, 70, 255)), (30, 8), inner)
cup = add_layer(image, "cup", (6, 6), flat((6, 6), (1, 2, 3, 255)), (28, 9), inner)
add_layer(image, "lid", (48, 32), flat((48, 32), (0, 0, 255, 255)), (0, 0), inner)
add_layer(image, "lamp", (48, 32), flat((48, 32), (0, 0, 255, 255)), (0, 0), outer)
add_layer(image, "above", (48, 32), flat((48, 32), (0, 255, 255, 255)))
layers = [cup]
"""
    done = place.harmonize(source, painting=CANVAS_PAINTING)
    done.check_done("cup")
    check_layer_pixels(done, (28, 9, 6, 6))
    painting = done.sent("painting")
    assert rgb_at(painting, WIDTH, 31, 10) == (50, 60, 70)
    assert rgb_at(painting, WIDTH, 29, 10) == painted(29, 10)[:3]
    outer = next(layer for layer in done.answer["after"] if layer["name"] == "outer")
    inner = next(layer for layer in outer["children"] if layer["name"] == "inner")
    assert [layer["name"] for layer in inner["children"]] == ["lid", "Harmonized: cup", "cup", "patch"]


def test_a_group_can_be_the_object(place: Workplace) -> None:
    source = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), painting)
group = Gimp.GroupLayer.new(image, "still life"); image.insert_layer(group, None, 0)
add_layer(image, "cup", (6, 6), flat((6, 6), (1, 2, 3, 255)), (28, 9), group)
add_layer(image, "spoon", (2, 8), flat((2, 8), (4, 5, 6, 255)), (33, 9), group)
layers = [group]
"""
    done = place.harmonize(source, painting=CANVAS_PAINTING)
    done.check_done("still life")
    check_layer_pixels(done, (28, 9, 7, 8))
    assert rgb_at(done.sent("composite"), WIDTH, 34, 16) == (4, 5, 6)


def test_the_painting_is_what_is_seen_below(place: Workplace) -> None:
    """Opacity, mode, layer mask and an offset of the layers below; a hidden one does not count."""
    source = """
image = new_image(48, 32)
add_layer(image, "white", (48, 32), flat((48, 32), (255, 255, 255, 255)))
shade = add_layer(image, "shade", (24, 32), flat((24, 32), (0, 0, 0, 255)), (24, 0))
shade.set_mode(Gimp.LayerMode.NORMAL_LEGACY); shade.set_opacity(40)
glaze = add_layer(image, "glaze", (48, 16), flat((48, 16), (255, 128, 0, 255)), (0, 16))
glaze.set_mode(Gimp.LayerMode.MULTIPLY_LEGACY)
masked = add_layer(image, "masked", (48, 32), flat((48, 32), (9, 9, 9, 255)))
masked.add_mask(masked.create_mask(Gimp.AddMaskType.BLACK))
add_layer(image, "hidden", (48, 32), flat((48, 32), (1, 1, 1, 255))).set_visible(False)
layers = [add_layer(image, "cup", (6, 6), flat((6, 6), (1, 2, 3, 255)), (3, 4))]
"""
    done = place.harmonize(source)
    done.check_done("cup")
    painting = done.sent("painting")
    seen = [rgb_at(painting, WIDTH, x, y) for x, y in ((40, 2), (10, 2), (10, 20), (40, 20))]
    expected = [(153, 153, 153), (255, 255, 255), (255, 128, 0), (153, 77, 0)]
    for colour, wanted in zip(seen, expected, strict=True):
        assert all(abs(part - other) <= 1 for part, other in zip(colour, wanted, strict=True)), (colour, wanted)


def test_opacity_and_layer_mask_of_the_object(place: Workplace) -> None:
    """The layer mask belongs to the object's shape; its opacity is how it looks, and shows in the composite only."""
    source = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), flat((48, 32), (255, 255, 255, 255)))
cup = add_layer(image, "cup", (8, 8), flat((8, 8), (0, 0, 0, 255)), (3, 4))
cup.set_mode(Gimp.LayerMode.NORMAL_LEGACY); cup.set_opacity(60)
mask = cup.create_mask(Gimp.AddMaskType.WHITE); cup.add_mask(mask)
put(mask, bytes(255 if x < 4 else 0 for y in range(8) for x in range(8)), MASK)
cup.set_edit_mask(False)
layers = [cup]
"""
    done = place.harmonize(source)
    done.check_done("cup")
    assert (done.layer["offsets"], done.layer["size"]) == ([3, 4], [4, 8])
    assert set(done.layer["coverage"]) == {255}
    assert all(abs(part - 102) <= 1 for part in rgb_at(done.sent("composite"), WIDTH, 4, 5))


def test_a_painting_smaller_than_the_canvas_is_all_that_is_sent(place: Workplace) -> None:
    source = """
image = new_image(48, 32)
add_layer(image, "painting", (20, 16), painting, (10, 8))
layers = [add_layer(image, "cup", (12, 12), flat((12, 12), (1, 2, 3, 255)), (24, 2))]
"""
    done = place.harmonize(source, painting=rgba((20, 16), painted))
    done.check_done("cup")
    assert done.shape("painting") == [16, 20, 3]
    assert rgb_at(done.sent("painting"), 20, 3, 5) == painted(3, 5)[:3]
    assert (done.layer["offsets"], done.layer["size"]) == ([24, 8], [6, 6])
    assert set(done.layer["coverage"]) == {255}
    assert done.layer["rgba"] == bytes((254, 253, 252, 255)) * 36


def test_layers_larger_than_the_canvas_are_cut_to_it(place: Workplace) -> None:
    source = """
image = new_image(48, 32)
add_layer(image, "painting", (80, 60), painting, (-10, -20))
layers = [add_layer(image, "cup", (100, 100), flat((100, 100), (1, 2, 3, 255)), (-30, 20))]
"""
    done = place.harmonize(source, painting=rgba((80, 60), painted))
    done.check_done("cup")
    assert done.shape("painting") == [HEIGHT, WIDTH, 3]
    assert rgb_at(done.sent("painting"), WIDTH, 7, 3) == painted(17, 23)[:3]
    check_layer_pixels(done, (0, 20, 48, 12))


def test_holes_in_the_painting_are_white_paper(place: Workplace) -> None:
    source = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), painting)
layers = [add_layer(image, "cup", (6, 6), flat((6, 6), (1, 2, 3, 255)), (3, 4))]
"""
    holed = rgba((WIDTH, HEIGHT), lambda x, y: (*painted(x, y)[:3], 0 if x == 20 else 255))
    done = place.harmonize(source, painting=holed)
    done.check_done("cup")
    assert rgb_at(done.sent("painting"), WIDTH, 20, 9) == (255, 255, 255)
    assert rgb_at(done.sent("painting"), WIDTH, 21, 9) == painted(21, 9)[:3]


def test_a_selection_of_two_islands(place: Workplace) -> None:
    chosen = bytes(
        255 if (2 <= x < 5 or 40 <= x < 44) and 3 <= y < 9 else 0 for y in range(HEIGHT) for x in range(WIDTH)
    )
    cup = rgba((WIDTH, HEIGHT), lambda x, y: (x, y, 0, 255))
    done = place.harmonize(ONE_LAYER, painting=CANVAS_PAINTING, cup=cup, size=(WIDTH, HEIGHT), at=(0, 0), chosen=chosen)
    done.check_done("cup")
    check_layer_pixels(done, (2, 3, 42, 6))


def test_sixteen_bits_keep_their_precision(place: Workplace) -> None:
    source = """
image = new_image(48, 32, precision=Gimp.Precision.U16_NON_LINEAR)
def fill(drawable, values):
    import array
    buffer = drawable.get_buffer()
    w, h = drawable.get_width(), drawable.get_height()
    buffer.set(Gegl.Rectangle.new(0, 0, w, h), "R'G'B'A u16", array.array("H", values * (w * h)).tobytes())
    buffer.flush(); drawable.update(0, 0, w, h)
canvas = add_layer(image, "painting", (48, 32)); fill(canvas, [1001, 30003, 65001, 65535])
cup = add_layer(image, "cup", (6, 6), at=(3, 4)); fill(cup, [40007, 5, 123, 65535])
layers = [cup]
"""
    ask = "\nresult['deep'] = pixels(made, \"R'G'B'A u16\")\n"
    done = Outcome(place.profile.run(source + HARMONIZE + ask), place.engine)
    done.check_done("cup")
    assert done.engine.messages("submit")[-1]["painting"]["type"] == "float32"
    painting = array.array("f", done.sent("painting"))
    for part, sixteen in zip(painting[:3], (1001, 30003, 65001), strict=True):
        assert abs(part * 65535 - sixteen) < 0.5
    deep = array.array("H", done.answer["deep"])
    assert list(deep[:4]) == [65535 - 40007, 65535 - 5, 65535 - 123, 65535]


def test_a_gray_image_stays_gray(place: Workplace) -> None:
    source = """
image = new_image(48, 32, base=Gimp.ImageBaseType.GRAY)
add_layer(image, "painting", (48, 32), flat((48, 32), (200, 200, 200, 255)))
layers = [add_layer(image, "cup", (6, 6), flat((6, 6), (30, 30, 30, 255)), (3, 4))]
"""
    done = place.harmonize(source)
    done.check_done("cup")
    assert rgb_at(done.sent("painting"), WIDTH, 0, 0) == (200, 200, 200)
    assert done.layer["rgba"][:4] == bytes((225, 225, 225, 255))


def test_two_gimps_at_once_get_each_its_own(place: Workplace) -> None:
    source = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), flat((48, 32), (200, 200, 200, 255)))
layers = [add_layer(image, "cup", (6, 6), flat((6, 6), (*colour, 255)), (3, 4))]
"""
    colours = [(10, 20, 30), (130, 140, 150)]
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda colour: place.harmonize(source, colour=colour), colours))
    for done, colour in zip(both, colours, strict=True):
        done.check_done("cup")
        assert done.layer["rgba"][:4] == bytes((*(255 - part for part in colour), 255))
