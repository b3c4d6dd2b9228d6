"""Messages to frames and back: pure functions, no sockets, no pickle, no copies of pixels.

A message is a list of frames. Frame 0 is a msgpack array ``[version, kind, fields, seals]``: ``version`` stands first
so that it can be read before anything else is; ``fields`` maps the dataclass's field names to plain values; ``seals``
holds ``[length in bytes, SHA-256]`` of each frame that follows, so that no frame passes for another message's. Those
frames carry the samples of the message's pictures, in the order of their fields; a picture's place in ``fields`` holds
``[height, width, channels, sample type]``. Samples are little-endian.

Hashing large pictures takes longer than an I/O loop may be away: who only passes frames on reads them with ``peek`` and
leaves ``verify`` to whoever uses the samples; ``decode`` does both.
"""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import msgpack  # type: ignore[import-untyped]

from painterly_protocol import messages
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import PROTOCOL_VERSION, Failure, Message, Shutdown
from painterly_protocol.pixels import Pixels, SampleType

Buffer = bytes | bytearray | memoryview

MAX_HEADER_BYTES = 256 * 1024
MAX_FRAME_BYTES = 2**31  # a painting of 178 megapixels in float
MAX_FRAMES = 9
MAX_NESTING = 16
MAX_ITEMS = 4096  # of any one array or map: bounds what a few hostile bytes can make the decoder allocate
MAX_SIDE = 1 << 20  # px

KINDS: Mapping[str, type[Message]] = {
    "hello": messages.Hello,
    "submit": messages.Submit,
    "cancel": messages.Cancel,
    "status-query": messages.StatusQuery,
    "shutdown": messages.Shutdown,
    "welcome": messages.Welcome,
    "queued": messages.Queued,
    "progress": messages.Progress,
    "preview": messages.Preview,
    "result": messages.Result,
    "failure": messages.Failure,
    "status": messages.Status,
}
_KIND_OF = {message_type: kind for kind, message_type in KINDS.items()}


def encode(message: Message) -> list[Buffer]:
    """The frames of ``message``; pixel frames are views of the message's own buffers.

    Raises:
        PainterlyError: BAD_REQUEST when a value cannot travel (not plain, too large, not UTF-8).
    """
    pictures: list[Buffer] = []
    try:
        plain = _pack(message, pictures)
        kind = _KIND_OF[type(message)]
        header = msgpack.packb([PROTOCOL_VERSION, kind, plain, [_seal(picture) for picture in pictures]])
    except (TypeError, ValueError, OverflowError) as error:
        raise _bad(f"A {type(message).__name__} holds a value that cannot be sent: {error}.") from error
    if len(header) > MAX_HEADER_BYTES:
        raise _bad(f"A {type(message).__name__} of {len(header)} bytes without its pictures is too large to be sent.")
    return [header, *pictures]


def decode(frames: Sequence[Buffer]) -> Message:
    """The message that ``frames`` hold, every frame the one its header was made with.

    Raises:
        PainterlyError: as ``peek`` and ``verify``.
    """
    message = peek(frames)
    verify(frames)
    return message


def peek(frames: Sequence[Buffer]) -> Message:
    """The message that ``frames`` hold; its pictures are views of those frames, of the right lengths but unverified.

    Raises:
        OtherVersionError: the other side speaks another version of the protocol.
        PainterlyError: BAD_REQUEST when the frames are not a message, or what the message's own validation raises
            (e.g. SIZE_MISMATCH).
    """
    kind, plain, seals = _open(frames)
    pictures = frames[1:]
    if [length for length, _ in seals] != [memoryview(picture).nbytes for picture in pictures]:
        raise _bad("The frames of a message do not have the lengths its header announces.")
    message_type = KINDS.get(kind) if isinstance(kind, str) else None
    if message_type is None:
        raise _bad("A message of an unknown kind came.")
    cursor = _Cursor(pictures)
    try:
        message: Message = _reader(cast(Any, message_type))(plain, cursor)
    except _UnfitError as unfit:
        raise _bad(f"A {kind} message does not have the expected contents: {unfit}.") from unfit
    if cursor.left():
        raise _bad(f"A {kind} message came with more pictures than it has fields for.")
    return message


def verify(frames: Sequence[Buffer]) -> None:
    """Compare the pictures' frames with the seals in their header; takes about a second for each gigabyte.

    Raises:
        PainterlyError: BAD_REQUEST when one differs.
    """
    _, _, seals = _open(frames)
    for seal, picture in zip(seals, frames[1:], strict=True):
        if list(seal) != _seal(picture):
            raise PainterlyError(
                ErrorCode.BAD_REQUEST, "A picture was damaged, or swapped for another, on its way.", "Try again."
            )


