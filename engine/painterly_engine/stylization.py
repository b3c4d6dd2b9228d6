"""τ, the painting's stylization weight: a number, a genre's, or estimated from the painting (algorithm.md 1.3).

The paper's estimator was never released. Ours is a ridge regression of log τ on random Fourier features (Rahimi & Recht
2007) of the built-in network's channel statistics; its coefficients were fitted to the 35 published weights by
``painterly train-stylization``, and ship with the package.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from painterly_engine.network import store
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.resample import fit_longest, scale_bilinear
from painterly_protocol.errors import ErrorCode, PainterlyError

AUTO = "auto"
DEFAULT = 5.0
CLASSES = (1.0, 5.0, 10.0)
MODEL = "stylization"
MODEL_FORMAT = "painterly-stylization-1"
TENSORS = ("mean", "deviation", "coefficients")

# The published weights fall into three levels by category: 1, 5 and 10. Genres that have no published painting take the
# level of their nearest kin.
GENRES = {
    "abstract expressionism": 10.0,
    "art nouveau": 1.0,
    "baroque": 1.0,
    "classicism": 1.0,
    "cubism": 10.0,
    "expressionism": 10.0,
    "fauvism": 10.0,
    "high renaissance": 1.0,
    "impressionism": 5.0,
    "mannerism": 1.0,
    "neoclassicism": 1.0,
    "pointillism": 5.0,
    "post-impressionism": 5.0,
    "realism": 1.0,
    "renaissance": 1.0,
    "rococo": 1.0,
    "romanticism": 1.0,
    "symbolism": 1.0,
}


@dataclass(frozen=True)
class Stylization:
    """τ and, for the user, where it comes from."""

    value: float
    reason: str


@dataclass(frozen=True)
class Model:
    """Coefficients of the estimator.

    Attributes:
        layers: whose statistics are read.
        longest: the painting is scaled to this many pixels on its longest side first.
        mean, deviation: (d,) of the statistics, to standardise them.
        seed, width: of the Fourier features, as ``waves`` makes them.
        coefficients: (m,); intercept: of log τ.
    """

    layers: tuple[str, ...]
    longest: int
    mean: Tensor
    deviation: Tensor
    coefficients: Tensor
    intercept: float
    seed: int
    width: float

    def estimate(self, statistics: Tensor) -> float:
        """τ within 1 to 10, the range of the published ones."""
        standardised = ((statistics - self.mean) / self.deviation)[None]
        waves = fourier(standardised, len(self.coefficients), self.width, self.seed)
        logarithm = float((waves @ self.coefficients)[0]) + self.intercept
        return min(10.0, math.exp(min(math.log(10.0), max(0.0, logarithm))))


def fourier(standardised: Tensor, count: int, width: float, seed: int) -> Tensor:
    """Random Fourier features (n, count) of (n, d), whose products approximate the kernel exp(−‖x − y‖² / width²).

    Drawn anew from the seed, by NumPy's generator whose stream is frozen for good.
    """
    projection, phase = _draws(standardised.shape[1], count, seed)
    angles = standardised.double() @ projection * (math.sqrt(2) / width) + phase
    return torch.cos(angles) * math.sqrt(2 / count)


@lru_cache(maxsize=4)
def _draws(dimension: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    random = np.random.RandomState(seed)
    projection = torch.from_numpy(random.standard_normal((dimension, count)))
    return projection, torch.from_numpy(random.uniform(0, 2 * math.pi, count))


@torch.no_grad()
def painting_statistics(painting: Tensor, network: FeatureNetwork, layers: tuple[str, ...], longest: int) -> Tensor:
    """Logarithms of each channel's mean and standard deviation, (d,), of a painting (3, H, W) in [0, 1]."""
    scaled = scale_bilinear(painting.float().cpu(), fit_longest(painting.shape[1], painting.shape[2], longest))
    features = network(scaled * network.layout.pixel_scale, layers)
    flat = [features[layer].flatten(1) for layer in layers]
    return torch.cat([torch.log(s + 0.01) for one in flat for s in (one.mean(1), one.std(1))])


