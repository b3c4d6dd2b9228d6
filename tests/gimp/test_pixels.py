"""Every kind of image GIMP knows goes through: what is sent is what is seen, and the originals stay as they were, bit
for bit (``check_done`` compares every layer's own bytes, masks, names, places and visibility)."""

from __future__ import annotations

import array
import math
import struct
from collections.abc import Iterator

import pytest

from support.gimp_cases import HARMONIZE, Outcome, Workplace, workplace
from support.gimp_house import GimpHouse

WIDTH, HEIGHT = 48, 32
PAINTING, CUP = (0.75, 0.25, 0.125), (0.1, 0.6, 0.9)
PRECISIONS = {
    f"{bits}_{curve}": 8 if bits == "U8" else 16
    for bits in ("U8", "U16", "U32", "HALF", "FLOAT", "DOUBLE")
    for curve in ("LINEAR", "NON_LINEAR", "PERCEPTUAL")
}
SCENE = """
import array
def fill(drawable, colour):
    buffer = drawable.get_buffer()
    w, h = drawable.get_width(), drawable.get_height()
    samples = array.array("f", [*colour, 1.0] * (w * h)).tobytes()
    buffer.set(Gegl.Rectangle.new(0, 0, w, h), "R'G'B'A float", samples)
    buffer.flush(); drawable.update(0, 0, w, h)
image = new_image(48, 32, getattr(Gimp.ImageBaseType, base), getattr(Gimp.Precision, precision))
shown = (lambda colour: colour) if base == "RGB" else (lambda colour: [colour[0]] * 3)
canvas = add_layer(image, "painting", (48, 32)); fill(canvas, shown(painting))
cup = add_layer(image, "cup", (12, 10), at=(3, 4)); fill(cup, shown(colours))
layers = [cup]
"""
DEEP = """
result["seen"] = pixels(made, "R'G'B'A float")
"""


@pytest.fixture(scope="module")
def place(gimp_house: GimpHouse) -> Iterator[Workplace]:
    with workplace(gimp_house) as made:
        yield made


@pytest.fixture(scope="module")
def by_precision(place: Workplace) -> dict[str, Outcome]:
    """All precisions, colour and gray, one after the other in one GIMP; each with the job it became."""
    source = """
answers = {}
for base in ("RGB", "GRAY"):
    for precision in precisions:
        exec(code)
        answers[base + " " + precision] = result
        image.delete()
result = answers
"""
    values = {"painting": list(PAINTING), "colours": list(CUP), "precisions": list(PRECISIONS)}
    answers = place.profile.run(source, code=SCENE + HARMONIZE + DEEP, **values)
    jobs = place.engine.messages("submit")
    return {
        name: Outcome(answer, place.engine, job["job_id"])
        for (name, answer), job in zip(answers.items(), jobs, strict=True)
    }


