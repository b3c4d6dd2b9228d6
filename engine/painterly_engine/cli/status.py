"""``painterly status``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

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
        print("\n".join(f"{name}: {_brief(value)}" for name, value in facts.items() if value not in (None, "", {})))
    return 0


def engine_facts() -> dict[str, object]:
    """What the running engine says of itself.

    Raises:
        PainterlyError: as ``connect``.
    """
    with connect(client=CLIENT) as client:
        status = client.status()
    return {"state": status.state.value, "running": status.running, "queued": status.queued, **status.details}


def _brief(value: object) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {inner}" for name, inner in value.items() if inner is not None)
