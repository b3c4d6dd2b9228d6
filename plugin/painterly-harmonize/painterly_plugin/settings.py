"""The procedure's arguments as the engine's ``Parameters``, and the note a result layer carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from painterly_protocol.request import MIN_SIZE, Parameters

PARASITE_NAME = "painterly-harmonize"
NOTE_VERSION = 1


def parameters_from(arguments: Mapping[str, object], *, previews: bool) -> Parameters:
    """Parameters from the procedure's arguments, where 0 and "" leave a value to the preset.

    A size from 1 up to the least becomes the least: GIMP's one range of numbers must hold the 0 too.

    Raises:
        PainterlyError: BAD_REQUEST for values that ``Parameters`` refuses.
    """
    return Parameters(
        preset=str(arguments["preset"]),
        size=_size(_int(arguments["size"])),
        iterations=_int(arguments["iterations"]) or None,
        stylization=float(str(arguments["stylization"])) or None,
        weights=str(arguments["weights"] or "auto"),
        seed=_int(arguments["seed"]),
        previews=previews,
    )


def layer_note(parameters: Parameters, metadata: Mapping[str, object], version: str) -> bytes:
    """UTF-8 JSON for the result layer's parasite: what was asked, what the engine said, which plug-in.

    A weight file's folder stays on this machine: the note travels with the saved image.
    """
    asked = asdict(parameters)
    del asked["previews"]
    asked["weights"] = parameters.weights.replace("\\", "/").rsplit("/", 1)[-1]
    note = {"note": NOTE_VERSION, "plug-in": version, "parameters": asked, "result": dict(metadata)}
    return json.dumps(note, ensure_ascii=False, sort_keys=True, default=str).encode()


def warnings_in(metadata: Mapping[str, object]) -> list[str]:
    """What the engine wants the user to know about a result, such as that its network was never trained."""
    warnings = metadata.get("warnings")
    return [str(warning) for warning in warnings] if isinstance(warnings, list | tuple) else []


def _size(asked: int) -> int | None:
    return max(asked, MIN_SIZE) if asked > 0 else None


def _int(value: object) -> int:
    return int(str(value))