@pytest.mark.parametrize("base", ["RGB", "GRAY"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision(by_precision: dict[str, Outcome], precision: str, base: str) -> None:
    done = by_precision[f"{base} {precision}"]
    done.check_done("cup")
    painting, cup = (PAINTING, CUP) if base == "RGB" else ((PAINTING[0],) * 3, (CUP[0],) * 3)
    eight = PRECISIONS[precision] == 8
    # 8 linear bits are coarse in the darks; half floats have eleven bits.
    step = 1 / 60 if precision == "U8_LINEAR" else 1 / 255 if eight else 1 / 1500 if "HALF" in precision else 1e-4
    sent = done.sent("composite")
    samples = [part / 255 for part in sent] if eight else list(array.array("f", sent))
    at = 3 * (5 * WIDTH + 4)
    assert all(abs(a - b) <= step for a, b in zip(samples[:3], painting, strict=True)), samples[:3]
    assert all(abs(a - b) <= step for a, b in zip(samples[at : at + 3], cup, strict=True)), samples[at : at + 3]
    seen = array.array("f", done.answer["seen"])
    assert all(abs(a - (1 - b)) <= 2 * step for a, b in zip(seen[:3], cup, strict=True)), seen[:3]


def test_a_profile_with_more_colours_than_srgb_is_not_clipped(gimp_house: GimpHouse) -> None:
    """AdobeRGB's green lies outside sRGB: as eight bits of sRGB it would be cut off."""
    source = SCENE.replace("canvas = ", "image.set_color_profile(Gimp.ColorProfile.new_rgb_adobe())\ncanvas = ", 1)
    ask = "result['made'], result['stored'] = bytes(native(made)[:4]), bytes(native(cup)[:4])\n"
    colours = {"painting": [0.75, 0.25, 0.125], "colours": [-0.15, 0.94, 0.1]}
    with workplace(gimp_house, [{"do": "result", "how": "same"}]) as place:
        answer = place.profile.run(source + HARMONIZE + ask, base="RGB", precision="U8_NON_LINEAR", **colours)
        done = Outcome(answer, place.engine)
        done.check_done("cup")
        painting, composite = (array.array("f", done.sent(name)) for name in ("painting", "composite"))
    assert all(abs(a - b) < 1 / 100 for a, b in zip(painting[:3], colours["painting"], strict=True)), painting[:3]
    at = 3 * (5 * WIDTH + 4)
    assert composite[at] < -0.05, "less than no red: a colour that sRGB does not have"
    assert all(abs(a - b) <= 1 for a, b in zip(answer["made"], answer["stored"], strict=True)), answer


def icc_profile(primaries: list[tuple[float, float, float]], gamma: float) -> bytes:
    """A matrix profile: XYZ of red, green and blue at D50, and one curve for all (ICC.1:2001-04, section 6)."""

    def fixed(*numbers: float) -> bytes:
        return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249)
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + bytes(12 + 67)
    tags = {b"desc": name, b"wtpt": white, b"cprt": b"text" + bytes(4) + b"none\0\0\0\0"}
    tags |= {
        key: b"XYZ " + bytes(4) + fixed(*xyz) for key, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for key, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += key + struct.pack(">II", start + len(body), len(data))
        body += padded
    size = struct.pack(">I", start + len(body))
    header = size + bytes(4) + b"\x02\x10\0\0mntrRGB XYZ " + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp"
    header = header.ljust(68, b"\0") + fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


PROPHOTO = [(0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249)]


@pytest.mark.parametrize("precision", ["U8_NON_LINEAR", "U16_NON_LINEAR", "FLOAT_LINEAR"])
def test_a_wide_gamut_goes_there_and_back(gimp_house: GimpHouse, precision: str) -> None:
    """A green that ProPhoto has, and neither sRGB nor AdobeRGB, comes back as the numbers it was stored as."""
    profile = "image.set_color_profile(Gimp.ColorProfile.new_from_icc_profile(bytes(icc)))\ncanvas = "
    source = SCENE.replace("canvas = ", profile, 1)
    ask = "result['made'], result['stored'] = bytes(native(made)[:16]), bytes(native(cup)[:16])\n"
    icc = list(icc_profile(PROPHOTO, 1.8))
    values = {"painting": [0.5, 0.5, 0.5], "colours": [-0.75, 0.95, -0.3], "icc": icc}
    with workplace(gimp_house, [{"do": "result", "how": "same"}]) as place:
        answer = place.profile.run(source + HARMONIZE + ask, base="RGB", precision=precision, **values)
        done = Outcome(answer, place.engine)
        done.check_done("cup")
        composite = array.array("f", done.sent("composite"))
    at = 3 * (5 * WIDTH + 4)
    assert composite[at] < -0.7, "far less than no red"
    kind = {"U8_NON_LINEAR": "B", "U16_NON_LINEAR": "H", "FLOAT_LINEAR": "f"}[precision]
    allowed = {"B": 1.0, "H": 8.0, "f": 1e-4}[kind]
    made, stored = (array.array(kind, answer[name]) for name in ("made", "stored"))
    assert all(abs(a - b) <= allowed for a, b in zip(made[:4], stored[:4], strict=True)), (made[:4], stored[:4])


def blended_over(painting: bytes, layer: dict[str, object], x: int, y: int) -> list[float]:
    """What GIMP shows at a pixel: the layer over the painting, through its mask."""
    (x0, y0), (width, _height) = layer["offsets"], layer["size"]  # type: ignore[misc]
    place = (y - y0) * width + x - x0  # type: ignore[has-type]
    share = layer["coverage"][place] / 255  # type: ignore[index]
    made = layer["rgba"][4 * place : 4 * place + 3]  # type: ignore[index]
    below = painting[3 * (y * WIDTH + x) : 3 * (y * WIDTH + x) + 3]
    return [share * a + (1 - share) * b for a, b in zip(made, below, strict=True)]


HALF = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), flat((48, 32), (200, 100, 50, 255)))
cup = add_layer(image, "cup", (20, 20), flat((20, 20), (40, 60, 80, alpha)), (4, 4))
if chosen: select(image, bytes([chosen]) * (48 * 32))
layers = [cup]
"""


@pytest.mark.parametrize(("alpha", "chosen", "share"), [(255, 128, 128), (128, 0, 128), (128, 128, 64), (255, 3, 3)])
def test_half_a_selection_shows_half_the_object(place: Workplace, alpha: int, chosen: int, share: int) -> None:
    """The engine gets the object at full strength; the layer mask blends it, once."""
    done = place.harmonize(HALF, alpha=alpha, chosen=chosen)
    done.check_done("cup")
    at = 3 * (10 * WIDTH + 10)
    assert tuple(done.sent("composite")[at : at + 3]) == (40, 60, 80)
    assert abs(done.layer["coverage"][0] - share) <= 1
    shown = blended_over(done.sent("painting"), done.layer, 10, 10)
    exact = share / 255
    wanted = [exact * (255 - a) + (1 - exact) * b for a, b in zip((40, 60, 80), (200, 100, 50), strict=True)]
    assert all(math.isclose(a, b, abs_tol=1.5) for a, b in zip(shown, wanted, strict=True)), (shown, wanted)


SEEN = """
result["seen"] = pixels(Gimp.Layer.new_from_visible(image, image, "seen"))
"""


@pytest.mark.parametrize("precision", ["U8_NON_LINEAR", "U8_LINEAR", "FLOAT_LINEAR"])
def test_what_is_seen_is_what_the_engine_meant(gimp_house: GimpHouse, precision: str) -> None:
    """The layer's colours through its mask, blended as the engine blends: also where it has softened the outline."""
    step = {"do": "result", "how": "invert", "box": [2, 2, 30, 25], "spill": 0.4}
    source = HALF.replace("new_image(48, 32", f"new_image(48, 32, precision=Gimp.Precision.{precision}", 1)
    source += HARMONIZE + SEEN
    with workplace(gimp_house, [step]) as place:
        done = Outcome(place.profile.run(source, alpha=255, chosen=128), place.engine)
    done.check_done("cup")
    seen = done.answer["seen"]
    step_size = 6 if precision == "U8_LINEAR" else 1.5  # its darks are coarse
    # Inside: half a selection of the inverted object. Beside it: four tenths of the inverted painting.
    wanted = {(10, 10): ((215, 195, 175), 128 / 255), (28, 10): ((55, 155, 205), 0.4)}
    for (x, y), (colour, share) in wanted.items():
        at = 4 * (y * WIDTH + x)
        expected = [share * a + (1 - share) * b for a, b in zip(colour, (200, 100, 50), strict=True)]
        assert all(abs(a - b) <= step_size for a, b in zip(seen[at : at + 3], expected, strict=True)), (x, y)
    far = 4 * (30 * WIDTH + 40)
    assert all(abs(a - b) <= 1 for a, b in zip(seen[far : far + 3], (200, 100, 50), strict=True))


