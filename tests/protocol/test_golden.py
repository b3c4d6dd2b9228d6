"""The wire as it was written down: this version's files are read and written bit for bit, older ones get a sentence."""

from __future__ import annotations

import msgpack  # type: ignore[import-untyped]
import pytest

from painterly_protocol import wire
from painterly_protocol.messages import PROTOCOL_VERSION, Failure, Message, Shutdown
from support import golden

OLDER = [int(folder.name) for folder in golden.FOLDER.iterdir() if int(folder.name) != PROTOCOL_VERSION]


def test_every_kind_and_every_version_has_its_files() -> None:
    assert golden.MESSAGES.keys() == wire.KINDS.keys()
    assert sorted(OLDER) == list(range(1, PROTOCOL_VERSION))


@pytest.mark.parametrize("kind", wire.KINDS)
def test_this_version_is_written_and_read_as_in_its_files(kind: str) -> None:
    """See ``support/golden.py`` for what to do when this fails."""
    message = golden.MESSAGES[kind]
    frames = golden.read(PROTOCOL_VERSION, kind)
    assert [bytes(frame) for frame in wire.encode(message)] == frames
    assert wire.decode(frames) == message


@pytest.mark.parametrize("version", OLDER)
@pytest.mark.parametrize("kind", wire.KINDS)
def test_an_older_version_is_recognised(kind: str, version: int) -> None:
    with pytest.raises(wire.OtherVersionError) as caught:
        wire.decode(golden.read(version, kind))
    assert caught.value.version == version


@pytest.mark.parametrize("version", [*OLDER, PROTOCOL_VERSION])
@pytest.mark.parametrize("kind", ["failure", "shutdown"])
def test_an_older_version_can_be_answered_and_stopped_in_its_own_words(kind: str, version: int) -> None:
    message: Message = golden.MESSAGES[kind]
    assert isinstance(message, Failure | Shutdown)
    assert wire.encode_for(version, message) == golden.read(version, kind)


def test_version_1_wrote_what_version_1_read() -> None:
    """Its header held lengths without digests; its failure is what an engine of today answers it with."""
    version, kind, fields, lengths = msgpack.unpackb(golden.read(1, "failure")[0])
    assert (version, kind, lengths) == (1, "failure", [])
    assert list(fields) == ["job_id", "code", "sentence", "advice"]
