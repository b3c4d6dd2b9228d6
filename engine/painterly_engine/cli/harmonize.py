"""``painterly harmonize``."""

from __future__ import annotations

import argparse
import math
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from painterly_engine.arrays import to_pixels
from painterly_engine.cli import watching
from painterly_engine.cli.display import display
from painterly_engine.device import DEVICES, VARIABLE
from painterly_engine.network.naming import network_name
from painterly_engine.pictures.files import Bytes, Picture, check_writable, read_mask, read_rgb, read_rgba, write
from painterly_engine.pictures.placement import Pasted, apply, paste
from painterly_engine.pictures.sparing import spare
from painterly_engine.report.record import check_free
from painterly_engine.report.recorder import Recorder
from painterly_engine.report.watching import Watcher
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import EngineMessage, Priority, Result
from painterly_protocol.request import DEFAULT_METHOD, DEFAULT_PRESET, METHODS, PRESETS, HarmonizeRequest, Parameters

Runner = Callable[[HarmonizeRequest, Callable[[EngineMessage], None]], Result]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("harmonize", help="make the object in a painting look painted")
    parser.set_defaults(run=run)
    pictures = parser.add_argument_group("pictures")
    add_places(pictures)
    pictures.add_argument("--loose-mask", type=Path, metavar="FILE", help="where pixels may change (default: computed)")
    add_style(pictures)
    pictures.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the result")
    add_parameters(parser)
    parser.add_argument("--inline", action="store_true", help="run in this process, without an engine")
    parser.add_argument("--device", choices=DEVICES, help="to compute on (implies --inline; an engine has its own)")
    parser.add_argument(
        "--priority",
        choices=[priority.value for priority in Priority],
        default=Priority.NORMAL.value,
        help="whose turn it is in the engine; batch lets others go first (default: %(default)s)",
    )
    parser.add_argument(
        "--record", type=Path, metavar="FOLDER", help="keep everything for 'painterly report' (implies --inline)"
    )
    watching.add_options(parser)


def add_places(pictures: argparse._ArgumentGroup, *, required: bool = True) -> None:
    """The painting, the object and where it goes: what ``composite_of`` reads."""
    pictures.add_argument("--painting", type=Path, required=required, metavar="FILE", help="the painting alone")
    either = pictures.add_mutually_exclusive_group(required=required)
    either.add_argument("--composite", type=Path, metavar="FILE", help="the painting with the object pasted in")
    either.add_argument("--object", type=Path, metavar="FILE", help="the object, to be pasted in")
    pictures.add_argument("--mask", type=Path, metavar="FILE", help="white where the object is (default: its alpha)")
    pictures.add_argument("--at", type=position, metavar="X,Y", help="the object's top left corner (default: centred)")
    pictures.add_argument("--scale", type=scale, metavar="S", help="size factor of the object (default: 1)")


def places(arguments: argparse.Namespace) -> list[Path | None]:
    """The files of ``add_places``."""
    return [arguments.painting, arguments.composite, arguments.object, arguments.mask]


def add_style(pictures: argparse._ArgumentGroup) -> None:
    """What is imitated."""
    pictures.add_argument("--style", type=Path, metavar="FILE", help="imitate this picture instead of the painting")
    pictures.add_argument(
        "--style-mask", type=Path, metavar="FILE", help="white where the style may be taken from (default: everywhere)"
    )


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """The options that become ``Parameters``."""
    group = parser.add_argument_group("how")
    group.add_argument(
        "--method", choices=METHODS, default=DEFAULT_METHOD, help=f"of painting (default: {DEFAULT_METHOD})"
    )
    group.add_argument("--preset", choices=PRESETS, default=DEFAULT_PRESET, help=f"default: {DEFAULT_PRESET}")
    group.add_argument(
        "--size",
        type=int,
        metavar="N",
        help="working size in pixels: longest side of the object with its surroundings; with published, of the picture",
    )
    group.add_argument("--iterations", type=int, metavar="N", help="iterations at each scale, or of each pass")
    group.add_argument(
        "--strength", type=float, default=0.5, metavar="0..1", help="how far the object is repainted (default: 0.5)"
    )
    group.add_argument(
        "--detail", type=float, default=0.5, metavar="0..1", help="how much of its own detail it keeps (default: 0.5)"
    )
    group.add_argument(
        "--stylization",
        type=_number_or_name,
        metavar="FLOAT|GENRE|auto",
        help="how strongly the painting is stylized: 1 (realism, baroque) to 10 (cubism, expressionism), or its genre; "
        "default: auto, estimated from it",
    )
    group.add_argument("--weights", default="auto", metavar="NAME|FILE", help="the feature network")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the search for strokes")


