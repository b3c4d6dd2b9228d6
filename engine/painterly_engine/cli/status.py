"""``painterly status``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

from painterly_protocol.client import connect
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import EngineState

CLIENT = "painterly-cli"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    status = commands.add_parser("status", help="what the engine is doing")
    status.set_defaults(run=show_status)
    status.add_argument("--json", action="store_true", help="as one JSON object")


def show_status(arguments: argparse.Namespace) -> int:
    """Exit status 0 when an engine runs, 1 (with a sentence) when none does."""
    try:
        facts = engine_facts()
    except PainterlyError as error:
        if not arguments.json:
            raise
        absent = error.code is ErrorCode.ENGINE_ABSENT
        state = EngineState.ABSENT.value if absent else "unknown"
        print(json.dumps({"state": state, "code": error.code.value, "sentence": error.sentence}))
        return 1
    if arguments.json:
        print(json.dumps(facts, default=str))
    else:
        print(
            "\n".join(
                line for name, value in facts.items() if value not in (None, "", {}) for line in _lines(name, value)
            )
        )
    return 0


def engine_facts() -> dict[str, object]:
    """What the running engine says of itself.

    Raises:
        PainterlyError: as ``connect``.
    """
    with connect(client=CLIENT) as client:
        status = client.status()
    return {"state": status.state.value, "running": status.running, "queued": status.queued, **status.details}


def _lines(name: str, value: object) -> list[str]:
    """One, or one for each of a group's: workers, users."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [f"{name} {number}: {_brief(each)}" for number, each in enumerate(value, 1)]
    if isinstance(value, Mapping) and value and all(isinstance(each, Mapping) for each in value.values()):
        return [f"{name}: {inner}: {_brief(each)}" for inner, each in value.items()]
    return [f"{name}: {_brief(value)}"]


def _brief(value: object) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    inner = ((name, each) for name, each in value.items() if each not in (None, {}))
    return ", ".join(
        f"{name} ({_brief(each)})" if isinstance(each, Mapping) else f"{name} {each}" for name, each in inner
    )
