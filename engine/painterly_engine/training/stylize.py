"""``painterly train-stylization``: fit the estimator of τ to published weights, and judge it leave-one-out.

Few paintings are labelled, so the model has two choices only, ``CHOICES``: the layers whose statistics it reads, and
the ridge. They are made inside every fold, by a leave-one-out of the paintings that are left: the table that comes out
never saw the painting it judges.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from painterly_engine.network import store
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.resample import fit_longest
from painterly_engine.stylization import (
    MODEL,
    MODEL_FORMAT,
    TENSORS,
    Model,
    fourier,
    nearest_class,
    painting_statistics,
)
from painterly_engine.training.folders import labels, output_folder, read_painting, wide_enough, writing
from painterly_engine.training.teachers import LAYERS as FIVE
from painterly_protocol.errors import ErrorCode, PainterlyError

LONGEST = 256
WAVES = 1024
LAYERS: tuple[tuple[str, ...], ...] = (("relu4_1",), ("relu2_1", "relu3_1", "relu4_1"), FIVE)
RIDGES = (0.03, 0.1)
SEED = 0
FEWEST = 4
"""Paintings: two are left out to judge one of them, and a kernel's width takes two more."""
FULL_SIZE = 10**6
(BUILT_IN,) = store.BUILT_IN


@dataclass(frozen=True)
class Choice:
    """One model of those that are compared."""

    layers: tuple[str, ...]
    ridge: float


CHOICES = tuple(Choice(layers, ridge) for layers in LAYERS for ridge in RIDGES)


@dataclass(frozen=True)
class Judged:
    """One painting's τ, published and as estimated without having seen it."""

    name: str
    published: float
    estimated: float

    @property
    def right(self) -> bool:
        """Whether both are nearest the same of 1, 5 and 10."""
        return nearest_class(self.published) == nearest_class(self.estimated)


def fit(statistics: Tensor, logarithms: Tensor, choice: Choice) -> Model:
    """Ridge regression of log τ (n,) on Fourier features of standardised statistics (n, d).

    The kernel's width is the median distance between paintings.
    """
    mean, deviation = statistics.mean(0), statistics.std(0) + 1e-3
    standardised = (statistics - mean) / deviation
    distances = torch.cdist(standardised, standardised)
    width = float(distances[distances > 0].median())
    waves = fourier(standardised, WAVES, width, SEED)
    intercept = float(logarithms.double().mean())
    kernel = waves @ waves.T + choice.ridge * torch.eye(len(waves), dtype=torch.float64)
    coefficients = waves.T @ torch.linalg.solve(kernel, logarithms.double() - intercept)
    return Model(choice.layers, LONGEST, mean, deviation, coefficients, intercept, SEED, width)


def leave_one_out(statistics: Tensor, logarithms: Tensor, choice: Choice) -> list[float]:
    """τ of every painting by a model fitted to the others."""
    found = []
    for left_out in range(len(statistics)):
        others = torch.arange(len(statistics)) != left_out
        found.append(fit(statistics[others], logarithms[others], choice).estimate(statistics[left_out]))
    return found


def best_choice(statistics: dict[tuple[str, ...], Tensor], logarithms: Tensor) -> Choice:
    """The choice with the least squared error of log τ, leave-one-out."""

    def error(choice: Choice) -> float:
        estimates = torch.tensor(leave_one_out(statistics[choice.layers], logarithms, choice)).log()
        return float((estimates - logarithms).square().mean())

    return min(CHOICES, key=error)


def judge(statistics: dict[tuple[str, ...], Tensor], logarithms: Tensor, names: Sequence[str]) -> list[Judged]:
    """Nested leave-one-out: the choice too is made without the painting that is judged."""
    rows = []
    for left_out, name in enumerate(names):
        others = torch.arange(len(names)) != left_out
        rest = {layers: values[others] for layers, values in statistics.items()}
        choice = best_choice(rest, logarithms[others])
        model = fit(rest[choice.layers], logarithms[others], choice)
        estimated = model.estimate(statistics[choice.layers][left_out])
        rows.append(Judged(name, float(logarithms[left_out].exp()), estimated))
    return rows


