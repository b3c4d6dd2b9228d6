"""``painterly stylize``: the field's other methods, in this process."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from painterly_engine.cli import watching
from painterly_engine.pictures.files import Picture, check_writable, read_mask, read_rgb, write
from painterly_engine.pictures.sparing import spare
from painterly_engine.progress import Observer

if TYPE_CHECKING:
    from painterly_engine.stylizing.method import Method

METHODS = ("global", "local", "multi-style", "adain")
OPTIONS = (
    *("iterations", "ratio", "content_layer", "style_layers", "content_loss", "variation", "histogram", "noise"),
    *("pooling", "optimizer", "seed", "dilation", "local_share", "edge", "weights", "combine", "alpha", "layer"),
)
"""Those that belong to a method, by the names of its attributes."""


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("stylize", help="paint a picture, or a part of it, in the manner of others")
    parser.set_defaults(run=run)
    parser.add_argument("--method", choices=METHODS, default="global", help="default: global")
    pictures = parser.add_argument_group("pictures")
    pictures.add_argument("--content", type=Path, required=True, metavar="FILE", help="what is to be painted")
    pictures.add_argument(
        "--style", type=Path, required=True, action="append", metavar="FILE", help="whose manner; several: again"
    )
    pictures.add_argument("--mask", type=Path, metavar="FILE", help="white where to paint (default: everywhere)")
    pictures.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the result")
    add_options(parser)
    watching.add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """All that is chosen beside the pictures; what is not given is left to the method."""
    group = parser.add_argument_group("how")
    add = _Left(group)
    add("--size", int, "N", "the content's longest side to work at (default: 512, adain: 1024)")
    add("--style-scale", float, "S", "size of the paintings' strokes against the content's (default: 1)")
    add("--weights", str, "NAME|FILE", "the feature network (default: auto)", to="network")
    add("--iterations", int, "N", "default: 200")
    add("--ratio", float, "R", "content against style: 1 keeps most, 1e-4 next to nothing (default: 0.1)")
    add("--content-layer", str, "LAYER", "whose features are kept, for example 4_2 or 5_1 (default: 4_2)")
    add("--style-layers", str, "LAYERS", "whose Gram matrices are imitated (default: 1_1,2_1,3_1,4_1,5_1)")
    add("--content-loss", str, "mse|ncc", "ncc leaves brightness and contrast free (default: mse)")
    add("--tv", float, "W", "weight of smoothness (default: 0.001)", to="variation")
    add("--histogram", float, "W", "weight of the channels' histograms (default: 0)")
    add("--noise", float, "0..1", "share of noise to start from (default: 0; Gatys et al.: 1)")
    add("--pooling", str, "max|average", "of the network (default: max)")
    add("--optimizer", str, "lbfgs|adam", "default: lbfgs")
    add("--seed", int, "N", "of the noise")
    some = _Left(parser.add_argument_group("local"))
    some("--dilation", int, "PX", "how far the mask is grown (default: 3)")
    some("--local-share", float, "0..1", "of the painting's manner at the mask's place in all of it (default: 0.5)")
    some("--edge", float, "PX", "softness of the edge (default: 1.5)")
    some = _Left(parser.add_argument_group("multi-style and adain"))
    some("--weight", float, "W", "of each --style in turn: again for each", to="weights", action="append")
    some("--combine", str, "mean|sum|losses", "multi-style: mix Gram matrices, or add each painting's own loss")
    some("--alpha", float, "0..1", "adain: 0 is the content itself (default: 1)")
    some("--layer", str, "LAYER", "adain: 3_1, or 4_1, which changes more (default: 3_1)")


class _Left:
    """Adds options that are None where the user leaves them."""

    def __init__(self, group: argparse._ArgumentGroup) -> None:
        self.group = group

    def __call__(
        self, name: str, kind: Callable[[str], object], metavar: str, words: str, *, to: str = "", action: str = "store"
    ) -> None:
        place = to or name.removeprefix("--").replace("-", "_")
        self.group.add_argument(name, type=kind, metavar=metavar, help=words, dest=place, action=action)


def method_of(arguments: argparse.Namespace) -> Method:
    """
    Raises:
        PainterlyError: BAD_REQUEST for values that cannot be used, or that this method does not know.
    """
    from painterly_engine.stylizing.method import make

    given = {name: getattr(arguments, name) for name in OPTIONS}
    return make(arguments.method, {name: value for name, value in given.items() if value is not None})


def run(arguments: argparse.Namespace) -> int:
    check_writable(arguments.output)
    read = [arguments.content, *arguments.style, arguments.mask]
    spare([arguments.output, *watching.written(arguments, read)], read)
    watched = watching.watcher(arguments)
    method = method_of(arguments)
    content = read_rgb(arguments.content)
    for note in content.notes:
        print(f"{arguments.content}: {note}", file=sys.stderr)
    paintings = [read_rgb(path).pixels for path in arguments.style]
    mask = None if arguments.mask is None else read_mask(arguments.mask)

    from painterly_engine.cli.shown import shown
    from painterly_engine.device import careful, shelf
    from painterly_engine.stylizing.picture import prepared, stylize_picture

    started, networks, weights = time.monotonic(), shelf(), arguments.network or "auto"
    with shown() as bar, careful():
        observer: Observer = bar
        if watched is not None:
            watched.inner, observer = bar, watched
        found = stylize_picture(
            content.pixels,
            paintings,
            method,
            networks,
            mask=mask,
            weights=weights,
            size=arguments.size,
            style_scale=arguments.style_scale or 1.0,
            observer=observer,
        )
    write(arguments.output, Picture(found, content.profile))
    if watched is not None:
        watching.finish(watched, arguments, found)
    network = prepared(method, networks, weights).name
    print(f"{arguments.output}: {arguments.method}, network {network}, {time.monotonic() - started:.1f} s")
    return 0
