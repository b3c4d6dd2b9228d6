"""Every message survives the wire; nothing that is no message gets through, or out as another exception."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import (
    PROTOCOL_VERSION,
    Cancel,
    EngineState,
    Failure,
    Hello,
    Message,
    Phase,
    Preview,
    Priority,
    Progress,
    Queued,
    Result,
    Shutdown,
    Status,
    StatusQuery,
    Submit,
    Welcome,
)
from painterly_protocol.pixels import Pixels, SampleType
from painterly_protocol.request import PRESETS, HarmonizeRequest, Parameters
from support import jobs

# ---------------------------------------------------------------- strategies

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
integers = st.integers(-(2**63), 2**63 - 1)
numbers = st.floats(allow_nan=False)
plain = st.recursive(
    st.none() | st.booleans() | integers | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
plain_maps = st.dictionaries(texts, plain, max_size=4)


@st.composite
def pictures(
    draw: st.DrawFn,
    channels: int = 3,
    size: tuple[int, int] | None = None,
    sample_type: SampleType | None = None,
) -> Pixels:
    height, width = size or draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    sample_type = sample_type or draw(st.sampled_from(SampleType))
    length = height * width * channels * sample_type.size
    return Pixels(height, width, channels, sample_type, draw(st.binary(min_size=length, max_size=length)))


parameters = st.builds(
    Parameters,
    preset=st.sampled_from(PRESETS),
    size=st.none() | st.integers(32, 16384),
    iterations=st.none() | st.integers(1, 100_000),
    stylization=st.none() | st.floats(0.001, 100) | texts,
    weights=texts,
    seed=st.integers(0, 2**63 - 1),
    previews=st.booleans(),
)


@st.composite
def requests(draw: st.DrawFn) -> HarmonizeRequest:
    size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    sample_type = draw(st.sampled_from(SampleType))
    style = draw(st.none() | pictures(3))
    imitated = size if style is None else (style.height, style.width)
    return HarmonizeRequest(
        draw(pictures(3, size, sample_type)),
        draw(pictures(3, size, sample_type)),
        draw(pictures(1, size)),
        draw(st.none() | pictures(1, size)),
        draw(parameters),
        style,
        draw(st.none() | pictures(1, imitated)),
        draw(st.booleans()),
    )


messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Hello, texts),
    st.builds(Submit, texts, requests(), st.sampled_from(Priority)),
    st.builds(Cancel, texts),
    st.builds(StatusQuery),
    st.builds(Shutdown),
    st.builds(Welcome, texts, integers),
    st.builds(Queued, texts, integers),
    st.builds(
        Progress,
        texts,
        st.sampled_from(Phase),
        numbers,
        st.none() | numbers,
        integers,
        integers,
        st.dictionaries(texts, numbers, max_size=4),
    ),
    st.builds(Preview, texts, pictures()),
    st.builds(Result, texts, integers, integers, pictures(), plain_maps),
    st.builds(Failure, texts, texts, texts, texts),
    st.builds(Status, st.sampled_from(EngineState), st.none() | texts, integers, plain_maps),
)


def test_the_strategy_knows_every_kind() -> None:
    seen: set[type[Message]] = set()

    @settings(max_examples=300, database=None, derandomize=True)
    @given(messages)
    def look(message: Message) -> None:
        seen.add(type(message))

    look()
    assert seen == set(wire.KINDS.values())


# ---------------------------------------------------------------- there and back


@given(messages)
def test_round_trip(message: Message) -> None:
    assert wire.decode(wire.encode(message)) == message


def test_pixels_are_never_copied() -> None:
    samples = bytearray(range(48))
    frames = wire.encode(Preview("job", Pixels(4, 4, 3, SampleType.UINT8, samples)))
    samples[0] = 99
    decoded = wire.peek(frames)
    assert isinstance(decoded, Preview)
    assert memoryview(decoded.picture.data)[0] == 99


def test_two_dimensional_buffers_travel_as_their_bytes() -> None:
    view = memoryview(bytes(range(48))).cast("B", (4, 12))
    decoded = wire.decode(wire.encode(Preview("job", Pixels(4, 4, 3, SampleType.UINT8, view))))
    assert isinstance(decoded, Preview)
    assert bytes(decoded.picture.data) == bytes(range(48))


def test_a_whole_number_is_a_number() -> None:
    request = HarmonizeRequest(jobs.flat(3, 1), jobs.flat(3, 1), jobs.flat(1, 1), parameters=Parameters(stylization=5))
    decoded = wire.decode(wire.encode(Submit("job", request)))
    assert isinstance(decoded, Submit)
    assert decoded.request.parameters.stylization == 5.0


def test_losses_that_are_not_finite_travel() -> None:
    message = Progress("job", Phase.PASS_ONE, 0.5, None, losses={"gram": math.nan, "tv": math.inf})
    decoded = wire.decode(wire.encode(message))
    assert isinstance(decoded, Progress)
    assert math.isnan(decoded.losses["gram"])
    assert decoded.losses["tv"] == math.inf


@pytest.mark.parametrize(
    "message",
    [
        Result("job", 0, 0, jobs.flat(3, 0), {"file": object()}),
        Result("job", 0, 0, jobs.flat(3, 0), {"big": 2**64}),
        Failure("job", "internal", "unpaired \ud800 surrogate"),
        Failure("job", "internal", "long " * wire.MAX_HEADER_BYTES),
        Result("job", 0, 0, jobs.flat(3, 0), {"bytes": b"no"}),
        Preview("job", Pixels(2, 2, 3, SampleType.UINT8, memoryview(bytes(24))[::2])),
    ],
)
def test_what_cannot_travel_is_said_before_it_is_sent(message: Message) -> None:
    with pytest.raises(PainterlyError) as caught:
        wire.encode(message)
    assert caught.value.code is ErrorCode.BAD_REQUEST


# ---------------------------------------------------------------- what must not get through


def header(
    plain: object, kind: str = "cancel", *pictures: bytes, seals: object = None, version: object = PROTOCOL_VERSION
) -> bytes:
    if seals is None:
        seals = [[len(picture), hashlib.sha256(picture).digest()] for picture in pictures]
    packed: bytes = msgpack.packb([version, kind, plain, seals])
    return packed


def refused(frames: list[Any]) -> PainterlyError:
    with pytest.raises(PainterlyError) as caught:
        wire.decode(frames)
    return caught.value


CANCEL: Mapping[str, object] = {"job_id": "x"}
PREVIEW = {"job_id": "x", "picture": [1, 2, 3, "uint8"]}
VERSIONED = bytes([0x94, PROTOCOL_VERSION])  # how a header begins: an array of four, the first of them the version
SIX = b"123456"


def changed(fields: Mapping[str, object]) -> bytes:
    return header({**PREVIEW, **fields}, "preview", SIX)


def test_the_hand_made_messages_below_are_good_but_for_their_one_flaw() -> None:
    assert wire.decode([header(CANCEL)]) == Cancel("x")
    picture = Pixels(1, 2, 3, SampleType.UINT8, b"123456")
    assert wire.decode([header(PREVIEW, "preview", b"123456"), b"123456"]) == Preview("x", picture)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([], id="no frames"),
        pytest.param([b""], id="empty header"),
        pytest.param([header(CANCEL)] * (wire.MAX_FRAMES + 1), id="too many frames"),
        pytest.param([bytes(wire.MAX_HEADER_BYTES + 1)], id="header too large"),
        pytest.param([header(CANCEL)[:-1]], id="truncated"),
        pytest.param([header(CANCEL) + b"\x00"], id="trailing byte"),
        pytest.param([msgpack.packb({"version": 1})], id="map as header"),
        pytest.param([msgpack.packb([PROTOCOL_VERSION, "cancel", CANCEL])], id="part missing"),
        pytest.param([header(CANCEL, version="1")], id="version as text"),
        pytest.param([header(CANCEL, version=True)], id="version as bool"),
        pytest.param([header(CANCEL, "explode")], id="unknown kind"),
        pytest.param([msgpack.packb([PROTOCOL_VERSION, 7, CANCEL, []])], id="kind as number"),
        pytest.param([msgpack.packb([PROTOCOL_VERSION, ["cancel"], CANCEL, []])], id="kind as list"),
        pytest.param([header({})], id="field missing"),
        pytest.param([header({"job_id": "x", "more": 1})], id="field too many"),
        pytest.param([header({"job_id": 7})], id="wrong type"),
        pytest.param([header({"job_id": b"x"})], id="bytes as text"),
        pytest.param([header([])], id="list as fields"),
        pytest.param([header({"job_id": msgpack.ExtType(5, b"x")})], id="extension type"),
        pytest.param([header({"job_id": msgpack.Timestamp(1)})], id="timestamp"),
        pytest.param([VERSIONED + b"\xa6cancel\x81\xa6job_id\xa2\xff\xfe\x90"], id="not UTF-8"),
        pytest.param([VERSIONED + b"\xa6cancel\x81\x07\xa1x\x90"], id="number as key"),
        pytest.param([VERSIONED + b"" + b"\x91" * 2000], id="nested 2000 deep"),
        pytest.param([VERSIONED + b"\xdd\x7f\xff\xff\xff"], id="array of two thousand million"),
        pytest.param([VERSIONED + b"\xc6\x7f\xff\xff\xff"], id="two gigabytes of bytes"),
        pytest.param([header({"job_id": "x", "position": True}, "queued")], id="bool as number"),
        pytest.param([header({"job_id": "x", "position": 1.0}, "queued")], id="float as whole number"),
        pytest.param([header(PREVIEW, "preview", SIX)], id="picture missing"),
        pytest.param([header(PREVIEW, "preview"), SIX], id="picture not announced"),
        pytest.param([header(PREVIEW, "preview", SIX), b"12345"], id="picture shorter than announced"),
        pytest.param([header(PREVIEW, "preview", b"12345"), b"12345"], id="picture shorter than its shape"),
        pytest.param([header(PREVIEW, "preview", SIX, SIX), SIX, SIX], id="a picture too many"),
        pytest.param([header(CANCEL, "cancel", SIX), SIX], id="a picture where none belongs"),
        pytest.param([header(PREVIEW, "preview", SIX), b"123465"], id="another picture of the same length"),
        pytest.param([header(PREVIEW, "preview", seals=[[6, b"short"]]), SIX], id="a digest that is none"),
        pytest.param([header(PREVIEW, "preview", seals=[[6, "x" * 32]]), SIX], id="a digest as text"),
        pytest.param([header(PREVIEW, "preview", seals=[6]), SIX], id="a length without digest"),
        pytest.param([header(PREVIEW, "preview", seals=[[True, bytes(32)]]), b"1"], id="a length as bool"),
        pytest.param([header(PREVIEW, "preview", seals=6), SIX], id="seals as number"),
        pytest.param([changed({"picture": None}), SIX], id="no picture"),
        pytest.param([changed({"picture": [1, -2, -3, "uint8"]}), SIX], id="negative"),
        pytest.param([changed({"picture": [True, 2, 3, "uint8"]}), SIX], id="bool side"),
        pytest.param([changed({"picture": [1, 2, 3, "int8"]}), SIX], id="sample type"),
        pytest.param([changed({"picture": [1, 2, 3]}), SIX], id="shape too short"),
        pytest.param([header({**PREVIEW, "picture": [2**62, 4, 1, "uint8"]}, "preview", b""), b""], id="overflow"),
    ],
)
def test_malformed(frames: list[bytes]) -> None:
    assert refused(frames).code is ErrorCode.BAD_REQUEST


def test_metadata_may_not_be_nested_without_end() -> None:
    deep: object = 1
    for _ in range(wire.MAX_NESTING + 2):
        deep = [deep]
    fields = {"state": "ready", "running": None, "queued": 0, "details": {"deep": deep}}
    assert refused([header(fields, "status")]).code is ErrorCode.BAD_REQUEST


def test_a_request_is_validated_on_arrival() -> None:
    frames = wire.encode(Submit("x", jobs.request()))
    fields = msgpack.unpackb(frames[0])
    fields[2]["request"]["parameters"]["seed"] = -1
    assert refused([msgpack.packb(fields), *frames[1:]]).code is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("version", [0, 1, 99, -1, 2**63])
def test_another_version_is_recognised_whatever_follows_it(version: int) -> None:
    for frames in (
        [header(CANCEL, version=version)],
        [msgpack.packb([version])],
        [msgpack.packb([version, msgpack.ExtType(9, b""), 1, 2, 3])],
        [msgpack.packb([version, "x"])[:-1]],
        [header(CANCEL, version=version), b"frames", b"nobody", b"announced"],
    ):
        error = refused(frames)
        assert isinstance(error, wire.OtherVersionError)
        assert error.code is ErrorCode.VERSION_MISMATCH
        assert error.version == version


@given(pictures(size=(2, 2)), pictures(size=(2, 2)))
def test_frames_of_two_messages_cannot_be_mixed(one: Pixels, other: Pixels) -> None:
    assume(bytes(one.data) != bytes(other.data))
    mine, theirs = wire.encode(Preview("mine", one)), wire.encode(Preview("theirs", other))
    assert refused([mine[0], theirs[1]]).code is ErrorCode.BAD_REQUEST


def test_who_only_passes_frames_on_need_not_hash_them() -> None:
    frames = wire.encode(Preview("job", jobs.flat(3, 7)))
    spoilt = [frames[0], bytes(len(frames[1]))]
    assert isinstance(wire.peek(spoilt), Preview)
    with pytest.raises(PainterlyError) as caught:
        wire.verify(spoilt)
    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert wire.fingerprint(spoilt) == wire.fingerprint(frames)


# ---------------------------------------------------------------- versions


def test_who_is_older_decides_what_to_do() -> None:
    older, newer = wire.version_mismatch(engine=1, client=2), wire.version_mismatch(engine=3, client=2)
    assert "older engine" in older.sentence
    assert "painterly stop" in older.advice
    assert "newer" in newer.sentence
    assert "install.py" in newer.advice


# ---------------------------------------------------------------- open-ended hostility


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_arbitrary_bytes(frames: list[bytes]) -> None:
    with contextlib.suppress(PainterlyError):
        wire.decode(frames)


@settings(max_examples=300)
@given(st.sampled_from(sorted(wire.KINDS)), plain, st.lists(st.binary(max_size=12), max_size=3))
def test_arbitrary_fields(kind: str, fields: object, frames: list[bytes]) -> None:
    with contextlib.suppress(PainterlyError):
        wire.decode([header(fields, kind, *frames), *frames])


@settings(max_examples=300)
@given(messages, st.data())
def test_damaged_messages(message: Message, data: st.DataObject) -> None:
    frames = [bytearray(frame) for frame in wire.encode(message)]
    frame = data.draw(st.sampled_from(frames))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PainterlyError):
        wire.decode(frames)