def save(model: Model, folder: Path, network: FeatureNetwork, fitted_to: str) -> store.Passport:
    """Write the coefficients for a network's statistics, and their passport."""
    path = folder / f"{MODEL}.safetensors"
    tensors = {name: getattr(model, name).contiguous() for name in TENSORS}
    names = ("layers", "longest", "intercept", "seed", "width")
    about = {name: getattr(model, name) for name in names}
    made_by = "painterly train-stylization"
    with writing(path):
        digest = store.write_tensors(path, tensors, {MODEL_FORMAT: json.dumps(about)})
        return store.issue(folder, store.Passport(MODEL, made_by, network.sha256, digest, "MIT", fitted_to))


def train_stylization(arguments: argparse.Namespace) -> int:
    """Fit, judge, save; prints a Markdown table.

    Raises:
        PainterlyError: before anything long, for a network, painting or output folder that will not do.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    labelled = labels(arguments.paintings, FEWEST)
    names = list(labelled)
    network = _reading(arguments.weights)
    images = [_read(arguments.paintings / f"{name}.jpg", network) for name in names]
    output_folder(arguments.output)
    statistics = {
        layers: torch.stack([painting_statistics(image, network, layers, LONGEST) for image in images])
        for layers in LAYERS
    }
    logarithms = torch.tensor([labelled[name].weight for name in names]).log()
    rows = judge(statistics, logarithms, names)
    print(table(rows, {name: labelled[name].genre for name in names}))
    choice = best_choice(statistics, logarithms)
    fitted_to = f"fitted to the published stylization weights of {len(names)} paintings; holds no picture"
    if arguments.weights != BUILT_IN:
        fitted_to += f"; by the features of {network.name} {network.sha256}"
    passport = save(fit(statistics[choice.layers], logarithms, choice), arguments.output, network, fitted_to)
    print(f"\n{choice}; {MODEL}.safetensors sha256 {passport.sha256}")
    print(
        f"The coefficients fit only the network {arguments.weights}, and the package reads its own of both: copy all "
        f"files of {arguments.output} to {store.built_in_dir()}."
    )
    return 0


def _reading(weights: str) -> FeatureNetwork:
    network = NetworkShelf().get(weights)
    if missing := [layer for layer in FIVE if layer not in network.layers]:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"The network {weights} has no {', '.join(missing)}.",
            "Give --weights slim, or a network that painterly train-features made.",
        )
    return network


def _read(path: Path, network: FeatureNetwork) -> Tensor:
    """A painting at its full size, wide enough for the network once it is scaled to ``LONGEST``."""
    image = read_painting(path, FULL_SIZE)
    wide_enough(path, min(fit_longest(image.shape[1], image.shape[2], LONGEST)), network.smallest_side())
    return image


def table(rows: Sequence[Judged], genres: dict[str, str]) -> str:
    """Markdown: a row a painting, then the mean absolute error and the share that is right."""
    lines = ["| painting | genre | published τ | estimated τ | nearest of 1/5/10 |", "|---|---|---|---|---|"]
    for row in rows:
        levels = f"{nearest_class(row.published):g} → {nearest_class(row.estimated):g}"
        mark = "right" if row.right else "wrong"
        lines.append(
            f"| {row.name} | {genres[row.name]} | {row.published:.2f} | {row.estimated:.2f} | {levels} {mark} |"
        )
    error = sum(abs(row.published - row.estimated) for row in rows) / len(rows)
    right = sum(row.right for row in rows)
    lines.append(f"\nMean absolute error {error:.2f}; nearest level right for {right} of {len(rows)}.")
    return "\n".join(lines)
