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
from safetensors.torch import save_file
from torch import Tensor

from painterly_engine.network import store
from painterly_engine.stylization import (
    MODEL_FILE,
    MODEL_FORMAT,
    TENSORS,
    Model,
    fourier,
    nearest_class,
    painting_statistics,
)
from painterly_engine.training.evaluate import paintings
from painterly_engine.training.teachers import LAYERS as FIVE

LONGEST = 256
WAVES = 1024
LAYERS: tuple[tuple[str, ...], ...] = (("relu4_1",), ("relu2_1", "relu3_1", "relu4_1"), FIVE)
RIDGES = (0.03, 0.1)
SEED = 0


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


def save(model: Model, path: Path) -> str:
    """Write the coefficients; returns the file's SHA-256."""
    tensors = {name: getattr(model, name).contiguous() for name in TENSORS}
    names = ("layers", "longest", "intercept", "seed", "width")
    about = {name: getattr(model, name) for name in names}
    save_file(tensors, path, {MODEL_FORMAT: json.dumps(about)})
    return store.file_sha256(path)


def train_stylization(arguments: argparse.Namespace) -> int:
    """Fit, judge, save; prints a Markdown table."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    labels = json.loads((arguments.paintings / "stylization.json").read_text(encoding="utf-8"))
    names = sorted(labels, key=int)
    network = store.load_stored("slim")
    images = paintings(arguments.paintings, 10**6)
    statistics = {
        layers: torch.stack([painting_statistics(image, network, layers, LONGEST) for image in images])
        for layers in LAYERS
    }
    logarithms = torch.tensor([labels[name]["stylization_weight"] for name in names]).log()
    rows = judge(statistics, logarithms, names)
    print(table(rows, {name: labels[name]["genre"] for name in names}))
    choice = best_choice(statistics, logarithms)
    arguments.output.mkdir(parents=True, exist_ok=True)
    digest = save(fit(statistics[choice.layers], logarithms, choice), arguments.output / MODEL_FILE)
    print(f"\n{choice}; {MODEL_FILE} sha256 {digest}")
    return 0


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
