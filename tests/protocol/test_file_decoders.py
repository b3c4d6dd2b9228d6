"""Whatever the runtime file, a ticket or a key file holds: it is read, or refused with a sentence; nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from painterly_protocol import remote, runtime
from painterly_protocol.errors import PainterlyError
from painterly_protocol.keyring import Keyring
from painterly_protocol.keys import KeyPair
from painterly_protocol.private_file import write_private
from painterly_protocol.remote import Ticket
from painterly_protocol.runtime import RuntimeInfo

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners and modes")

_PAIR = KeyPair.new()
_GOOD: tuple[dict[str, object], ...] = (
    asdict(RuntimeInfo("ipc://engine-1.sock", 7, 2, "1")),
    asdict(Ticket("tcp://gpu-box:5599", "ada", _PAIR.public, _PAIR.public, _PAIR.secret)),
    {"public": _PAIR.public, "added": "2026-01-01"},
    {"public": _PAIR.public, "secret": _PAIR.secret},
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def nearly_good(draw: st.DrawFn) -> bytes:
    """A good file with some values replaced, added or taken away, now and then cut."""
    values = dict(draw(st.sampled_from(_GOOD)))
    for key in draw(st.lists(st.sampled_from([*values, "more"]), max_size=2)):
        if draw(st.booleans()):
            values[key] = draw(_values)
        else:
            values.pop(key, None)
    text = json.dumps(values).encode("utf-8")
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


Reader = Callable[[Path], object]
READERS: list[tuple[str, Reader]] = [
    (runtime.RUNTIME_FILE, lambda file: runtime.read(file.parent)),
    (remote.TICKET_FILE, lambda file: runtime.find(file.parent)),
    ("clients/ada.json", lambda file: Keyring(file.parent.parent).clients()),
    ("engine.json", lambda file: Keyring(file.parent).own()),
]


@pytest.mark.parametrize(("name", "read"), READERS, ids=["runtime file", "ticket", "client key", "own key"])
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=nearly_good() | st.binary(max_size=300))
def test_files_are_read_or_refused(tmp_path: Path, name: str, read: Reader, text: bytes) -> None:
    file = tmp_path / "private" / name
    for folder in (tmp_path / "private", file.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    write_private(file, "")
    file.write_bytes(text)
    try:
        read(file)
    except PainterlyError as error:
        assert error.sentence
        assert error.advice