def test_the_selection_is_remembered_where_the_engine_has_softened_it(gimp_house: GimpHouse) -> None:
    """The layer mask shows the soft selection as the engine has softened it; another run starts from what was sent."""
    step = {"do": "result", "how": "invert", "box": [2, 2, 30, 25], "spill": 0.4}
    again = "image.set_selected_layers([made]); layers = [made]; Gimp.Selection.none(image)\n"
    with workplace(gimp_house, [step]) as place:
        source = HALF + HARMONIZE + "first = result\n" + again + HARMONIZE + "result['first'] = first\n"
        done = Outcome(place.profile.run(source, alpha=255, chosen=128), place.engine)
        assert done.answer["first"]["status"] == "success", done.answer["first"]["message"]
        first, second = (job["job_id"] for job in place.engine.messages("submit"))
        masks = [Outcome(done.answer, place.engine, job).sent("mask") for job in (first, second)]
    assert done.answer["status"] == "success", done.answer["message"]
    layer = done.answer["first"]["layer"]
    assert (layer["offsets"], layer["size"]) == ([2, 2], [30, 25]), "all that the engine gave back"
    assert (layer["coverage"].count(128), layer["coverage"].count(102)) == (20 * 20, 30 * 25 - 20 * 20)
    assert set(masks[0]) == {0, 128}
    assert masks[0] == masks[1], "half a selection must stay half of one"


