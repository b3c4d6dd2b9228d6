"""Procedure arguments become Parameters; the layer's note says what was asked."""

from __future__ import annotations

import json

import pytest

from painterly_plugin.settings import layer_note, parameters_from, warnings_in
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import MAX_SIZE, MIN_SIZE, Parameters

DEFAULTS: dict[str, object] = {
    "preset": "draft",
    "size": 0,
    "iterations": 0,
    "stylization": 0.0,
    "weights": "auto",
    "seed": 0,
}


def test_zero_leaves_it_to_the_preset() -> None:
    assert parameters_from(DEFAULTS, previews=False) == Parameters()
    assert parameters_from({**DEFAULTS, "weights": None}, previews=True) == Parameters(previews=True)


def test_values_pass_through() -> None:
    values = {
        "preset": "published",
        "size": 300,
        "iterations": 7,
        "stylization": 2.5,
        "weights": "/w/x.pth",
        "seed": 4,
    }
    expected = Parameters("published", 300, 7, 2.5, "/w/x.pth", 4, False)
    assert parameters_from(values, previews=False) == expected


@pytest.mark.parametrize(
    ("asked", "size"), [(0, None), (1, MIN_SIZE), (MIN_SIZE - 1, MIN_SIZE), (MIN_SIZE, MIN_SIZE), (33, 33)]
)
def test_a_size_too_small_becomes_the_least(asked: int, size: int | None) -> None:
    assert parameters_from({**DEFAULTS, "size": asked}, previews=False).size == size


def test_out_of_range_is_refused_with_advice() -> None:
    with pytest.raises(PainterlyError) as caught:
        parameters_from({**DEFAULTS, "size": MAX_SIZE + 1}, previews=False)
    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert caught.value.advice


@pytest.mark.parametrize("path", ["/home/someone/secret/net.pth", r"C:\Users\someone\secret\net.pth"])
def test_note_tells_what_was_done_but_no_folder(path: str) -> None:
    parameters = Parameters(weights=path, seed=3, previews=True)
    note = json.loads(layer_note(parameters, {"network": "vgg19", "seconds": {"pass-one": 1.5}}, "0.1.0"))
    assert note["parameters"]["weights"] == "net.pth"
    assert note["parameters"]["seed"] == 3
    assert note["result"] == {"network": "vgg19", "seconds": {"pass-one": 1.5}}
    assert note["plug-in"] == "0.1.0"
    assert "previews" not in note["parameters"]
    assert "someone" not in json.dumps(note)


def test_warnings_are_handed_on() -> None:
    assert warnings_in({"warnings": ["Beware.", "Also."]}) == ["Beware.", "Also."]
    assert warnings_in({}) == warnings_in({"warnings": "?"}) == []
