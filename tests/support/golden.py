"""One message of each kind, and the files in ``golden/VERSION/`` that say how that version of the protocol wrote them.

A change of the wire makes ``test_golden`` fail: then raise PROTOCOL_VERSION and write files for the new version with

    python tests/support/golden.py

The files of a version that has been released are never changed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import msgpack  # type: ignore[import-untyped]

from painterly_protocol import wire
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
from painterly_protocol.request import HarmonizeRequest, Parameters

FOLDER = Path(__file__).resolve().parent / "golden"
_FORMATS = {SampleType.UINT8: "B", SampleType.UINT16: "H", SampleType.FLOAT32: "f"}
_STEPS = {SampleType.UINT8: 1, SampleType.UINT16: 257, SampleType.FLOAT32: 1 / 64}


def _ramp(channels: int, sample_type: SampleType, first: int) -> Pixels:
    samples = [(first + n) * _STEPS[sample_type] for n in range(2 * 3 * channels)]
    return Pixels(2, 3, channels, sample_type, struct.pack(f"<{len(samples)}{_FORMATS[sample_type]}", *samples))


_REQUEST = HarmonizeRequest(
    _ramp(3, SampleType.UINT16, 1),
    _ramp(3, SampleType.UINT16, 9),
    _ramp(1, SampleType.UINT8, 200),
    _ramp(1, SampleType.FLOAT32, 5),
    Parameters(
        "draft", size=256, iterations=40, stylization="baroque", weights="slim", seed=7, previews=True, method="local"
    ),
    style=_ramp(3, SampleType.UINT8, 30),
    style_mask=_ramp(1, SampleType.UINT8, 60),
    as_layer=True,
)

MESSAGES: Mapping[str, Message] = {
    "hello": Hello("gimp-plug-in"),
    "submit": Submit("0f", _REQUEST, Priority.BATCH),
    "cancel": Cancel("0f"),
    "status-query": StatusQuery(),
    "shutdown": Shutdown(),
    "welcome": Welcome("0.1.0", 4711),
    "queued": Queued("0f", 3),
    "progress": Progress("0f", Phase.PASS_TWO, 0.625, 12.5, 40, 50, {"gram": 1.5, "content": 0.25}),
    "preview": Preview("0f", _ramp(3, SampleType.UINT8, 0)),
    "result": Result(
        "0f", 5, 6, _ramp(4, SampleType.UINT16, 40), {"network": "slim", "seconds": {"pass-one": 1.5}, "warnings": []}
    ),
    "failure": Failure("0f", "empty-mask", "The mask is empty.", "Select something."),
    "status": Status(EngineState.BUSY, "0f", 2, {"pid": 4711, "worker": "busy", "uptime_s": 1.5, "last_job": {}}),
}


def read(version: int, kind: str) -> list[bytes]:
    """The frames."""
    frames: list[bytes] = msgpack.unpackb((FOLDER / str(version) / f"{kind}.msgpack").read_bytes())
    return frames


def write() -> None:
    """The files of this version."""
    folder = FOLDER / str(PROTOCOL_VERSION)
    folder.mkdir(exist_ok=True)
    for kind, message in MESSAGES.items():
        (folder / f"{kind}.msgpack").write_bytes(msgpack.packb([bytes(frame) for frame in wire.encode(message)]))


if __name__ == "__main__":
    write()
