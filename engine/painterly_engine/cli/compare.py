"""``painterly compare``: methods, networks and settings side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from painterly_engine.cli import harmonize
from painterly_engine.compare.variants import KNOWN, METHODS, PASSES, PASTED, Variant, variants
from painterly_engine.pictures.files import Picture, read_rgb, write
from painterly_engine.pictures.sparing import spare
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import PRESETS

if TYPE_CHECKING:
    from painterly_engine.compare.running import Subject

OPTIONS = (
    *("weights", "device", "preset", "iterations", "ratio", "content_layer", "style_layers", "pooling", "optimizer"),
    *("noise", "strength", "alpha"),
)
"""What may differ, by the names that variants have for it."""
GRID, TABLE, PAGE = "grid.png", "compare.csv", "compare.html"
LOSSES, CURVES = "losses.csv", "losses.svg"
CUDA = "cuda"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "compare", help="methods, networks and settings side by side: pictures, times, figures"
    )
    parser.set_defaults(run=run)
    harmonize.add_places(parser.add_argument_group("an object in a painting"), required=False)
    whole = parser.add_argument_group("or a whole picture")
    whole.add_argument("--content", type=Path, metavar="FILE", help="what is painted")
    whole.add_argument("--style", type=Path, metavar="FILE", help="in whose manner")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="made if it is not there")
    axes = parser.add_argument_group("what is compared: every combination of")
    axes.add_argument("--methods", nargs="+", choices=METHODS, help="default: global; an object: pasted two-pass")
    axes.add_argument("--weights", nargs="+", metavar="NAME", help="networks; random-vgg16 and random-vgg19 for timing")
    axes.add_argument("--devices", nargs="+", dest="device", metavar="NAME", help="cpu, cuda")
    axes.add_argument("--presets", nargs="+", dest="preset", choices=PRESETS, help="of two-pass and pass-one")
    axes.add_argument("--iterations", nargs="+", type=int, metavar="N")
    axes.add_argument("--ratios", nargs="+", type=float, dest="ratio", metavar="R", help="content against style")
    axes.add_argument("--content-layers", nargs="+", dest="content_layer", metavar="LAYER", help="for example 2_2 4_2")
    axes.add_argument("--style-layers", nargs="+", metavar="LAYERS", help="for example 1_1 1_1,2_1")
    axes.add_argument("--poolings", nargs="+", dest="pooling", choices=("max", "average"))
    axes.add_argument("--optimizers", nargs="+", dest="optimizer", choices=("lbfgs", "adam"))
    axes.add_argument(
        "--noises", nargs="+", type=float, dest="noise", metavar="0..1", help="share of noise at the start"
    )
    axes.add_argument("--strengths", nargs="+", type=float, dest="strength", metavar="0..1", help="of two-pass")
    axes.add_argument("--alphas", nargs="+", type=float, dest="alpha", metavar="0..1", help="of adain")
    parser.add_argument("--size", type=int, metavar="N", help="working size of all of them")
    parser.add_argument("--seed", type=int, default=0, metavar="N")


def run(arguments: argparse.Namespace) -> int:
    from painterly_engine.cli.shown import shown
    from painterly_engine.compare import page
    from painterly_engine.compare.running import Bench

    subject = _subject(arguments)
    chosen, notes = _variants(arguments)
    folder: Path = arguments.output
    pictures = [folder / _named(number, variant) for number, variant in enumerate(chosen, start=1)]
    others = [folder / name for name in (GRID, TABLE, LOSSES, CURVES, PAGE)]
    spare([*pictures, *others], [*harmonize.places(arguments), arguments.content, arguments.style])
    _make(folder)
    outcomes = []
    with shown() as observer:

        def told(variant: Variant) -> None:
            observer.begin()
            print(f"{variant.name} …", file=sys.stderr)

        bench = Bench(subject, arguments.size, arguments.seed, observer)
        for outcome in bench.run_all(chosen, told):
            outcomes.append(outcome)
            write(pictures[len(outcomes) - 1], Picture(outcome.picture))
    rows = page.table(outcomes)
    write(folder / GRID, Picture(page.grid(page.tiles(subject, outcomes))))
    (folder / TABLE).write_text(page.as_csv(rows), encoding="utf-8")
    (folder / LOSSES).write_text(page.losses_table(outcomes), encoding="utf-8")
    (folder / CURVES).write_text(page.drawing(outcomes), encoding="utf-8")
    (folder / PAGE).write_text(page.page(folder.resolve().name, subject, outcomes, notes), encoding="utf-8")
    print(_as_text(rows))
    print("\n".join([*notes, ", ".join(str(folder / name) for name in (PAGE, GRID, TABLE, LOSSES, CURVES))]))
    return 0


def _named(number: int, variant: Variant) -> str:
    name = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in variant.name)
    return f"{number:02}-{name}.png"


def _subject(arguments: argparse.Namespace) -> Subject:
    from painterly_engine.compare.running import Subject

    whole = arguments.content is not None or arguments.style is not None
    if whole == (arguments.painting is not None) or (whole and None in (arguments.content, arguments.style)):
        raise _bad("It is not clear what is to be painted.", "Give --content and --style, or --painting and --object.")
    if whole:
        return Subject(read_rgb(arguments.content).pixels, read_rgb(arguments.style).pixels)
    if arguments.composite is None and arguments.object is None:
        raise _bad("There is no object in the painting.", "Give --object, or --composite and --mask.")
    painting = read_rgb(arguments.painting).pixels
    pasted = harmonize.composite_of(arguments, painting)
    return Subject(pasted.composite, painting, pasted.mask)


def _variants(arguments: argparse.Namespace) -> tuple[list[Variant], list[str]]:
    """And what was left out, in words."""
    whole = arguments.content is not None
    methods = arguments.methods or (["global"] if whole else [PASTED, "two-pass"])
    strange = sorted({*PASSES, "local"} & set(methods)) if whole else []
    if strange:
        raise _bad(f"The method {strange[0]} needs an object in a painting.", "Give --painting and --object.")
    axes = {name: getattr(arguments, name) for name in OPTIONS if getattr(arguments, name) is not None}
    for name in axes:
        if not any(name in KNOWN[method] for method in methods):
            raise _bad(f"None of these methods knows {name.replace('_', ' ')}.", "Leave it out, or name other methods.")
    notes = _without_missing_devices(axes)
    return variants(methods, axes), notes


def _without_missing_devices(axes: dict[str, list[str]]) -> list[str]:
    import torch

    if "device" not in axes or torch.cuda.is_available():
        return []
    there = [name for name in axes["device"] if not name.startswith(CUDA)]
    if there == axes["device"]:
        return []
    axes["device"] = there or ["cpu"]
    return ["There is no graphics card here that torch can use: only the CPU was timed."]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{folder} cannot be made: {error.strerror}.", "Choose another folder."
        ) from error


def _as_text(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
