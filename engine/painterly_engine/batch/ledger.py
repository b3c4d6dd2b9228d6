"""What of a batch is finished: each result has a note beside it that says what it was made from.

A result counts as finished when its note's key is the one that its entry would have now, and the file is still the one
that was written. Files that no note knows are somebody else's and stay.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from painterly_engine import __version__
from painterly_engine.batch.entries import Entry
from painterly_engine.pictures.files import Picture
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import Parameters

FORMAT = "painterly-batch-1"
SUFFIX, NOTE = ".png", ".painterly.json"


@dataclass(frozen=True)
class Note:
    """
    Attributes:
        key: of what the result was made from (``key_of``).
        wrote: digests of the files written under this name, the last one last.
        created: when, as ISO 8601 with the time zone.
        about: the result's metadata.
    """

    key: str
    wrote: tuple[str, ...]
    created: str
    about: Mapping[str, Any]


class Ledger:
    """
    Args:
        folder: of the results; made if need be.

    Raises:
        PainterlyError: UNREADABLE_FILE.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def result(self, name: str) -> Path:
        """Where an entry's result lies, or will."""
        return self.folder / f"{name}{SUFFIX}"

    def note(self, name: str) -> Note | None:
        """What is known of an entry's result; None where nothing is."""
        try:
            found = json.loads(self._note_file(name).read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                return None
            return Note(str(found["key"]), tuple(found["wrote"]), str(found["created"]), dict(found["about"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def is_finished(self, name: str, key: str) -> bool:
        """
        Raises:
            PainterlyError: UNREADABLE_FILE where a file is in the way that no batch wrote, or that was changed since.
        """
        note, file = self.note(name), self.result(name)
        if not file.exists():
            return False
        if note is None or not file.is_file() or _digest(file) not in note.wrote:
            raise PainterlyError(
                ErrorCode.UNREADABLE_FILE,
                f"There is a {file} already that is not as a batch left it, and it is not written over.",
                "Move it away, or choose another folder with --output.",
            )
        return note.key == key and _digest(file) == note.wrote[-1]

    def keep(self, name: str, key: str, picture: Picture, created: str, about: Mapping[str, Any]) -> None:
        """Write the note, then the result: whenever this ends, no file is here that no note knows.

        Raises:
            PainterlyError: UNREADABLE_FILE.
        """
        buffer = io.BytesIO()
        Image.fromarray(picture.pixels).save(buffer, "png", icc_profile=picture.profile)
        data = buffer.getvalue()
        before = self.note(name)
        wrote = (*(before.wrote[-1:] if before else ()), hashlib.sha256(data).hexdigest())
        note = {"format": FORMAT, **asdict(Note(key, wrote, created, about))}
        try:
            _replace(self._note_file(name), json.dumps(note, indent=1, ensure_ascii=False).encode())
            _replace(self.result(name), data)
        except OSError as error:
            raise _unwritable(self.result(name), error) from error

    def _note_file(self, name: str) -> Path:
        return self.folder / f"{name}{NOTE}"


def key_of(entry: Entry) -> str:
    """Changes with the bytes of the entry's files, its settings, the network and the engine's version.

    Raises:
        PainterlyError: UNREADABLE_FILE; WEIGHTS_MISSING and the like for a network that is not here.
    """
    try:
        files = [(role, _digest(path)) for role, path in entry.files()]
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{error.filename} cannot be read: {error.strerror}.", "Check the name."
        ) from error
    made_from = {
        "engine": __version__,
        "files": files,
        "placements": [asdict(placement) for _, placement in entry.objects],
        "parameters": {**asdict(entry.parameters), "weights": network_key(entry.parameters)},
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def network_key(parameters: Parameters) -> str:
    """What tells the network that these settings mean, on this machine, from all others.

    Raises:
        PainterlyError: as ``NetworkShelf.get``.
    """
    from painterly_engine.first_look import DECODERS, NETWORK
    from painterly_engine.job import is_forward
    from painterly_engine.network import shelf, store

    if is_forward(parameters):
        return "+".join(store.passport_of(name).sha256 for name in (NETWORK, DECODERS))
    return shelf.digest(parameters.weights)


def _digest(path: Path) -> str:
    stat = path.stat()
    return _digest_of(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4096)
def _digest_of(path: Path, _changed: int, _size: int) -> str:
    """Read once for all the jobs of one painting."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _replace(path: Path, data: bytes) -> None:
    """The whole file or the one before; the part's name is always the same, so that none is left lying about."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _unwritable(path: Path, error: OSError) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNREADABLE_FILE, f"{path} cannot be written: {error.strerror}.", "Choose another --output."
    )