def fingerprint(frames: Sequence[Buffer]) -> bytes:
    """Tells messages apart: their header's digest, and with its seals that of every picture."""
    return hashlib.sha256(frames[0]).digest()


def _seal(picture: Buffer) -> list[object]:
    return [memoryview(picture).nbytes, hashlib.sha256(picture).digest()]


def _open(frames: Sequence[Buffer]) -> tuple[object, object, list[tuple[int, bytes]]]:
    """Kind, fields and seals of the header in ``frames``, whose number and header's size are checked first."""
    if not 1 <= len(frames) <= MAX_FRAMES:
        raise _bad(f"A message of {len(frames)} frames is none of ours.")
    header = memoryview(frames[0])
    if header.nbytes > MAX_HEADER_BYTES:
        raise _bad(f"A message header of {header.nbytes} bytes is too large.")
    kind, plain, seals = _read_header(bytes(header))
    return kind, plain, _seals(seals)


def _seals(value: object) -> list[tuple[int, bytes]]:
    seals: list[tuple[int, bytes]] = []
    for seal in value if isinstance(value, list) else [None]:
        if not (isinstance(seal, list) and len(seal) == 2 and type(seal[0]) is int and type(seal[1]) is bytes):
            raise _bad("A message header does not say what belongs to it.")
        seals.append((seal[0], seal[1]))
    return seals


def _bad(sentence: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence)


# ---------------------------------------------------------------- other versions


class OtherVersionError(PainterlyError):
    """A message of protocol version ``version``, which is not ours; who is older decides what the user can do."""

    def __init__(self, version: int) -> None:
        super().__init__(
            ErrorCode.VERSION_MISMATCH, f"A message of protocol version {version} came, not of {PROTOCOL_VERSION}."
        )
        self.version = version


def version_mismatch(*, engine: int, client: int) -> PainterlyError:
    """What the user is told where engine and client speak different versions of the protocol."""
    versions = f"it speaks protocol version {engine}, this program version {client}"
    if engine < client:
        return PainterlyError(
            ErrorCode.VERSION_MISMATCH,
            f"An older engine is still running ({versions}).",
            "Run “painterly stop”, then try again: the new one starts by itself.",
        )
    return PainterlyError(
        ErrorCode.VERSION_MISMATCH,
        f"The engine is newer than this program ({versions}).",
        "Run install.py again, then restart GIMP.",
    )


def encode_for(version: int, message: Failure | Shutdown) -> list[Buffer]:
    """The message as protocol ``version`` writes it: these two have looked the same ever since version 1."""
    return [msgpack.packb([version, _KIND_OF[type(message)], _pack(message, []), []])]


# ---------------------------------------------------------------- the header


def _refuse_extension(code: int, data: bytes) -> object:
    raise ValueError(f"extension type {code} of {len(data)} bytes")


def _read_header(header: bytes) -> tuple[object, object, object]:
    unpacker = msgpack.Unpacker(
        raw=False,
        strict_map_key=True,
        ext_hook=_refuse_extension,
        max_buffer_size=MAX_HEADER_BYTES,
        max_array_len=MAX_ITEMS,
        max_map_len=MAX_ITEMS,
    )
    try:
        unpacker.feed(header)
        length = unpacker.read_array_header()
        version = unpacker.unpack()
        if type(version) is not int:
            raise _bad("The version of a message is not a number.")
        if version != PROTOCOL_VERSION:
            raise OtherVersionError(version)
        if length != 4:
            raise _bad(f"A message header of {length} parts is none of ours.")
        kind, plain, lengths = (unpacker.unpack() for _ in range(3))
        if unpacker.tell() != len(header):
            raise _bad("A message header is longer than its contents.")
    except PainterlyError:
        raise
    # Whatever msgpack's C and Python decoders raise on garbage: it is theirs to choose, and never ours to pass on.
    except Exception as error:
        raise _bad(f"A message header cannot be read ({type(error).__name__}).") from error
    return kind, plain, lengths


# ---------------------------------------------------------------- dataclass to plain values


