"""Which trials make a benchmark, and what is told of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from painterly_engine.bench import warm
from painterly_engine.bench.peers import PEERS
from painterly_engine.bench.trial import FULL_VGG, PUBLISHED, Seen, Trial, ask, run
from painterly_protocol.errors import PainterlyError
from painterly_protocol.messages import Phase
from painterly_protocol.request import DEFAULT_PRESET, PRESETS

LARGE_SIDE, LARGE_OBJECT, LARGE_PRESET = 4096, 1500, "draft"
CARD = 8 * 10**9
"""Bytes of a graphics card that a large painting is to do with."""
AGREEING = "draft", "standard", PUBLISHED
AGREEING_SIZE, AGREEING_ITERATIONS = 512, 100
"""What is painted once more in other manners; as many iterations of ``published``."""
PUBLISHED_ITERATIONS = 1000
PASSES = (Phase.PASS_ONE.value, Phase.MATCHING.value, Phase.PASS_TWO.value)
CANVASES = (480, 960)
CANVAS_OBJECT = 96
"""So small that the receptive fields of ``published`` around it lie inside the smaller canvas."""
OWN_CANVASES = (1400, 2800)
"""Of our own methods; the smaller has all that an object is compared with, half a million pixels at every scale."""
OBJECTS = (64, 128, 256)
OBJECT_CANVAS = 700
MATCHING_SIZE = 512

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """
    Attributes:
        presets: which.
        sizes: longest sides of paintings that every preset is timed with.
        iterations: of ``published`` in each pass; its 1000 are projected from them.
        repeats: of the trials of growth, in turns; medians are told.
        weights, device, threads: as in ``Trial``.
    """

    presets: Sequence[str] = PRESETS
    sizes: Sequence[int] = (256, 512)
    iterations: int = 20
    repeats: int = 1
    weights: str = "slim"
    device: str = "auto"
    threads: int = 2


def usual(options: Options, tell: Tell) -> dict[str, Any]:
    """Every preset at every size, growth with canvas and object, matching; as plain values for JSON."""
    machine = ask("machine", {"device_name": options.device, "threads": options.threads})
    presets = [_told(_run(trial, tell), machine) for trial in _preset_trials(options)]
    grown = {kind: _growth(kind, trials, options, machine, tell) for kind, trials in _growth_trials(options).items()}
    tell("matching, exact and coarse to fine")
    where = {"weights": options.weights, "device_name": options.device, "threads": options.threads}
    matching = ask("matching", {"size": MATCHING_SIZE, **where})
    return {
        "machine": machine,
        "peers": [asdict(peer) for peer in PEERS],
        "presets": presets,
        "growth": grown,
        "matching": matching,
    }


def gpu(options: Options, tell: Tell) -> dict[str, Any]:
    """What a large GPU is asked: full VGG-19 (random weights), the published run at 700 px with all its iterations, a
    smooth painting as pair 5's and a rough one as pair 0's with their objects' sizes; 4096 px with all of the card and
    with ``CARD`` of it; the same jobs in other manners: again, in TF32 and bfloat16, on the CPU."""
    machine = ask("machine", {"device_name": options.device, "threads": options.threads})
    like = Trial("", PUBLISHED, 0, 0, 0, weights=FULL_VGG, device=options.device, threads=options.threads)
    smooth = replace(like, name="as pair 5, histogram off", height=700, width=547, object_side=182)
    wide = replace(like, height=LARGE_SIDE, width=LARGE_SIDE, object_side=LARGE_OBJECT)
    trials = [
        smooth,
        replace(like, name="as pair 0, histogram on", height=682, width=700, object_side=385, rough=True),
        replace(wide, name=f"{DEFAULT_PRESET} at {LARGE_SIDE} px", preset=DEFAULT_PRESET),
        *(
            replace(wide, name=f"{preset} at {LARGE_SIDE} px within {CARD / 1e9:g} GB", preset=preset, card=CARD)
            for preset in (LARGE_PRESET, DEFAULT_PRESET)
        ),
    ]
    agreeing = [*_agreement_trials(options), replace(smooth, name="as pair 5", iterations=AGREEING_ITERATIONS)]
    failed: list[str] = []
    presets = _those_that_end(lambda trial: _told(_run(trial, tell), machine), trials, failed)
    agreement = _those_that_end(lambda trial: _agreement(trial, tell), agreeing, failed)
    return {"machine": machine, "presets": presets, "agreement": agreement, "failed": failed}


def large(options: Options, tell: Tell) -> dict[str, Any]:
    """A large painting with a large object, in the quickest preset that iterates: the memory it holds over time."""
    tell(f"{LARGE_SIDE} px with an object of {LARGE_OBJECT} px, {LARGE_PRESET}")
    trial = _trial("large", LARGE_PRESET, LARGE_SIDE, LARGE_OBJECT, options)
    return {"large": ask("large", asdict(trial))}


def engine(options: Options, tell: Tell) -> dict[str, Any]:
    """How soon an engine answers, cold and warm, and what it gives back when nobody asks."""
    return {"engine": warm.measure(options.weights, max(5, options.repeats), tell)}


SUITES = {"usual": usual, "large": large, "engine": engine, "gpu": gpu}


def _preset_trials(options: Options) -> list[Trial]:
    """An object as large in the painting as pair 0's."""
    return [
        _trial(f"{preset} at {size} px", preset, size, round(0.55 * size), options)
        for preset in options.presets
        for size in options.sizes
    ]