def parameters(arguments: argparse.Namespace, *, previews: bool = False) -> Parameters:
    """The options as the protocol's dataclass."""
    return Parameters(
        preset=arguments.preset,
        size=arguments.size,
        iterations=arguments.iterations,
        stylization=arguments.stylization,
        strength=arguments.strength,
        detail=arguments.detail,
        weights=network_name(arguments.weights),
        seed=arguments.seed,
        previews=previews,
        method=arguments.method,
    )


def run(arguments: argparse.Namespace) -> int:
    check_writable(arguments.output)
    read = [*places(arguments), arguments.loose_mask, arguments.style, arguments.style_mask]
    spare([arguments.output, *watching.written(arguments, read)], read)
    if arguments.record is not None:
        results = (arguments.output, arguments.film, arguments.losses, arguments.snapshots)
        _check_record(arguments.record, [path for path in results if path is not None])
    watched = watching.watcher(arguments)
    painting = read_rgb(arguments.painting)
    for note in painting.notes:
        print(f"{arguments.painting}: {note}", file=sys.stderr)
    pasted = composite_of(arguments, painting.pixels)
    loose = None if arguments.loose_mask is None else to_pixels(read_mask(arguments.loose_mask))
    request = HarmonizeRequest(
        painting=to_pixels(painting.pixels),
        composite=to_pixels(pasted.composite),
        mask=to_pixels(pasted.mask),
        loose_mask=loose,
        style=None if arguments.style is None else to_pixels(read_rgb(arguments.style).pixels),
        style_mask=None if arguments.style_mask is None else to_pixels(read_mask(arguments.style_mask)),
        parameters=parameters(arguments),
    )
    recorder = None if arguments.record is None else Recorder()
    heard_by = [one for one in (recorder, watched) if one is not None]
    inline = arguments.inline or arguments.device is not None
    if arguments.device:
        os.environ[VARIABLE] = arguments.device
    result = run_shown(request, inline=inline, heard_by=heard_by, priority=Priority(arguments.priority))
    harmonized = Picture(apply(result, painting.pixels), painting.profile)
    write(arguments.output, harmonized)
    print(summary(result, arguments.output))
    if watched is not None:
        watching.finish(watched, arguments, harmonized.pixels)
    if recorder is not None:
        _keep(arguments.record, request, harmonized, result, recorder)
    return 0


def _check_record(folder: Path, results: Sequence[Path]) -> None:
    check_free(folder)
    for result in results:
        if folder.resolve() in (result.resolve(), *result.resolve().parents):
            raise PainterlyError(
                ErrorCode.BAD_REQUEST,
                f"The result {result} cannot lie in the record's folder {folder}, which is filled at the end.",
                "Write it beside that folder; the record holds a copy of the picture.",
            )


def _keep(folder: Path, request: HarmonizeRequest, harmonized: Picture, result: Result, recorder: Recorder) -> None:
    from painterly_engine.report.keeping import keep

    keep(folder, request, harmonized.pixels, result.metadata, recorder, harmonized.profile)
    print(f"{folder}: the run's record. To see it: painterly report {shlex.quote(str(folder))}")


def run_shown(
    request: HarmonizeRequest,
    *,
    inline: bool,
    listener: Callable[[EngineMessage], None] | None = None,
    heard_by: Sequence[Recorder | Watcher] = (),
    priority: Priority = Priority.NORMAL,
) -> Result:
    """Run the job with its progress on standard error; Ctrl+C cancels it. Where others listen it runs in this
    process, where no other job waits and ``priority`` means nothing.

    Raises:
        PainterlyError: whatever the job ended in instead of a result.
    """
    with display() as shown:

        def on_event(event: EngineMessage) -> None:
            shown.show(event)
            if listener is not None:
                listener(event)

        return _runner(inline, heard_by, priority)(request, on_event)


