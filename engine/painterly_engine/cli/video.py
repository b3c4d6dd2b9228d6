"""``painterly video``: a video painted in the manner of a painting; run again, it goes on where it was stopped."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from painterly_engine.pictures.files import read_rgb
from painterly_engine.pictures.sparing import spare
from painterly_engine.service import command
from painterly_protocol.errors import ErrorCode, PainterlyError

if TYPE_CHECKING:
    from painterly_engine.pictures.files import Bytes
    from painterly_engine.video.keeping import Keeper
    from painterly_engine.video.making import Made
    from painterly_engine.video.masks import Masks

METHODS = ("adain", "two-pass")
PRESETS = ("draft", "standard", "high")
STEADINESS = 0.8
EVERY = 10  # frames, from line to line where there is no terminal


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "video",
        help="paint a video",
        epilog="Stopped and run again, it goes on where it was.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("video", type=Path, metavar="VIDEO")
    parser.add_argument("--painting", type=Path, required=True, metavar="FILE", help="whose manner is imitated")
    parser.add_argument(
        "--masks", type=Path, metavar="FOLDER", help="a mask for each frame, or one for all: only there is painted"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4", help="the painted video")
    parser.add_argument("--method", choices=METHODS, default=METHODS[0], help="adain is fast (default: %(default)s)")
    parser.add_argument(
        "--steadiness",
        type=_share,
        default=STEADINESS,
        metavar="0..1",
        help="how much is carried over from frame to frame; 0 paints every frame for itself (default: %(default)s)",
    )
    parser.add_argument("--strength", type=_share, metavar="0..1", help="how far it is repainted")
    parser.add_argument("--detail", type=_share, default=0.5, metavar="0..1", help="how much own detail stays")
    parser.add_argument("--size", type=int, metavar="N", help="longest side that is worked at, in pixels")
    parser.add_argument("--preset", choices=PRESETS, default=PRESETS[0], help="of two-pass (default: %(default)s)")
    parser.add_argument("--iterations", type=int, metavar="N", help="of two-pass, at each scale of a first frame")
    parser.add_argument("--weights", default="auto", metavar="NAME|FILE", help="the feature network of two-pass")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--quality", type=int, default=16, metavar="CRF", help="0 is best, 51 smallest (default: 16)")
    parser.add_argument("--frames", type=int, metavar="N", help="paint only the first N, to try settings")
    parser.add_argument(
        "--work", type=Path, metavar="FOLDER", help="keeps finished frames (default: beside OUT until that is whole)"
    )
    cluster = parser.add_argument_group("shots side by side on a cluster (docs/cluster.md)")
    cluster.add_argument("--backend", choices=command.BACKENDS, default=command.BACKENDS[0], help="(%(default)s)")
    command.add_cluster(cluster)


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    painting = read_rgb(arguments.painting).pixels
    from painterly_engine.video.choosing import painter_of
    from painterly_engine.video.files import libraries
    from painterly_engine.video.flow import Flow
    from painterly_engine.video.keeping import Keeper
    from painterly_engine.video.making import make_video
    from painterly_engine.video.masks import everywhere, masks_in

    libraries(), Flow()  # what is missing is said before a network is loaded
    masks = everywhere if arguments.masks is None else masks_in(arguments.masks)
    keeper = Keeper(arguments.work or arguments.output.with_name(f"{arguments.output.name}.frames"))
    painter, settings = painter_of(arguments, painting)
    with _Shown() as shown:
        if arguments.backend == "ray":
            _paint_elsewhere(arguments, painting, settings, keeper, masks)
        made = make_video(
            arguments.video,
            arguments.output,
            painter,
            masks,
            keeper,
            settings,
            arguments.steadiness,
            shown.told,
            arguments.quality,
            arguments.frames,
        )
    if arguments.work is None and arguments.frames is None:
        keeper.clear()
    print(_summary(arguments.output, made, painter.about))
    return 0


def _paint_elsewhere(
    arguments: argparse.Namespace, painting: Bytes, settings: str, keeper: Keeper, masks: Masks
) -> None:
    """All frames, into the keeper; what is done then finds them there."""
    from painterly_engine.cluster import access
    from painterly_engine.cluster.options import ClusterOptions

    access.check_installed()
    os.environ.update(access.environment(arguments.address))
    from painterly_engine.cluster.shots import Making, paint_shots
    from painterly_engine.video.files import Source

    options = ClusterOptions(arguments.address, arguments.gpus_each, arguments.cpus_each)
    making = Making(arguments, painting, settings, arguments.steadiness, keeper)
    with Source(arguments.video) as source:
        asked = islice(source.read(lambda _packet: None), arguments.frames)
        frames = ((frame, masks(frame)) for frame in asked)
        paint_shots(frames, making, options, command.most_workers(arguments), _count)


def _count(painted: int) -> None:
    if painted % EVERY == 0:
        print(f"{painted} frames painted on the cluster", file=sys.stderr, flush=True)


def _check(arguments: argparse.Namespace) -> None:
    output: Path = arguments.output
    _check_cluster(arguments)
    if output.suffix.lower() not in {".mp4", ".mkv", ".mov", ".m4v"}:
        raise _bad(f"{output.name} does not end in a video format.", "Use .mp4, .mkv or .mov.")
    spare([output], [arguments.video, arguments.painting])
    if not output.parent.is_dir():
        raise _bad(f"There is no folder {output.parent}.", "Make it, or choose another --output.")
    if not 0 <= arguments.quality <= 51:
        raise _bad(f"A quality of {arguments.quality} cannot be used.", "Choose 0 (best) to 51 (smallest).")
    if arguments.frames is not None and arguments.frames < 1:
        raise _bad(f"{arguments.frames} frames make no video.", "Give --frames 1 or more.")
    if arguments.size is not None and not 64 <= arguments.size <= 8192:
        raise _bad(f"A working size of {arguments.size} px cannot be used.", "Choose 64 to 8192.")
    if arguments.iterations is not None and not 1 <= arguments.iterations <= 10_000:
        raise _bad(f"{arguments.iterations} iterations cannot be run.", "Choose 1 to 10000.")


def _check_cluster(arguments: argparse.Namespace) -> None:
    if arguments.backend != "ray" and (arguments.workers or arguments.address):
        raise _bad("A video is painted by one worker on this machine.", "Give --backend ray, or leave the options out.")
    if (arguments.address or "").startswith("ray://"):
        raise _bad(
            "A video cannot be painted through a ray:// address, which streams no frames.",
            "Run the command on one of the cluster's nodes, with --address auto.",
        )


def _summary(output: Path, made: Made, about: str) -> str:
    kept = f", {made.kept} of them painted before" if made.kept else ""
    pace = f"{made.seconds_each:.2f} s a frame" if made.frames > made.kept else "nothing left to paint"
    lines = [f"{output}: {made.frames} frames in {made.shots} shot{'s' * (made.shots != 1)}{kept}, {pace}", about]
    if made.flicker is not None:
        given, painted = made.unexplained
        lines.append(
            f"flicker {made.flicker:.2f} times the input's: {painted:.2f} against {given:.2f} of 255 change from frame "
            "to frame that no motion explains"
        )
    return "\n".join(lines)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("give a number from 0 to 1")
    return value


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)


class _Shown:
    """Frames done, on standard error: a bar on a terminal, now and then a line elsewhere."""

    def __enter__(self) -> _Shown:
        self._bar = tqdm(unit="frame", leave=False) if sys.stderr.isatty() else None
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def told(self, done: int, frames: int, kept: int) -> None:
        if self._bar is not None:
            self._bar.total = max(frames, done)
            self._bar.update(done - self._bar.n)
        elif done % EVERY == 0 or done == frames:
            before = f", {kept} of them painted before" if kept else ""
            print(f"{done} of {frames or 'an unknown number of'} frames{before}", file=sys.stderr, flush=True)
