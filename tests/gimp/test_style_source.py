"""What is imitated instead of all of the painting: a saved channel's part of it, or another layer of the image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.gimp_cases import HARMONIZE, Outcome, Workplace, workplace
from support.gimp_house import GimpHouse

SCENE = """
image = new_image(48, 32)
add_layer(image, "painting", (48, 32), flat((48, 32), (200, 100, 50, 255)))
add_layer(image, "sky", (48, 10), flat((48, 10), (10, 20, 230, 255)))
cup = add_layer(image, "cup", (12, 10), flat((12, 10), (40, 60, 80, 255)), (3, 14))
add_layer(image, "above", (48, 32), flat((48, 32), (1, 1, 1, 255)))
study = add_layer(image, "study", (70, 20), flat((70, 20), (9, 180, 60, 255)), (20, 4), position=4)
group = Gimp.GroupLayer.new(image, "group"); image.insert_layer(group, None, 5)
def channel(name, coverage):
    select(image, coverage)
    saved = Gimp.Selection.save(image); saved.set_name(name)
    Gimp.Selection.none(image)
    return saved
layers = [cup]
"""
LEFT = bytes(min(255, max(0, 20 * (24 - x))) if 2 <= y < 30 else 0 for y in range(32) for x in range(48))


@pytest.fixture(scope="module")
def place(gimp_house: GimpHouse) -> Iterator[Workplace]:
    with workplace(gimp_house) as made:
        yield made


def colours(samples: bytes) -> set[tuple[int, ...]]:
    return {tuple(samples[i : i + 3]) for i in range(0, len(samples), 3)}


def test_without_a_choice_nothing_but_the_painting_is_sent(place: Workplace) -> None:
    done = place.harmonize(SCENE)
    done.check_done("cup")
    assert "style" not in done.engine.messages("submit")[-1]
    assert done.note["layers"]["style"] == 0


def test_a_channel_selects_the_part_of_the_painting(place: Workplace) -> None:
    """The painting as it is seen below the object, inside the channel's bounds; more than half of coverage counts."""
    ask = "result['style'] = options_style.get_tattoo()\n"
    source = SCENE + "options_style = channel('left', left)\noptions = {'style_source': options_style}\n"
    done = Outcome(place.profile.run(source + HARMONIZE + ask, left=LEFT), place.engine)
    done.check_done("cup")
    assert done.shape("style") == [28, 24, 3]
    assert done.shape("style_mask") == [28, 24, 1]
    assert colours(done.sent("style")) == {(10, 20, 230), (200, 100, 50)}, "the sky over the painting, no object"
    rows = [done.sent("style_mask")[24 * y : 24 * (y + 1)] for y in range(28)]
    assert set(rows) == {bytes(255 if 20 * (24 - x) > 127 else 0 for x in range(24))}
    assert done.note["layers"]["style"] == done.answer["style"]
    assert done.shape("painting") == [32, 48, 3]


def test_another_layer_is_imitated_as_it_is(place: Workplace) -> None:
    """All of it, hidden and larger than the canvas; where it is transparent there is nothing to imitate."""
    source = """
put(study, bytes(part for y in range(20) for x in range(70) for part in (9, 180, x, 255 if y < 15 else 100)))
study.set_visible(False); study.set_opacity(30); study.set_mode(Gimp.LayerMode.MULTIPLY)
options = {'style_source': study}
"""
    done = place.harmonize(SCENE + source)
    done.check_done("cup")
    assert done.shape("style") == [20, 70, 3]
    assert done.sent("style")[: 3 * 70] == bytes(part for x in range(70) for part in (9, 180, x))
    assert done.sent("style_mask") == bytes([255]) * 70 * 15 + bytes(70 * 5)


def test_with_a_painting_layer_the_channel_is_of_that(place: Workplace) -> None:
    source = (
        SCENE
        + "layers = [cup, image.get_layer_by_name('painting')]\noptions = {'style_source': channel('left', left)}\n"
    )
    done = place.harmonize(source, left=LEFT)
    done.check_done("cup")
    assert colours(done.sent("style")) == {(200, 100, 50)}


@pytest.mark.parametrize("precision", ["U16_NON_LINEAR", "FLOAT_LINEAR"])
def test_deep_images_lend_deep_styles(place: Workplace, precision: str) -> None:
    scene = SCENE.replace("new_image(48, 32", f"new_image(48, 32, precision=Gimp.Precision.{precision}")
    done = place.harmonize(scene + "options = {'style_source': channel('left', left)}\n", left=LEFT)
    done.check_done("cup")
    sent = done.engine.messages("submit")[-1]
    assert (sent["style"]["type"], sent["style_mask"]["type"]) == ("float32", "uint8")
    assert done.shape("style") == [28, 24, 3]
    assert done.sent("style_mask")[:24] == bytes(255 if 20 * (24 - x) > 127 else 0 for x in range(24))


def test_harmonizing_again_imitates_the_same(place: Workplace) -> None:
    source = SCENE + (
        "left = channel('left', left)\n"
        "made = harmonize(image, layers, style_source=left)['values'][0]\n"
        "image.set_selected_layers([made]); layers = [made]\n"
    )
    done = place.harmonize(source, left=LEFT)
    assert done.answer["status"] == "success", done.answer["message"]
    first, second = done.engine.messages("submit")[-2:]
    assert first["style"] == second["style"]
    assert first["style_mask"] == second["style_mask"]


def test_of_a_large_image_the_style_may_lie_far_from_the_object(place: Workplace) -> None:
    source = """
image = new_image(5000, 3000)
add_layer(image, "painting", (5000, 3000), flat((5000, 3000), (200, 100, 50, 255)))
add_layer(image, "patch", (300, 200), flat((300, 200), (10, 200, 90, 255)), (100, 100))
layers = [add_layer(image, "cup", (300, 200), flat((300, 200), (40, 60, 80, 255)), (4300, 2400))]
image.select_rectangle(Gimp.ChannelOps.REPLACE, 120, 110, 200, 150)
far = Gimp.Selection.save(image); Gimp.Selection.none(image)
options = {"style_source": far}
"""
    done = place.harmonize(source)
    done.check_done("cup")
    assert done.shape("style") == [150, 200, 3]
    assert colours(done.sent("style")) == {(10, 200, 90)}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("options = {'style_source': channel('empty', bytes(48 * 32))}", ["nothing to imitate in", "empty"]),
        ("put(study, bytes(4 * 70 * 20)); options = {'style_source': study}", ["nothing to imitate in", "study"]),
        (
            "other = new_image(9, 9); options = {'style_source': add_layer(other, 'there', (9, 9))}",
            ["not in this image"],
        ),
    ],
)
def test_nothing_to_imitate_is_refused(place: Workplace, source: str, words: list[str]) -> None:
    aside = "\nresult['images'] -= 'other' in globals()\n"
    done = Outcome(place.profile.run(SCENE + source + HARMONIZE + aside), place.engine)
    done.check_refused(*words)
