"""Procedure arguments become Parameters; the layer's note says what was asked."""

from __future__ import annotations

import json

import pytest

from painterly_engine.stylization import GENRES as KNOWN_GENRES
from painterly_plugin.settings import (
    GENRES,
    Edges,
    Note,
    Trace,
    edges_from,
    layer_note,
    parameters_from,
    read_note,
    sketch_of,
    warnings_in,
)
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import DEFAULT_PRESET, MAX_SIZE, MIN_SIZE, PRESETS, Parameters

DEFAULTS: dict[str, object] = {
    "preset": DEFAULT_PRESET,
    "size": 0,
    "iterations": 0,
    "genre": "auto",
    "stylization": 5.0,
    "strength": 0.5,
    "detail": 0.5,
    "mask-growth": 0,
    "edge-softness": 0.0,
    "weights": "auto",
    "seed": 0,
    "method": "two-pass",
}
NAMELESS = b'{"note": 2, "arguments": {}, "layers": {"object": 1, "painting": 0}, "names": 5}'
KIN = Trace(7, "cup"), Trace(9, "painting"), Trace(11, "sky")


def test_zero_leaves_it_to_the_preset() -> None:
    assert parameters_from(DEFAULTS, previews=False) == Parameters()
    assert parameters_from({**DEFAULTS, "weights": None}, previews=True) == Parameters(previews=True)


def test_values_pass_through() -> None:
    values = {"preset": "published", "size": 300, "iterations": 7, "weights": "/w/x.pth", "seed": 4, "method": "local"}
    expected = Parameters(preset="published", size=300, iterations=7, weights="/w/x.pth", seed=4, method="local")
    assert parameters_from({**DEFAULTS, **values}, previews=False) == expected


def test_the_number_counts_only_where_it_is_asked_for() -> None:
    def stylization(genre: str, number: float) -> object:
        return parameters_from({**DEFAULTS, "genre": genre, "stylization": number}, previews=False).stylization

    assert stylization("auto", 2.5) is None
    assert stylization("number", 2.5) == 2.5
    assert stylization("number", 0.0) is None
    assert stylization("cubism", 2.5) == "cubism"


def test_every_genre_of_the_engine_can_be_chosen() -> None:
    assert set(GENRES) == set(KNOWN_GENRES)


def test_edges() -> None:
    assert edges_from(DEFAULTS).are_kept
    assert edges_from({**DEFAULTS, "mask-growth": -3, "edge-softness": 1.5}) == Edges(-3, 1.5)
    assert not Edges(growth=1).are_kept
    assert not Edges(softness=0.5).are_kept


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
    metadata = {"network": "vgg19", "seconds": {"pass-one": 1.5}}
    data = layer_note({**DEFAULTS, "weights": path, "seed": 3}, metadata, "0.1.0", *KIN)
    note = json.loads(data)
    assert note["result"] == metadata
    assert note["plug-in"] == "0.1.0"
    assert "someone" not in data.decode()
    asked = {**DEFAULTS, "weights": "net.pth", "seed": 3}
    assert read_note(data) == Note(asked, *KIN, metadata)
    del note["names"], note["layers"]["style"]
    older = json.dumps(note).encode()
    assert read_note(older) == Note(asked, Trace(7), Trace(9), result=metadata), "before there were styles and names"
    assert read_note(data + b"\0") == read_note(data), "GIMP may end it as C does"


@pytest.mark.parametrize("tattoo", [-1, 2**32, 2**70, "x", None, 1.5])
def test_a_note_of_a_layer_that_cannot_be_is_none(tattoo: object) -> None:
    note = json.loads(layer_note(DEFAULTS, {}, "0.1.0", *KIN))
    note["layers"]["style"] = tattoo
    assert read_note(json.dumps(note).encode()) is None


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b'{"note": 1}', b'{"note": 2}', NAMELESS, b"\xff", b"[" * 100_000]
)
def test_a_foreign_note_is_none(data: bytes) -> None:
    assert read_note(data) is None


def test_warnings_are_handed_on() -> None:
    assert warnings_in({"warnings": ["Beware.", "Also."]}) == ["Beware.", "Also."]
    assert warnings_in({}) == warnings_in({"warnings": "?"}) == []


def test_a_sketch_is_the_same_only_quicker() -> None:
    asked = Parameters(preset="published", size=300, iterations=4, seed=9, previews=True)
    if "instant" not in PRESETS:
        assert sketch_of(asked) is None
        return
    assert sketch_of(asked) == Parameters(preset="instant", seed=9)
    assert sketch_of(Parameters(preset="instant")) is None
    assert sketch_of(Parameters(preset="draft", method="local")) == Parameters(preset="instant")
    assert sketch_of(Parameters(preset="instant", method="local")) == Parameters(preset="instant")
    assert sketch_of(Parameters(method="adain")) is None
