"""``painterly demo``: the main job on the sample pictures, and a contact sheet to judge it by."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from painterly_engine.arrays import to_array, to_pixels
from painterly_engine.cli import harmonize
from painterly_engine.pictures import files
from painterly_engine.pictures.examples import EXAMPLES
from painterly_engine.pictures.files import Bytes, Picture
from painterly_engine.pictures.placement import apply, paste
from painterly_engine.pictures.sheet import contact_sheet, stack
from painterly_engine.pictures.sparing import spare
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import EngineMessage, Phase, Preview, Progress
from painterly_protocol.request import HarmonizeRequest, Parameters

SHEET = "contact-sheet.png"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("demo", help="harmonize the sample pictures and make a contact sheet")
    parser.set_defaults(run=run)
    parser.add_argument("--examples", type=Path, default=EXAMPLES, metavar="DIR", help="where examples.json lies")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo-output"), metavar="DIR")
    parser.add_argument("--inline", action="store_true", help="run in this process, without an engine")
    harmonize.add_parameters(parser)


def run(arguments: argparse.Namespace) -> int:
    index = arguments.examples / "examples.json"
    if not index.is_file():
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"There is no {index}.", "Run the demo from the project's folder."
        )
    examples, sheet = json.loads(index.read_text(encoding="utf-8")), arguments.output / SHEET
    read = [arguments.examples / example[role] for example in examples for role in ("painting", "object")]
    spare([sheet, *(_result_of(example, arguments) for example in examples)], read)
    arguments.output.mkdir(parents=True, exist_ok=True)
    sheets = [_run_example(example, arguments) for example in examples]
    files.write(sheet, Picture(stack(sheets)))
    print(f"{sheet}: painting, composite, mask, first pass and result of each example")
    return 0


def _run_example(example: dict[str, Any], arguments: argparse.Namespace) -> Bytes:
    """Write the result and return the example's row of the contact sheet."""
    painting = files.read_rgb(arguments.examples / example["painting"]).pixels
    cutout = files.read_rgba(arguments.examples / example["object"]).pixels
    pasted = paste(painting, cutout, (example["at"][0], example["at"][1]), example["scale"])
    request = HarmonizeRequest(
        painting=to_pixels(painting),
        composite=to_pixels(pasted.composite),
        mask=to_pixels(pasted.mask),
        parameters=_parameters(example, arguments),
    )
    first_pass = _LastPreviewOf(Phase.PASS_ONE)
    result = harmonize.run_shown(request, inline=arguments.inline, listener=first_pass)
    harmonized = apply(result, painting)
    output = _result_of(example, arguments)
    files.write(output, Picture(harmonized))
    print(harmonize.summary(result, output))
    row = [("painting", painting), ("composite", pasted.composite), ("mask", pasted.mask)]
    row += [("first pass", first_pass.picture)] if first_pass.picture is not None else []
    return contact_sheet([*row, ("harmonized", harmonized)])


def _result_of(example: dict[str, Any], arguments: argparse.Namespace) -> Path:
    return Path(arguments.output / f"{example['name']}.png")


def _parameters(example: dict[str, Any], arguments: argparse.Namespace) -> Parameters:
    """The command's options; the example's own stylization where none is given."""
    parameters = harmonize.parameters(arguments, previews=True)
    return parameters if parameters.stylization else replace(parameters, stylization=example["stylization"])


class _LastPreviewOf:
    """Listens to a job and keeps the last preview of one phase."""

    def __init__(self, phase: Phase) -> None:
        self._phase, self._now = phase, Phase.LOADING
        self.picture: Bytes | None = None

    def __call__(self, event: EngineMessage) -> None:
        if isinstance(event, Progress):
            self._now = event.phase
        elif isinstance(event, Preview) and self._now is self._phase:
            self.picture = np.array(to_array(event.picture))
