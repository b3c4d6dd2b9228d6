"""Download torchvision's VGG weights, check them, and keep their convolutions.

The whole file is 550 MB, most of it the classifier; what is kept is 56 to 77 MB. A download that breaks off leaves
``NAME.pth.part`` and goes on from there the next time, where the server allows it. One process at a time writes it: the
one that holds ``NAME.pth.lock``.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import pickle
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from painterly_engine.file_lock import FileLock
from painterly_engine.network import store
from painterly_engine.network.layouts import recognise
from painterly_protocol.errors import ErrorCode, PainterlyError

PIECE = 1 << 18
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Published:
    """A file that its publisher named after the first digits of its SHA-256."""

    name: str
    address: str
    digits: str
    licence: str


_VGG_LICENCE = "VGG: CC BY 4.0; torchvision's file: BSD-3-Clause"
PUBLISHED = {
    "vgg19": Published("vgg19", "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", "dcbb9e9d", _VGG_LICENCE),
    "vgg16": Published("vgg16", "https://download.pytorch.org/models/vgg16-397923af.pth", "397923af", _VGG_LICENCE),
}

Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in all (0 where the server does not say)."""


def ignore_progress(done: int, total: int) -> None:
    """For those who do not look."""


def fetch(published: Published, progress: Progress = ignore_progress) -> store.Passport:
    """Download, check, slim to the convolutions and store.

    Raises:
        PainterlyError: WEIGHTS_MISSING where the download fails (what came is kept for the next try) or another one of
            this network is under way, WEIGHTS_CORRUPT where the file is not the published one (it is deleted).
    """
    part = store.weights_dir() / f"{published.name}.pth.part"
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with _alone(published, part.with_suffix(".lock")):
            return _fetch(published, part, progress)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _failed(published, f"The download of {published.name} failed: {_reason(error)}.") from error
    except OSError as error:
        raise PainterlyError(
            ErrorCode.WEIGHTS_MISSING,
            f"The download of {published.name} could not be written to {part.parent}: {_reason(error)}.",
            f"Make room or set PAINTERLY_DATA_DIR to another folder, then {_again(published)}",
        ) from error


def _fetch(published: Published, part: Path, progress: Progress) -> store.Passport:
    _download(published.address, part, progress)
    digest = _checked_digest(part, published)
    try:
        state = torch.load(part, map_location="cpu", weights_only=True)
        found = recognise(state, digest)
    except (RuntimeError, pickle.UnpicklingError) as error:
        part.unlink(missing_ok=True)
        raise store.corrupt(part, _again(published).capitalize()) from error
    passport = store.store(published.name, found, published.address, digest, published.licence)
    part.unlink()
    return passport


@contextlib.contextmanager
def _alone(published: Published, file: Path) -> Iterator[None]:
    """Hold the lock ``file`` as long as the download lasts.

    Raises:
        PainterlyError: WEIGHTS_MISSING where another one holds it.
        OSError: it cannot be made.
    """
    lock = FileLock(file)
    if not lock.try_acquire():
        raise PainterlyError(
            ErrorCode.WEIGHTS_MISSING,
            f"The network {published.name} is being downloaded already.",
            "Wait until that has ended.",
        )
    try:
        yield
    finally:
        lock.release()


def _again(published: Published) -> str:
    return f"run 'painterly weights fetch {published.name}' again."


def _failed(published: Published, sentence: str) -> PainterlyError:
    advice = f"Check the network connection and {_again(published)} It goes on where it stopped."
    return PainterlyError(ErrorCode.WEIGHTS_MISSING, sentence, advice)


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return str(reason).rstrip(".") or type(error).__name__


def _download(address: str, part: Path, progress: Progress) -> None:
    """Bring ``part`` to the whole file.

    Raises:
        OSError and its kin from urllib; http.client.IncompleteRead where the connection ends early.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()
            return  # nothing is left to ask for: whether the part is whole and right, its digest says
        raise
    with response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        length = int(response.headers.get("Content-Length") or 0)
        have = have if resumed else 0
        with part.open("ab" if resumed else "wb") as file:
            _copy(response, file, have, have + length if length else 0, progress)


def _copy(response: http.client.HTTPResponse, file: object, have: int, total: int, progress: Progress) -> None:
    write = file.write  # type: ignore[attr-defined]
    progress(have, total)
    while piece := response.read(PIECE):
        write(piece)
        have += len(piece)
        progress(have, total)
    if total and have < total:
        raise http.client.IncompleteRead(b"", total - have)


def _checked_digest(part: Path, published: Published) -> str:
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    if not digest.hexdigest().startswith(published.digits):
        part.unlink()
        raise PainterlyError(
            ErrorCode.WEIGHTS_CORRUPT,
            f"What came from {published.address} is not the published file: its SHA-256 begins "
            f"{digest.hexdigest()[:8]}, not {published.digits}.",
            f"It was deleted; {_again(published)}",
        )
    return digest.hexdigest()