def estimate_stylization(painting: Tensor) -> Stylization:
    """Estimate τ of a painting (3, H, W) RGB in [0, 1] of any size, with the built-in network on the CPU.

    Raises:
        PainterlyError: WEIGHTS_MISSING or WEIGHTS_CORRUPT where the package's files are not what they were.
    """
    store.verify(MODEL)
    model, network = load_model(store.home_of(MODEL) / f"{MODEL}.safetensors"), _built_in()
    shape = fit_longest(painting.shape[1], painting.shape[2], model.longest)
    if min(shape) < network.smallest_side():
        return Stylization(DEFAULT, "the default, as the painting is too narrow to judge")
    pixels = painting.float().cpu().contiguous()
    digest = hashlib.sha256(pixels.numpy().tobytes()).hexdigest()
    value = _estimated(_Painting((digest, tuple(pixels.shape), id(model)), pixels, model, network))
    kin = {1.0: "Realism or Baroque", 5.0: "Impressionism", 10.0: "Cubism or Expressionism"}[nearest_class(value)]
    return Stylization(round(value, 2), f"estimated from the painting's brushwork and colours, closest to {kin}")


@dataclass(frozen=True)
class _Painting:
    """What is estimated and by what; two of them are equal where all their pixels are, and the model."""

    key: tuple[object, ...]
    pixels: Tensor = field(compare=False)
    model: Model = field(compare=False)
    network: FeatureNetwork = field(compare=False)


@lru_cache(maxsize=4)
def _estimated(painting: _Painting) -> float:
    """Kept for the next job, which often has the same painting."""
    model = painting.model
    return model.estimate(painting_statistics(painting.pixels, painting.network, model.layers, model.longest))


def nearest_class(value: float) -> float:
    """The published level, 1, 5 or 10, that is nearest on a logarithmic scale."""
    return min(CLASSES, key=lambda level: abs(math.log(value / level)))


@lru_cache(maxsize=1)
def _built_in() -> FeatureNetwork:
    return store.load_stored("slim").eval()


@lru_cache(maxsize=1)
def load_model(path: Path) -> Model:
    """Read what ``painterly train-stylization`` wrote, which must be there.

    Raises:
        PainterlyError: WEIGHTS_CORRUPT.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()[MODEL_FORMAT])
            tensors = {name: file.get_tensor(name) for name in TENSORS}
            return Model(
                layers=tuple(about["layers"]),
                longest=int(about["longest"]),
                intercept=float(about["intercept"]),
                seed=int(about["seed"]),
                width=float(about["width"]),
                **tensors,
            )
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise store.corrupt(path, store.repair_built_in()) from error


def _letters(text: str) -> str:
    return text.translate(str.maketrans("", "", " -_"))


_BY_LETTERS = {_letters(genre): genre for genre in GENRES}


def parse_stylization(text: str) -> float | str:
    """A number above 0, a genre name in its usual form, or "auto", from what a user typed.

    What stands in brackets after a genre, "Mannerism (Late Renaissance)", explains it and is passed over, and so is how
    its words are joined.

    Raises:
        PainterlyError: BAD_REQUEST for anything else.
    """
    wanted = " ".join(text.strip().lower().split())
    if wanted == AUTO:
        return AUTO
    if genre := _BY_LETTERS.get(_letters(wanted.partition(" (")[0])):
        return genre
    try:
        number = float(wanted)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and 0 < number <= 100):
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"There is no stylization {text!r}.",
            f"Give a number from 1 to 10, 'auto', or a genre: {', '.join(GENRES)}.",
        )
    return number


def choose_stylization(wanted: float | str | None, painting: Tensor) -> Stylization:
    """What the user's wish means for this painting (3, H, W).

    Raises:
        PainterlyError: BAD_REQUEST for a genre nobody knows.
    """
    choice = parse_stylization(wanted) if isinstance(wanted, str) else wanted
    if choice is None or choice == AUTO:
        return estimate_stylization(painting)
    if isinstance(choice, str):
        return Stylization(GENRES[choice], f"usual in {choice}")
    return Stylization(float(choice), "as asked for")
