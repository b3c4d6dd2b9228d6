"""A folder as a list of jobs: what its pictures' names say.

Either a folder for each job (``cup/painting.jpg``, ``cup/composite.png``, ``cup/mask.png``) or the job's name first
(``cup_painting.jpg`` …). The names of Luan et al.'s own data (``0_target.jpg``, ``0_naive.jpg``, ``0_c_mask.jpg``,
``0_c_mask_dilated.jpg``) are known too. A style and a style mask may be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from painterly_engine.batch.entries import Broken, Entry, as_file
from painterly_engine.pictures.names import SUFFIXES, by_number
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import Parameters

ROLES = {
    "loose_mask": ("mask_loose", "loose_mask", "c_mask_dilated", "mask_dilated"),
    "mask": ("mask", "c_mask"),
    "composite": ("composite", "naive"),
    "painting": ("painting", "target"),
    "style": ("style",),
    "style_mask": ("style_mask",),
}
NEEDED = ("painting", "composite", "mask")
ROLE_OF = {word: role for role, words in ROLES.items() for word in words}
_ROLES = "|".join(sorted(ROLE_OF, key=len, reverse=True)).replace("_", "[_-]")
NAMED = re.compile(rf"(?P<name>.+?)[_-](?P<role>{_ROLES})", re.IGNORECASE)

Files = dict[str, list[Path]]
"""By role; more than one is one too many."""


def entries_in(folder: Path, parameters: Parameters) -> list[Entry | Broken]:
    """In the order of their names, numbers as numbers.

    Raises:
        PainterlyError: BAD_REQUEST for a folder without a single picture that is named so.
    """
    found: dict[str, tuple[str, Files]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            _take(found, path.iterdir(), path.name)
    _take(found, folder.iterdir(), None)
    if not found:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"There are no jobs in {folder}.",
            "A job is a folder with painting, composite and mask, or files NAME_painting, NAME_composite, NAME_mask.",
        )
    entries = (_entry(folder, name, files, parameters) for name, files in found.values())
    return sorted(entries, key=lambda entry: by_number(entry.name))


def _take(found: dict[str, tuple[str, Files]], paths: Iterable[Path], job: str | None) -> None:
    """Sort pictures into jobs: all into one, or each by how its name begins. Names that differ in capitals only are one
    job's, whose result would be one file."""
    for path in sorted(paths):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        match = NAMED.fullmatch(path.stem) if job is None else None
        name = job if match is None else match["name"]
        role = ROLE_OF.get((path.stem if match is None else match["role"]).lower().replace("-", "_"))
        if name is None or role is None:
            continue
        _, files = found.setdefault(as_file(name), (name, {}))
        files.setdefault(role, []).append(path)


def _entry(folder: Path, name: str, files: Files, parameters: Parameters) -> Entry | Broken:
    for role, (one, *others) in files.items():
        if others:
            both = f"{one.relative_to(folder)} and {others[0].relative_to(folder)}"
            return Broken(name, _bad(f"{both} could both be its {_words(role)}."))
    missing = [_words(role) for role in NEEDED if role not in files]
    if missing:
        return Broken(name, _bad(f"It has no {' and no '.join(missing)}."))
    only = {role: path for role, (path,) in files.items()}
    return Entry(
        name,
        only["painting"],
        composite=only["composite"],
        mask=only["mask"],
        loose_mask=only.get("loose_mask"),
        style=only.get("style"),
        style_mask=only.get("style_mask"),
        parameters=parameters,
    )


def _words(role: str) -> str:
    return role.replace("_", " ")


def _bad(sentence: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, "Name its files so that it has exactly one of each.")