def _agreement_trials(options: Options) -> list[Trial]:
    """By the network that ships, whose figures mean something."""
    options = replace(options, iterations=AGREEING_ITERATIONS)
    side = round(0.55 * AGREEING_SIZE)
    return [_trial(f"{preset} at {AGREEING_SIZE} px", preset, AGREEING_SIZE, side, options) for preset in AGREEING]


def _agreement(trial: Trial, tell: Tell) -> dict[str, Any]:
    tell(f"{trial.name} in other manners")
    # On a CPU VGG-19 would take an hour.
    return ask("agreement", {"trial": asdict(trial), "on_cpu": trial.weights != FULL_VGG})


def _those_that_end(
    measure: Callable[[Trial], dict[str, Any]], trials: Sequence[Trial], failed: list[str]
) -> list[dict[str, Any]]:
    """What was measured; a sentence for each that failed, since a borrowed machine is soon gone."""
    found = []
    for trial in trials:
        try:
            found.append(measure(trial))
        except PainterlyError as error:
            failed.append(f"{trial.name}: {error}")
    return found


def _growth_trials(options: Options) -> dict[str, list[Trial]]:
    """Of every preset, with the canvas and with the object."""
    found: dict[str, list[Trial]] = {}
    for preset in options.presets:
        canvases = CANVASES if preset == PUBLISHED else OWN_CANVASES
        found[f"canvas, {preset}"] = [
            _trial(f"{preset}, canvas of {side} px", preset, side, CANVAS_OBJECT, options) for side in canvases
        ]
        found[f"object, {preset}"] = [
            _trial(f"{preset}, object of {side} px", preset, OBJECT_CANVAS, side, options) for side in OBJECTS
        ]
    return found


def _trial(name: str, preset: str, side: int, object_side: int, options: Options) -> Trial:
    exact = preset == PUBLISHED
    return Trial(
        name,
        preset,
        height=side,
        width=side,
        object_side=object_side,
        size=side if exact else None,
        iterations=options.iterations if exact else None,
        weights=options.weights,
        device=options.device,
        threads=options.threads,
    )


def _run(trial: Trial, tell: Tell) -> Seen:
    tell(trial.name)
    return run(trial)


def _growth(
    kind: str, trials: Sequence[Trial], options: Options, machine: dict[str, Any], tell: Tell
) -> list[dict[str, Any]]:
    """Each trial's median, beside the first's."""
    tell(f"growth with the {kind}")
    runs = [[_run(trial, tell) for trial in trials] for _ in range(options.repeats)]
    told = [[_told(seen, machine) for seen in turn] for turn in runs]
    found = []
    for index, trial in enumerate(trials):
        # Ratios within one turn, medians over the turns: what else the machine does comes and goes.
        ratios = {
            what: statistics.median(turn[index][what] / turn[0][what] for turn in told)
            for what in ("seconds_in_full", "seconds_of_passes", "peak", "peak_of_passes")
            if all(turn[0][what] for turn in told)
        }
        side = trial.height if kind.startswith("canvas") else trial.object_side
        found.append({"side": side, "times_the_first": ratios, **told[-1][index]})
    return found


def _told(seen: Seen, machine: dict[str, Any]) -> dict[str, Any]:
    return {
        **asdict(seen),
        "peak": seen.peak(),
        "peak_of_passes": seen.peak(PASSES),
        "iterations_per_second": {phase: 1 / seconds for phase, seconds in seen.iteration.items()},
        "matrix_share": seen.share(machine["matrix_flops"]),
        "seconds_in_full": seen.projected(PUBLISHED_ITERATIONS),
        "seconds_of_passes": seen.projected(PUBLISHED_ITERATIONS, PASSES),
    }
