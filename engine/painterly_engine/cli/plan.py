"""``painterly plan``: how many machines so many jobs need, and what gives out first when there are more."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from painterly_engine.planning.figures import picture_bytes, read_figures
from painterly_engine.planning.plot import plot
from painterly_engine.planning.simulation import Seen, simulate
from painterly_engine.planning.stations import DAY_S, Node, Work, first_beside_workers, limits, stations
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import DEFAULT_PRESET, PRESETS

PER_DAY = (1_000, 10_000, 100_000, 300_000, 600_000, 1_000_000)
HOUR_S = 3600.0


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("plan", help="how many machines so many jobs need")
    parser.set_defaults(run=run)
    parser.add_argument("--jobs", type=int, required=True, metavar="N")
    parser.add_argument("--size", type=int, default=1024, metavar="PIXELS", help="paintings' sides (%(default)s)")
    parser.add_argument("--preset", choices=PRESETS, default=DEFAULT_PRESET)
    parser.add_argument("--hours", type=float, default=24.0, metavar="H", help="in which they come (%(default)g)")
    parser.add_argument(
        "--figures", type=Path, metavar="FILE", help="bench.json of painterly bench, from such a machine"
    )
    node = parser.add_argument_group("each machine of the cluster")
    node.add_argument("--node-cores", type=int, default=Node.cores, metavar="N", help="(%(default)s)")
    node.add_argument("--node-memory", type=float, default=Node.memory / 1e9, metavar="GB", help="(%(default)g)")
    node.add_argument(
        "--node-gpus", type=int, default=1, metavar="N", help="where the figures are a GPU's (%(default)s)"
    )
    node.add_argument(
        "--node-store", type=float, default=Node.store / 1e9, metavar="GB", help="of its memory, Ray's (%(default)g)"
    )
    parser.add_argument(
        "--network", type=float, default=10.0, metavar="GBIT", help="a second, the engine's (%(default)g)"
    )
    parser.add_argument(
        "--engines", type=int, default=1, metavar="N", help="that share the cluster and the jobs (%(default)s)"
    )
    parser.add_argument(
        "--per-day",
        type=int,
        nargs="+",
        default=PER_DAY,
        metavar="N",
        help="rates that are simulated, with workers enough",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.svg", help="the simulation as a plot")


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    work = _work(arguments)
    if not work.workers_per_node:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"A worker needs {work.memory / 1e9:.1f} GB and {work.figures.threads} cores: none fits on such a machine.",
            "Give larger machines, or plan for a smaller size.",
        )
    print("\n".join(_needs(arguments, work)))
    seen = [simulate(stations(work, work.workers_for(rate)), rate) for rate in (n / DAY_S for n in arguments.per_day)]
    print("\n".join(["", *_table(work, seen)]))
    if arguments.output is not None:
        limit = first_beside_workers(limits(work, work.workers_for(seen[-1].rate)))
        arguments.output.write_text(plot(seen, f"{work.preset}, {work.side} px", limit), encoding="utf-8")
        print(f"{arguments.output}: open it in any browser")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    numbers = [value for value in vars(arguments).values() if isinstance(value, int | float)]
    if not all(number > 0 for number in [*numbers, *arguments.per_day]):
        raise PainterlyError(ErrorCode.BAD_REQUEST, "A plan needs numbers above 0.", "Correct the options.")


def _work(arguments: argparse.Namespace) -> Work:
    node = Node(arguments.node_cores, arguments.node_memory * 1e9, arguments.node_gpus, arguments.node_store * 1e9)
    figures = read_figures(arguments.figures)
    network = arguments.network * 1e9
    return Work(arguments.preset, arguments.size, figures, node, network, engines=arguments.engines)


def _needs(arguments: argparse.Namespace, work: Work) -> Iterator[str]:
    rate = arguments.jobs / (arguments.hours * HOUR_S)
    workers = work.workers_for(rate)
    nodes = -(-workers // work.workers_per_node)
    device = f"on {work.figures.device}" if work.on_gpu else f"on {work.figures.threads} core(s) of a processor"
    unit = "GPU" if work.on_gpu else "core"
    hours = arguments.jobs * work.seconds / HOUR_S * (1 if work.on_gpu else work.figures.threads)
    sides = work.figures.measured_sides(work.preset)
    yield f"{arguments.jobs} jobs with {work.preset}, {work.side} px, in {arguments.hours:g} h"
    yield f"  one job         {_short(work.seconds)} s {device}, {work.memory / 1e9:.1f} GB (by {work.figures.source})"
    if not sides[0] <= work.side <= sides[-1]:
        yield f"                  measured only from {sides[0]} to {sides[-1]} px: beyond, this is a guess"
    yield f"  computing       {_short(hours)} {unit}-hours"
    yield f"  at a time       {workers} workers, each busy 85 % of the time"
    yield (
        f"  machines        {nodes}, with {work.workers_per_node} workers each "
        f"({work.workers_per_node * work.memory / 1e9:.0f} of {work.node.memory / 1e9:.0f} GB)"
    )
    yield f"  network         {rate * picture_bytes(work.side) * 8 / 1e6:.1f} Mbit/s each way at the engine's machine"
    yield f"  object store    {workers * picture_bytes(work.side) / 1e9:.2f} GB beside the engine"
    found = limits(work, workers)
    name, most = first_beside_workers(found)
    yield f"  gives out first the {found[0][0]}; with workers enough the {name}, at {_count(most * DAY_S)} jobs a day"


def _table(work: Work, seen: Sequence[Seen]) -> Iterator[str]:
    names = [name for name in seen[0].busy if name != "workers"]
    yield "simulated, with as many workers as each rate needs; waiting is all that is not computing"
    yield "jobs a day  workers  machines  wait: half, 99 of 100   busy: workers" + "".join(
        f"  {name}" for name in names
    )
    for each in seen:
        workers = work.workers_for(each.rate)
        shares = "".join(f"  {each.busy[name]:>{len(name)}.1%}" for name in names)
        wait = f"{_short(each.waited[0])} s, {_short(each.waited[1])} s"
        yield (
            f"{_count(each.rate * DAY_S):>10}  {workers:>7}  {-(-workers // work.workers_per_node):>8}  {wait:>21}   "
            f"{each.busy['workers']:>13.1%}{shares}" + ("  the queue only grows" if each.growing else "")
        )


def _count(number: float) -> str:
    return f"{round(number):,}".replace(",", " ")


def _short(number: float) -> str:
    return f"{number:.3f}" if number < 1 else f"{number:.1f}" if number < 100 else _count(number)
