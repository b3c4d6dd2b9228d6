"""The procedure's arguments as the engine's ``Parameters``, and the note a result layer carries."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from painterly_protocol.request import DEFAULT_METHOD, MIN_SIZE, PRESETS, Parameters

PARASITE_NAME = "painterly-harmonize"
SKETCH_PRESET = "instant"
FORWARD = "adain"
NOTE_VERSION = 2
# "genre" is one of these two or a genre's name.
AUTOMATIC, NUMBER = "auto", "number"
# How strongly the engine knows these to be painted, from the least to the most.
GENRES = (
    *("renaissance", "high renaissance", "mannerism", "baroque", "rococo", "classicism", "neoclassicism"),
    *("romanticism", "realism", "symbolism", "art nouveau", "impressionism", "post-impressionism", "pointillism"),
    *("expressionism", "fauvism", "cubism", "abstract expressionism"),
)
_KNOWN = frozenset(item.name for item in fields(Parameters))


@dataclass(frozen=True)
class Edges:
    """What happens to the object's outline before it is sent, in pixels of the image.

    Attributes:
        growth: outwards, or inwards where negative.
        softness: width of the soft transition added to the outline.
    """

    growth: int = 0
    softness: float = 0.0

    @property
    def are_kept(self) -> bool:
        return self.growth == 0 and self.softness == 0


@dataclass(frozen=True)
class Trace:
    """What finds a layer or a channel again.

    Attributes:
        tattoo: its number for as long as its image lives, also in files; 0: there was none.
        name: "" where an earlier version of the plug-in did not say.
    """

    tattoo: int = 0
    name: str = ""


NOTHING = Trace()


@dataclass(frozen=True)
class Note:
    """What a result layer remembers: enough to start from again.

    Attributes:
        arguments: of the procedure, by name.
        made_of, painting: the layers it was made from.
        style: the layer or channel that was imitated; nothing: all of the painting.
        result: what the engine said of it, or so it says.
    """

    arguments: Mapping[str, object] = field(default_factory=dict)
    made_of: Trace = NOTHING
    painting: Trace = NOTHING
    style: Trace = NOTHING
    result: Mapping[str, object] = field(default_factory=dict)


def parameters_from(arguments: Mapping[str, object], *, previews: bool) -> Parameters:
    """Parameters from the procedure's arguments, where 0 and "" leave a value to the preset.

    A size from 1 up to the least becomes the least: GIMP's one range of numbers must hold the 0 too.

    Raises:
        PainterlyError: BAD_REQUEST for values that ``Parameters`` refuses.
    """
    asked: dict[str, object] = {
        "preset": str(arguments["preset"]),
        "size": _size(_int(arguments["size"])),
        "iterations": _int(arguments["iterations"]) or None,
        "stylization": _stylization(str(arguments["genre"]), _float(arguments["stylization"])),
        "weights": str(arguments["weights"] or "auto"),
        "seed": _int(arguments["seed"]),
        "strength": _float(arguments["strength"]),
        "detail": _float(arguments["detail"]),
        "previews": previews,
        "method": str(arguments["method"]),
    }
    return Parameters(**{name: value for name, value in asked.items() if name in _KNOWN})  # type: ignore[arg-type]


def sketch_of(parameters: Parameters) -> Parameters | None:
    """Parameters of a quick first look at what ``parameters`` will give; None where there is no quicker way."""
    quick = parameters.method == FORWARD or (parameters.method == DEFAULT_METHOD and parameters.preset == SKETCH_PRESET)
    if SKETCH_PRESET not in PRESETS or quick:
        return None
    return replace(parameters, preset=SKETCH_PRESET, size=None, iterations=None, previews=False, method=DEFAULT_METHOD)


def edges_from(arguments: Mapping[str, object]) -> Edges:
    """What the arguments ask of the object's outline."""
    return Edges(_int(arguments["mask-growth"]), _float(arguments["edge-softness"]))


def layer_note(
    arguments: Mapping[str, object],
    metadata: Mapping[str, object],
    version: str,
    made_of: Trace = NOTHING,
    painting: Trace = NOTHING,
    style: Trace = NOTHING,
) -> bytes:
    """UTF-8 JSON for the result layer's parasite: what was asked, what the engine said, which plug-in and layers.

    A weight file's folder stays on this machine: the note travels with the saved image.
    """
    asked = dict(arguments)
    asked["weights"] = str(asked.get("weights", "")).replace("\\", "/").rsplit("/", 1)[-1]
    note = {
        "note": NOTE_VERSION,
        "plug-in": version,
        "arguments": asked,
        "layers": {"object": made_of.tattoo, "painting": painting.tattoo, "style": style.tattoo},
        "names": {"object": made_of.name, "painting": painting.name, "style": style.name},
        "result": dict(metadata),
    }
    return json.dumps(note, ensure_ascii=False, sort_keys=True, default=str).encode()


def read_note(data: bytes) -> Note | None:
    """What ``layer_note`` wrote; None where it is damaged or of another version: images come from anywhere."""
    try:
        raw = json.loads(data.rstrip(b"\0"))
        if raw["note"] != NOTE_VERSION:
            return None
        arguments = {str(name): value for name, value in raw["arguments"].items()}
        # Notes of before there was a choice of style have no word of it, nor older ones of names.
        tattoos, names = {"style": 0, **raw["layers"]}, raw.get("names", {})
        made_of, painting, style = (
            Trace(_tattoo(tattoos[of]), str(names.get(of, ""))) for of in ("object", "painting", "style")
        )
        return Note(arguments, made_of, painting, style, dict(raw.get("result", {})))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def warnings_in(metadata: Mapping[str, object]) -> list[str]:
    """What the engine wants the user to know about a result, such as that its network was never trained."""
    warnings = metadata.get("warnings")
    return [str(warning) for warning in warnings] if isinstance(warnings, list | tuple) else []


def new_seed() -> int:
    """Another seed than most."""
    return secrets.randbelow(2**31)


def _stylization(genre: str, number: float) -> float | str | None:
    if genre == NUMBER:
        return number or None
    return None if genre == AUTOMATIC else genre


def _size(asked: int) -> int | None:
    return max(asked, MIN_SIZE) if asked > 0 else None


def _int(value: object) -> int:
    return int(str(value))


def _tattoo(value: object) -> int:
    tattoo = _int(value)
    if not 0 <= tattoo < 1 << 32:
        raise ValueError
    return tattoo


def _float(value: object) -> float:
    return float(str(value))
