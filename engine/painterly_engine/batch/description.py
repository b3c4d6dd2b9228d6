"""``jobs.yaml``: a list of jobs, each checked on its own, so that one slip of the pen keeps no other from running.

defaults: {preset: draft}       # any setting or style, for all jobs
jobs:
  - name: cup
    painting: sea.jpg           # paths are as seen from this file
    composite: sea-with-cup.png
    mask: cup-mask.png
    loose-mask: cup-wide.png    # may be left out
    style: night.jpg            # may be left out: imitated instead of the painting
    style-mask: sky.png         # may be left out: where that may be imitated
    strength: 0.7               # any setting, for this job
  - name: terrace
    painting: terrace.jpg
    objects:                    # instead of composite and mask: pasted in, the first one lowest
      - {file: coffee.png, at: [340, 278], scale: 0.9, rotate: 5, flip: true, feather: 3, grow: 2}
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from painterly_engine.batch.entries import Broken, Entry, as_file
from painterly_engine.network.naming import network_name
from painterly_engine.pictures.arrangement import Placement
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import Parameters

Check = Callable[[object], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_place(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value))


NUMBER, WHOLE, TEXT = (_is_number, "a number"), (_is_whole, "a whole number"), (_is_text, "text")
SETTINGS: Mapping[str, tuple[Check, str]] = {
    "method": TEXT,
    "preset": TEXT,
    "size": WHOLE,
    "iterations": WHOLE,
    "stylization": (lambda value: _is_number(value) or _is_text(value), "a number or a genre"),
    "strength": NUMBER,
    "detail": NUMBER,
    "weights": TEXT,
    "seed": WHOLE,
}
FILES: Mapping[str, tuple[Check, str]] = dict.fromkeys(("painting", "composite", "mask", "loose-mask"), TEXT)
STYLES: Mapping[str, tuple[Check, str]] = dict.fromkeys(("style", "style-mask"), TEXT)
PLACING: Mapping[str, tuple[Check, str]] = {
    "file": TEXT,
    "at": (_is_place, "two whole numbers, for example [340, 278]"),
    "scale": NUMBER,
    "rotate": NUMBER,
    "flip": (lambda value: isinstance(value, bool), "true or false"),
    "feather": NUMBER,
    "grow": WHOLE,
}
OBJECTS: Mapping[str, tuple[Check, str]] = {
    "objects": (lambda value: isinstance(value, list) and bool(value), "a list"),
}
JOB = {"name": (lambda value: _is_text(value) or _is_whole(value), "a name"), **FILES, **OBJECTS, **STYLES, **SETTINGS}


def entries_of(file: Path, overriding: Mapping[str, Any]) -> list[Entry | Broken]:
    """
    Args:
        overriding: settings that count more than the file's, by the names of ``Parameters``.

    Raises:
        PainterlyError: UNREADABLE_FILE for a file that is no list of jobs; BAD_REQUEST for defaults that cannot be.
    """
    document = _parsed(file)
    usual = _checked(document.get("defaults") or {}, {**STYLES, **SETTINGS}, "The part “defaults”")
    jobs = document.get("jobs")
    if not isinstance(jobs, list) or not jobs:
        raise _unreadable(file, "it has no list of jobs")
    unknown = sorted(set(document) - {"defaults", "jobs"})
    if unknown:
        raise _unreadable(file, f"it has an unknown part “{unknown[0]}” beside “defaults” and “jobs”")
    entries = (_entry(job, number, file.parent, usual, overriding) for number, job in enumerate(jobs, start=1))
    return _told_apart(list(entries))


def _told_apart(entries: Sequence[Entry | Broken]) -> list[Entry | Broken]:
    """The second of a name, whose result would be the first one's file, is broken and called otherwise."""
    given = {as_file(entry.name) for entry in entries}
    taken: dict[str, str] = {}
    found: list[Entry | Broken] = []
    for number, entry in enumerate(entries, start=1):
        file = as_file(entry.name)
        if file in taken:
            label = f"job {number} ({entry.name})"
            while as_file(label) in given:
                label += "'"
            given.add(as_file(label))
            found.append(Broken(label, _same_name(entry.name, taken[file])))
        else:
            taken[file] = entry.name
            found.append(entry)
    return found