EDGES = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), flat((48, 32), (200, 100, 50, 255)))
cup = add_layer(image, "cup", (20, 16), flat((20, 16), (40, 60, 80, 255)), (10, 8))
layers = [cup]
options = {"mask_growth": growth, "edge_softness": softness}
"""


@pytest.mark.parametrize("growth", [-3, 4])
def test_the_outline_moves(place: Workplace, growth: int) -> None:
    done = place.harmonize(EDGES, growth=growth, softness=0.0)
    done.check_done("cup")
    assert done.layer["offsets"] == [10 - growth, 8 - growth]
    assert done.layer["size"] == [20 + 2 * growth, 16 + 2 * growth]
    composite = done.sent("composite")
    fringe = 3 * (9 * WIDTH + 11)  # inside the object, outside its shrunken outline
    assert tuple(composite[fringe : fringe + 3]) == ((200, 100, 50) if growth < 0 else (40, 60, 80))


def test_the_edge_softens(place: Workplace) -> None:
    done = place.harmonize(EDGES, growth=0, softness=6.0)
    done.check_done("cup")
    x0, y0 = done.layer["offsets"]
    width = done.layer["size"][0]
    row = [done.layer["coverage"][(16 - y0) * width + x - x0] for x in range(x0, x0 + width // 2)]
    assert row == sorted(row)
    assert row[-1] == 255
    assert len(set(row)) > 4, "no transition"
    assert done.note["arguments"]["edge-softness"] == 6.0


AGAIN = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), flat((48, 32), (200, 100, 50, 255)))
cup = add_layer(image, "cup", (20, 16), flat((20, 16), (40, 60, 80, alpha)), (10, 8))
select(image, bytes(min(255, 12 * x) for y in range(32) for x in range(48)))
first = harmonize(image, [cup], seed=5)["values"][0]
first_mask = pixels(first.get_mask(), MASK)
Gimp.Selection.none(image)
layers = [first]
"""


@pytest.mark.parametrize("alpha", [255, 128])
def test_harmonizing_a_result_again_starts_from_its_object_and_mask(place: Workplace, alpha: int) -> None:
    ask = "result['first_mask'] = first_mask\nresult['first'] = described(first)\nresult['object'] = cup.get_tattoo()\n"
    done = Outcome(place.profile.run(AGAIN + HARMONIZE + ask, alpha=alpha), place.engine)
    assert done.answer["status"] == "success", done.answer["message"]
    names = [layer["name"] for layer in done.answer["after"]]
    assert names == ["Harmonized: cup #1", "Harmonized: cup", "cup", "painting"]
    assert done.layer["coverage"] == done.answer["first_mask"], "a soft edge must not get thinner each time"
    assert not done.answer["first"]["visible"]
    at = 3 * (16 * WIDTH + 20)
    assert tuple(done.sent("painting")[at : at + 3]) == (200, 100, 50), "the earlier result is not the painting"
    assert tuple(done.sent("composite")[at : at + 3]) == (40, 60, 80)
    assert done.note["layers"] == {"object": done.answer["object"], "painting": 0, "style": 0}


def test_filters_of_painting_and_object_are_seen(place: Workplace) -> None:
    source = """
image = new_image(48, 32)
canvas = add_layer(image, "painting", (48, 32), flat((48, 32), (200, 100, 50, 255)))
inverted = Gimp.DrawableFilter.new(canvas, "gegl:invert-gamma", "Invert"); canvas.append_filter(inverted)
cup = add_layer(image, "cup", (12, 10), flat((12, 10), (40, 60, 80, 255)), (3, 4))
own = Gimp.DrawableFilter.new(cup, "gegl:invert-gamma", "Invert"); cup.append_filter(own)
layers = [cup]
"""
    done = place.harmonize(source)
    done.check_done("cup")
    assert tuple(done.sent("painting")[:3]) == (55, 155, 205)
    at = 3 * (5 * WIDTH + 4)
    assert tuple(done.sent("composite")[at : at + 3]) == (215, 195, 175)


def test_of_a_large_image_only_the_surroundings_leave(place: Workplace) -> None:
    """Nothing far away is sent, and the result lands where it belongs."""
    source = """
image = new_image(5000, 3000)
add_layer(image, "painting", (5000, 3000), flat((5000, 3000), (200, 100, 50, 255)))
add_layer(image, "patch", (600, 400), flat((600, 400), (10, 200, 90, 255)), (4000, 2300))
add_layer(image, "far away", (50, 50), flat((50, 50), (1, 1, 1, 255)), (10, 10))
layers = [add_layer(image, "cup", (300, 200), flat((300, 200), (40, 60, 80, 255)), (4300, 2400))]
"""
    done = place.harmonize(source)
    done.check_done("cup")
    height, width, _channels = done.shape("painting")
    assert 3_900_000 < height * width <= 4_000_000
    assert (done.layer["offsets"], done.layer["size"]) == ([4300, 2400], [300, 200])
    assert done.layer["rgba"][:4] == bytes((215, 195, 175, 255))
    painting = done.sent("painting")
    corner = 3 * ((height - 600) * width + width - 900)
    assert tuple(painting[corner : corner + 3]) == (10, 200, 90), "the layers below were cut at another place"
