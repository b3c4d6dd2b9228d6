"""``painterly bench``: time, memory and growth of the presets on this machine, beside what peers published."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from painterly_engine.device import AUTO, DEVICES
from painterly_protocol.request import PRESETS

RESULTS, PLOT = "bench.json", "bench.svg"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("bench", help="time the presets on this machine, beside what peers published")
    parser.set_defaults(run=run)
    parser.add_argument("-o", "--output", type=Path, default=Path("bench"), metavar="FOLDER", help="default: bench")
    parser.add_argument(
        "--suite",
        choices=("usual", "large", "engine", "gpu", "video"),
        default="usual",
        help="large: memory of 4096 px over time; engine: cold and warm starts; gpu: full VGG-19 at 700 and 4096 px, "
        "TF32 and bfloat16; "
        "video: a clip with and without what steadies it",
    )
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--sizes", nargs="+", type=_positive, default=[256, 512], metavar="N", help="paintings' sides")
    parser.add_argument(
        "--iterations", type=_positive, default=20, metavar="N", help="of published; its 1000 are projected from them"
    )
    parser.add_argument("--repeats", type=_positive, default=1, metavar="N", help="of the trials of growth")
    parser.add_argument("--weights", default="slim", metavar="NAME", help="or random-vgg19, as wide and deep as VGG-19")
    parser.add_argument("--device", choices=DEVICES, default=AUTO, help="default: the best at hand")
    parser.add_argument("--threads", type=_positive, default=min(2, os.cpu_count() or 1), help="of the CPU")


def run(arguments: argparse.Namespace) -> int:
    if arguments.suite == "video":
        return _video(arguments)
    from painterly_engine.bench import suites
    from painterly_engine.bench.plot import plot

    options = suites.Options(
        presets=arguments.presets,
        sizes=arguments.sizes,
        iterations=arguments.iterations,
        repeats=arguments.repeats,
        weights=arguments.weights,
        device=arguments.device,
        threads=arguments.threads,
    )
    suite = suites.SUITES[arguments.suite]
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    found = suite(options, lambda name: print(f"{name} …", file=sys.stderr))
    (folder / RESULTS).write_text(json.dumps(found, indent=1), encoding="utf-8")
    written = [folder / RESULTS]
    if arguments.suite != "engine":
        (folder / PLOT).write_text(plot(found), encoding="utf-8")
        written.append(folder / PLOT)
    print("\n".join([*_lines(found), *found.get("failed", ()), ", ".join(map(str, written))]))
    return 1 if found.get("failed") else 0


def _video(arguments: argparse.Namespace) -> int:
    from painterly_engine.video.trial import RESULTS, STRIP, run_trials

    folder: Path = arguments.output
    for row in run_trials(folder, lambda name: print(f"{name} …", file=sys.stderr), arguments.device):
        print(
            f"{row['name']}, steadiness {row['steadiness']:g}: {row['seconds_each']:.2f} s a frame "
            f"({row['work_each']:.2f} s of a processor), flicker {row['flicker']:.2f}"
        )
    print(f"{folder / RESULTS}, {folder / STRIP}")
    return 0


def _lines(found: Mapping[str, Any]) -> list[str]:
    if "large" in found:
        return [_large(found["large"])]
    if "engine" in found:
        return _engine(found["engine"])
    lines = [f"{found['machine']['matrix_flops'] / 1e9:.0f} GFLOP/s in matrix products"]
    lines += [_line(row) for row in found["presets"]]
    lines += [f"{peer['name']} at {peer['size']} px: {peer['seconds']:g} s" for peer in found.get("peers", ())]
    for rows in found.get("growth", {}).values():
        lines += [f"{_line(row)}; {_times(row['times_the_first'])}" for row in rows]
    lines += [line for row in found.get("agreement", ()) for line in _agreement(row)]
    return [*lines, _matching(found["matching"])] if "matching" in found else lines


def _large(found: Mapping[str, Any]) -> str:
    trial, peak = found["trial"], found["peak"]
    size = f"{trial['width']} × {trial['height']} px, object of {trial['object_side']} px, {trial['preset']}"
    held = "" if peak is None else f", {peak / 1e6:.0f} MB at most, {found['before'] / 1e6:.0f} MB before it began"
    return f"{size}: {found['total']:.1f} s{held}"


def _engine(found: Mapping[str, Any]) -> list[str]:
    lines = [
        f"from nothing to HELLO: {found['hello']:.2f} s, to the first iteration: {found['cold_first_iteration']:.2f} s",
        f"warm, from submitting to the worker's first word: {1000 * found['warm_first_word']:.0f} ms, to the first "
        f"iteration: {1000 * found['warm_first_iteration']:.0f} ms; without an engine "
        f"{1000 * found['alone_first_iteration']:.0f} ms",
        f"all before the first features, handing over included: {1000 * found['overhead']:.0f} ms",
    ]
    if found["held_warm"] and found["held_unloaded"]:
        lines.append(f"memory warm {found['held_warm'] / 1e6:.0f} MB, idle {found['held_unloaded'] / 1e6:.0f} MB")
    return lines


def _matching(found: Mapping[str, Any]) -> str:
    same, likeness = found["same_match_inside_object"], found["score_share_inside_object"]
    return (
        f"matching at {found['size']} px: exact {found['exact_seconds']:.1f} s, coarse to fine "
        f"{found['coarse_seconds']:.1f} s; in the object {same:.0%} the same matches, {likeness:.1%} of their likeness"
    )


def _agreement(row: Mapping[str, Any]) -> list[str]:
    """A line for each manner."""
    return [
        f"{row['trial']['name']}, {manner}: {told['seconds']:.2f} s; "
        + ("the same bytes" if told["same_bytes"] else f"{told['mean_off']:.2f} of 255 off, {told['most_off']} at most")
        + "".join(f"; {name} {value:.3f}" for name, value in told["figures"].items() if value is not None)
        for manner, told in row["manners"].items()
    ]


def _line(row: Mapping[str, Any]) -> str:
    rates = ", ".join(f"{phase} {rate:.2f} it/s" for phase, rate in row["iterations_per_second"].items())
    shares = ", ".join(f"{100 * share:.0f} %" for share in row["matrix_share"].values())
    peak = "" if row["peak"] is None else f"; {row['peak'] / 1e6:.0f} MB"
    worked = " × ".join(map(str, row["working_size"]))
    return (
        f"{row['trial']['name']}: {row['seconds_in_full']:.1f} s; {rates} ({shares} of matrix products){peak}; "
        f"worked at {worked} px"
    )


def _times(ratios: Mapping[str, float]) -> str:
    return ", ".join(f"{what.replace('_', ' ')} {ratio:.2f}×" for what, ratio in ratios.items())


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("give a number above 0")
    return number
