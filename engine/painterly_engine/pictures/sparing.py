"""What a command writes is none of what it reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from painterly_protocol.errors import ErrorCode, PainterlyError


def spare(written: Iterable[Path], read: Iterable[Path | None]) -> None:
    """Fail before the work rather than write over what it is made from, or over another of its results.

    Args:
        written: files; they need not be there yet.
        read: files, and ``None`` for what was not given.

    Raises:
        PainterlyError: BAD_REQUEST.
    """
    sources = [path for path in read if path is not None]
    results: list[Path] = []
    for file in written:
        if any(is_same(file, source) for source in sources):
            raise _bad(f"{file} would be written over, but it is read here.", "Choose another name for what is made.")
        if any(is_same(file, result) for result in results):
            raise _bad(f"{file} would be written twice.", "Give each result a name of its own.")
        results.append(file)


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file: through links, and by names that differ where the system sees none."""
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except (OSError, RuntimeError):  # one is not there, or a link leads to itself
        return False


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