def summary(result: Result, output: Path) -> str:
    """What was done with which network, in a line or two, and remarks; nothing of what the method does not know."""
    about = result.metadata
    network, seconds, stylization = about["network"], about["seconds"], about["stylization"]
    assert isinstance(network, dict) and isinstance(seconds, dict) and isinstance(stylization, dict)
    layers = network["layers"]
    remarks = [about.get("notes"), about.get("warnings")]
    assert isinstance(about["working_size"], Sequence)
    facts = [
        f"network {network['name']} ({layers[0]} to {layers[-1]})",
        f"working size {' × '.join(map(str, about['working_size']))} px",
        *([f"{about['iterations']} iterations each"] if about["iterations"] else []),
        f"{sum(seconds.values()):.1f} s",
    ]
    lines = [
        f"{output}: {', '.join(facts)}",
        *([f"stylization {stylization['value']:g}: {stylization['reason']}"] if stylization["value"] else []),
        *(remark for group in remarks if isinstance(group, list) for remark in group),
    ]
    return "\n".join(lines)


def _runner(inline: bool, heard_by: Sequence[Recorder | Watcher], priority: Priority) -> Runner:
    if inline or heard_by:
        from painterly_engine.cli.inline import run_inline

        return partial(run_inline, heard_by=heard_by)
    from painterly_engine.cli.engine import run_in_engine

    return partial(run_in_engine, priority=priority)


def composite_of(arguments: argparse.Namespace, painting: Bytes) -> Pasted:
    """Composite and mask of the painting's size from either form of the command."""
    if arguments.composite is not None:
        if arguments.at is not None or arguments.scale is not None:
            raise PainterlyError(
                ErrorCode.BAD_REQUEST, "In a composite the object has its place.", "Leave out --at and --scale."
            )
        if arguments.mask is None:
            raise PainterlyError(
                ErrorCode.BAD_REQUEST, "A composite needs a mask.", "Give --mask, or the object alone with --object."
            )
        return Pasted(read_rgb(arguments.composite).pixels, read_mask(arguments.mask))
    cutout = read_rgba(arguments.object).pixels
    if arguments.mask is None and cutout[..., 3].min() == 255:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "The object has no transparency, so its outline is unknown.",
            "Cut it out, or give --mask.",
        )
    if arguments.mask is None:
        return paste(painting, cutout, arguments.at, arguments.scale or 1.0)
    return _paste_masked(painting, cutout, read_mask(arguments.mask), arguments)


def _paste_masked(painting: Bytes, cutout: Bytes, mask: Bytes, arguments: argparse.Namespace) -> Pasted:
    """A mask of the object's size moves with the object; one of the painting's size stays where it is."""
    if mask.shape == cutout.shape[:2]:
        alpha = np.rint(cutout[..., 3] * (mask / 255)).astype(np.uint8)
        return paste(painting, np.dstack([cutout[..., :3], alpha]), arguments.at, arguments.scale or 1.0)
    if mask.shape != painting.shape[:2]:
        raise PainterlyError(
            ErrorCode.SIZE_MISMATCH,
            f"The mask is {mask.shape[1]}×{mask.shape[0]} px, neither the object's nor the painting's size.",
            "Give a mask of one of these sizes.",
        )
    pasted = paste(painting, cutout, arguments.at, arguments.scale or 1.0)
    kept = (mask / 255 * (pasted.mask / 255))[..., None]
    composite = np.rint(painting + (mask / 255)[..., None] * (pasted.composite.astype(np.float32) - painting))
    return Pasted(composite.astype(np.uint8), np.rint(255 * kept[..., 0]).astype(np.uint8))


def position(text: str) -> tuple[int, int]:
    """ "X,Y" of an option."""
    found = re.fullmatch(r"(-?\d+),(-?\d+)", text)
    if found is None:
        raise argparse.ArgumentTypeError("give X,Y, for example 320,410")
    return int(found[1]), int(found[2])


def scale(text: str) -> float:
    """A size factor of an option."""
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not 0 < scale < math.inf:
        raise argparse.ArgumentTypeError("give a number above 0, for example 0.5")
    return scale


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