def _pack(value: object, pictures: list[Buffer]) -> object:
    if isinstance(value, Pixels):
        view = memoryview(value.data)
        if not view.c_contiguous:
            raise ValueError("its samples are not contiguous")
        pictures.append(view.cast("B"))
        return [value.height, value.width, value.channels, value.sample_type.value]
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {field.name: _pack(getattr(value, field.name), pictures) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _pack(item, pictures) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(item, pictures) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a {type(value).__name__} is not plain")


# ---------------------------------------------------------------- plain values to dataclass


class _UnfitError(Exception):
    """A plain value that is not of the type its field asks for."""


@dataclass
class _Cursor:
    """Hands out the picture frames, each once, in order."""

    frames: Sequence[Buffer]
    used: int = 0

    def take(self) -> Buffer:
        if not self.left():
            raise _UnfitError("a picture is missing")
        self.used += 1
        return self.frames[self.used - 1]

    def left(self) -> int:
        return len(self.frames) - self.used


_Reader = Callable[[object, _Cursor], Any]


@functools.cache
def _reader(hint: Any) -> _Reader:
    """The function that checks a plain value against the type ``hint`` and makes the value it stands for."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _union_reader([_reader(member) for member in get_args(hint)])
    if origin is Mapping:
        return _mapping_reader(_reader(get_args(hint)[1]))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum_reader(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return _dataclass_reader(hint)
    raise TypeError(f"{hint} cannot travel")


def _read_exactly(expected: type) -> _Reader:
    def read(value: object, _cursor: _Cursor) -> object:
        if type(value) is not expected:  # `isinstance` would let True through as 1
            raise _UnfitError(f"{expected.__name__} expected, {type(value).__name__} found")
        return value

    return read


def _read_float(value: object, _cursor: _Cursor) -> float:
    if type(value) not in (int, float):
        raise _UnfitError(f"number expected, {type(value).__name__} found")
    return float(value)  # type: ignore[arg-type]


def _read_plain(value: object, _cursor: _Cursor, depth: int = 0) -> object:
    if depth > MAX_NESTING:
        raise _UnfitError("nested too deeply")
    if isinstance(value, list):
        return [_read_plain(item, _cursor, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_string(key): _read_plain(item, _cursor, depth + 1) for key, item in value.items()}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise _UnfitError(f"{type(value).__name__} found")


def _string(key: object) -> str:
    if type(key) is not str:
        raise _UnfitError("a map's key is not a string")
    return key


def _read_pixels(value: object, cursor: _Cursor) -> Pixels:
    if not isinstance(value, list) or len(value) != 4:
        raise _UnfitError("picture expected")
    *shape, name = value
    if not all(type(side) is int and 0 < side <= MAX_SIDE for side in shape):
        raise _UnfitError("a picture of impossible size")
    height, width, channels = shape
    return Pixels(height, width, channels, _reader(SampleType)(name, cursor), cursor.take())


def _union_reader(members: list[_Reader]) -> _Reader:
    def read(value: object, cursor: _Cursor) -> object:
        reasons = []
        for member in members:
            try:
                return member(value, cursor)
            except _UnfitError as unfit:
                reasons.append(str(unfit))
        raise _UnfitError(" or ".join(reasons))

    return read


def _mapping_reader(read_item: _Reader) -> _Reader:
    def read(value: object, cursor: _Cursor) -> dict[str, object]:
        if not isinstance(value, dict):
            raise _UnfitError(f"map expected, {type(value).__name__} found")
        return {_string(key): read_item(item, cursor) for key, item in value.items()}

    return read


def _enum_reader(enum: type[Enum]) -> _Reader:
    by_value = {member.value: member for member in enum}

    def read(value: object, _cursor: _Cursor) -> Enum:
        if type(value) is not str or value not in by_value:
            raise _UnfitError(f"no {enum.__name__}")
        return by_value[value]

    return read


def _dataclass_reader(cls: type) -> _Reader:
    readers = {name: _reader(hint) for name, hint in get_type_hints(cls).items()}

    def read(value: object, cursor: _Cursor) -> object:
        if not isinstance(value, dict) or value.keys() != readers.keys():
            raise _UnfitError(f"the fields of {cls.__name__} expected")
        # In the order of the dataclass, not of the sender's map: pictures are numbered by it.
        return cls(**{name: read_field(value[name], cursor) for name, read_field in readers.items()})

    return read


_SIMPLE: Mapping[Any, _Reader] = {
    str: _read_exactly(str),
    int: _read_exactly(int),
    bool: _read_exactly(bool),
    type(None): _read_exactly(type(None)),
    float: _read_float,
    object: _read_plain,
    Pixels: _read_pixels,
}
