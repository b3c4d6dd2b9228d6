"""A folder as a list of jobs: what its pictures' names say.

Either a folder for each job (``cup/painting.jpg``, ``cup/composite.png``, ``cup/mask.png``) or the job's name first
(``cup_painting.jpg`` …). The names of Luan et al.'s own data (``0_target.jpg``, ``0_naive.jpg``, ``0_c_mask.jpg``,
``0_c_mask_dilated.jpg``) are known too. A style and a style mask may be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from painterly_engine.batch.entries import Broken, Entry
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
PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}
ROLE_OF = {word: role for role, words in ROLES.items() for word in words}
_ROLES = "|".join(sorted(ROLE_OF, key=len, reverse=True)).replace("_", "[_-]")
NAMED = re.compile(rf"(?P<name>.+?)[_-](?P<role>{_ROLES})", re.IGNORECASE)

Files = dict[str, Path]


def entries_in(folder: Path, parameters: Parameters) -> list[Entry | Broken]:
    """In the order of their names, numbers as numbers.

    Raises:
        PainterlyError: BAD_REQUEST for a folder without a single picture that is named so.
    """
    found: dict[str, Files] = {}
    broken: list[Entry | Broken] = []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            _take(found, broken, path.iterdir(), path.name)
    _take(found, broken, folder.iterdir(), None)
    if not found and not broken:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"There are no jobs in {folder}.",
            "A job is a folder with painting, composite and mask, or files NAME_painting, NAME_composite, NAME_mask.",
        )
    return sorted([*broken, *(_entry(name, files, parameters) for name, files in found.items())], key=_by_number)


def _take(found: dict[str, Files], broken: list[Entry | Broken], paths: Iterable[Path], job: str | None) -> None:
    """Sort pictures into jobs: all into one, or each by how its name begins."""
    for path in sorted(paths):
        if path.suffix.lower() not in PICTURES or path.name.startswith("."):
            continue
        match = NAMED.fullmatch(path.stem) if job is None else None
        name = job if match is None else match["name"]
        role = ROLE_OF.get((path.stem if match is None else match["role"]).lower().replace("-", "_"))
        if name is None or role is None:
            continue
        files = found.setdefault(name, {})
        if role in files:
            broken.append(Broken(name, _bad(f"{files[role].name} and {path.name} could both be its {_words(role)}.")))
            continue
        files[role] = path


def _entry(name: str, files: Files, parameters: Parameters) -> Entry | Broken:
    missing = [_words(role) for role in NEEDED if role not in files]
    if missing:
        return Broken(name, _bad(f"It has no {' and no '.join(missing)}."))
    return Entry(
        name,
        files["painting"],
        composite=files["composite"],
        mask=files["mask"],
        loose_mask=files.get("loose_mask"),
        style=files.get("style"),
        style_mask=files.get("style_mask"),
        parameters=parameters,
    )


def _by_number(entry: Entry | Broken) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", entry.name)]


def _words(role: str) -> str:
    return role.replace("_", " ")


def _bad(sentence: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, "Name its files so that it has exactly one of each.")