def _same_name(name: str, other: str) -> PainterlyError:
    why = "" if name == other else ", and their results would be one file on some machines"
    return _bad(f"Another job is called {other} too{why}.", "Give it a name of its own.")


def _entry(
    job: object, number: int, folder: Path, usual: Mapping[str, Any], overriding: Mapping[str, Any]
) -> Entry | Broken:
    named = job.get("name") if isinstance(job, dict) else None
    name = str(named) if named is not None else f"job {number}"
    try:
        own = _checked(job, JOB, f"Job {number}")
        fields = {**{key: value for key, value in usual.items() if "style" not in own or key not in STYLES}, **own}
        if Path(name).name != name or name.startswith(".") or "\\" in name:
            raise _bad(f"“{name}” cannot be a file's name.", "Give a name without slashes.")
        settings = {key: fields[key] for key in SETTINGS if key in fields}
        return _made(name, fields, folder, _parameters(settings, folder, overriding))
    except PainterlyError as error:
        return Broken(name, error)


def _made(name: str, fields: Mapping[str, Any], folder: Path, parameters: Parameters) -> Entry:
    painting, composite, mask, loose, style, lends = (
        _path(fields[key], folder) if key in fields else None for key in (*FILES, *STYLES)
    )
    if painting is None:
        raise _bad("It has no painting.", "Add “painting: FILE”.")
    if "objects" in fields:
        if composite or mask:
            raise _bad("It has both objects and a composite or mask.", "Leave one of them out.")
        objects = tuple(_object(one, folder) for one in fields["objects"])
        return Entry(name, painting, None, None, objects, loose, style, lends, parameters)
    for key, path in {"composite": composite, "mask": mask}.items():
        if path is None:
            raise _bad(f"It has no {key}.", f"Add “{key}: FILE”, or give objects to be pasted in.")
    return Entry(name, painting, composite, mask, (), loose, style, lends, parameters)


def _object(given: object, folder: Path) -> tuple[Path, Placement]:
    fields = dict(_checked({"file": given} if isinstance(given, str) else given, PLACING, "An object"))
    if "file" not in fields:
        raise _bad("One of its objects has no file.", "Add “file: NAME”.")
    path = _path(fields.pop("file"), folder)
    if "at" in fields:
        fields["at"] = tuple(fields["at"])
    return path, Placement(**fields)


def _parameters(settings: Mapping[str, Any], folder: Path, overriding: Mapping[str, Any]) -> Parameters:
    own = dict(settings)
    if "weights" in own:
        own["weights"] = network_name(own["weights"], folder)
    if own.get("stylization") == "auto":
        own["stylization"] = None
    return replace(Parameters(), **{**own, **overriding})


def _checked(given: object, known: Mapping[str, tuple[Check, str]], what: str) -> Mapping[str, Any]:
    """
    Raises:
        PainterlyError: BAD_REQUEST where it is no mapping, or holds what is not known or of the wrong kind.
    """
    if not isinstance(given, dict):
        raise _bad(f"{what} should be “key: value” pairs.", f"The keys are {', '.join(known)}.")
    for key, value in given.items():
        if key not in known:
            raise _bad(f"{what} has an unknown setting “{key}”.", f"Known are {', '.join(known)}.")
        check, kind = known[key]
        if not check(value):
            raise _bad(f"“{key}: {reprlib.repr(value)}” cannot be used.", f"Give {kind}.")
    return given


def _parsed(file: Path) -> dict[Any, Any]:
    try:
        import yaml
    except ImportError as error:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "Lists of jobs need PyYAML, which is not installed.",
            "Install it with: pip install 'painterly-harmonize[batch]'",
        ) from error
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PainterlyError(ErrorCode.UNREADABLE_FILE, f"There is no {file}.", "Check the name.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise _unreadable(file, " ".join(str(error).split())) from error
    if not isinstance(document, dict):
        raise _unreadable(file, "it has no list of jobs")
    return document


def _path(text: str, folder: Path) -> Path:
    return folder / Path(text).expanduser()


def _unreadable(file: Path, reason: str) -> PainterlyError:
    return PainterlyError(
        ErrorCode.UNREADABLE_FILE, f"{file} cannot be read as a list of jobs: {reason}.", "See docs/pipeline.md."
    )


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
