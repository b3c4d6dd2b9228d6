"""What can be chosen of each method: frozen, checked at once, with sentences that say what to do."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import MAX_ITERATIONS

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"
CONTENT_LOSSES = ("mse", "ncc")
POOLINGS = ("max", "average")
OPTIMIZERS = ("lbfgs", "adam")
COMBINATIONS = ("mean", "sum", "losses")
DECODED = ("relu4_1", "relu3_1")


@dataclass(frozen=True)
class Wanted:
    """What the optimising methods strive for. Every loss is relative to its own target, so that a weight means the same
    in every network, layer and size.

    Attributes:
        content_layer: whose features are kept; a deeper one keeps less.
        style_layers: whose Gram matrices are imitated.
        ratio: weight of the content, that of the style being 1; 1 keeps most of the content, 1e-4 next to nothing.
        variation: weight of total variation, relative to the painting's: smooths what is rougher than it.
        histogram: weight of the channels' histograms (Wilmot et al. 2017), 0 for none.
        content_loss: "mse" keeps features as they are, "ncc" (normalised cross-correlation) leaves brightness and
            contrast free.
    """

    content_layer: str = CONTENT_LAYER
    style_layers: tuple[str, ...] = STYLE_LAYERS
    ratio: float = 0.1
    variation: float = 1e-3
    histogram: float = 0.0
    content_loss: str = "mse"

    def __post_init__(self) -> None:
        _within("content/style ratio", self.ratio, 0, 1e6)
        _within("weight of total variation", self.variation, 0, 1e6)
        _within("histogram weight", self.histogram, 0, 1e6)
        _one_of("content loss", self.content_loss, CONTENT_LOSSES)
        if not self.style_layers:
            raise _bad("No style layer was chosen.", "Choose at least one, for example relu3_1.")


@dataclass(frozen=True)
class Walk:
    """How the optimising methods get there.

    Attributes:
        iterations: one evaluation each.
        noise: share of seeded noise in the picture to start from, 0 (the picture itself) to 1 (nothing but noise).
        optimizer: "lbfgs" or "adam".
        pooling: "max" as the networks were trained, or "average" as Gatys et al. found smoother.
        seed: of the noise.
    """

    iterations: int = 200
    noise: float = 0.0
    optimizer: str = "lbfgs"
    pooling: str = "max"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.iterations <= MAX_ITERATIONS:
            raise _bad(f"{self.iterations} iterations cannot be run.", f"Choose 1 to {MAX_ITERATIONS}.")
        _within("noise ratio", self.noise, 0, 1)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("pooling", self.pooling, POOLINGS)
        if not 0 <= self.seed < 2**63:
            raise _bad(f"The seed {self.seed} is out of range.", "Choose 0 to 2⁶³ - 1.")


@dataclass(frozen=True)
class Whole:
    """Gatys et al. 2016 over the whole picture; with a mask it is shown inside it."""

    wanted: Wanted = field(default_factory=Wanted)
    walk: Walk = field(default_factory=Walk)


@dataclass(frozen=True)
class Local:
    """Only what lies in the mask: its losses, its pixels.

    Attributes:
        dilation: pixels of the working size by which the mask is grown.
        local_share: of the painting's Gram matrix at the mask's place in the one that is imitated, 0 to 1; the rest is
            the whole painting's.
        edge: deviation of the Gaussian, in pixels of the working size, that softens the edge at the end; 0 for none.
    """

    wanted: Wanted = field(default_factory=Wanted)
    walk: Walk = field(default_factory=Walk)
    dilation: int = 3
    local_share: float = 0.5
    edge: float = 1.5

    def __post_init__(self) -> None:
        _within("dilation", self.dilation, 0, 1000)
        _within("share of the local Gram matrix", self.local_share, 0, 1)
        _within("softness of the edge", self.edge, 0, 100)


@dataclass(frozen=True)
class Several:
    """Several paintings at once.

    Attributes:
        combine: "mean": Gram matrices averaged by the weights, as if one painting held so much of each; "sum": added
            with the weights as they are; "losses": each painting's own loss, added.
        weights: one a painting, or none where all count the same.
    """

    wanted: Wanted = field(default_factory=Wanted)
    walk: Walk = field(default_factory=Walk)
    combine: str = "mean"
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _one_of("way to combine paintings", self.combine, COMBINATIONS)
        _check_weights(self.weights)


@dataclass(frozen=True)
class Adain:
    """Adaptive instance normalisation (Huang & Belongie 2017) through the built-in network and its decoders.

    Attributes:
        alpha: 0 returns the content, 1 gives the painting's statistics in full.
        layer: what is decoded; relu4_1 changes more, relu3_1 keeps more.
        weights: one a painting, or none where all count the same.
    """

    alpha: float = 1.0
    layer: str = "relu3_1"
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _within("alpha", self.alpha, 0, 1)
        _one_of("layer to decode", self.layer, DECODED)
        _check_weights(self.weights)


Method = Whole | Local | Several | Adain
KINDS: Mapping[str, type[Method]] = {"global": Whole, "local": Local, "multi-style": Several, "adain": Adain}
"""By the user's name."""


def make(name: str, options: Mapping[str, Any]) -> Method:
    """A method by the user's name, with options by their attributes' names; layers also as "4_2", style layers also as
    "1_1,2_1".

    Raises:
        PainterlyError: BAD_REQUEST for values that cannot be used, or that this method does not know.
    """
    _one_of("method", name, tuple(KINDS))
    kind = KINDS[name]
    parts = {} if kind is Adain else {"wanted": Wanted, "walk": Walk}
    known = {*_names(kind), *(name for part in parts.values() for name in _names(part))} - parts.keys()
    for option in options:
        if option not in known:
            raise _bad(f"The method {name} knows no {option.replace('_', ' ')}.", "Leave it out.")
    values: dict[str, Any] = {option: _read(option, value) for option, value in options.items()}
    filled: dict[str, Any] = {name: part(**_those_of(part, values)) for name, part in parts.items()}
    return kind(**filled, **_those_of(kind, values))


def _names(kind: type) -> list[str]:
    return [one.name for one in fields(kind)]


def _those_of(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _names(kind) if name in values}


def _read(option: str, value: Any) -> Any:
    if option == "style_layers":
        return tuple(layer_name(name) for name in (value.split(",") if isinstance(value, str) else value))
    if option == "weights":
        return tuple(value)
    return layer_name(value) if option in {"content_layer", "layer"} else value


def shares(weights: tuple[float, ...], paintings: int) -> list[float]:
    """The weights, or 1 each, so that they add up to 1.

    Raises:
        PainterlyError: BAD_REQUEST where there are not as many as paintings.
    """
    return [weight / sum(weights) if weights else 1 / paintings for weight in as_given(weights, paintings)]


def as_given(weights: tuple[float, ...], paintings: int) -> list[float]:
    """The weights, or 1 each. Raises as ``shares``."""
    if weights and len(weights) != paintings:
        raise _bad(f"There are {len(weights)} weights for {paintings} paintings.", "Give one for each painting.")
    return list(weights) or [1.0] * paintings


def layer_name(text: str) -> str:
    """ "relu4_2" for "relu4_2", "conv4_2" or "4_2"."""
    return "relu" + text.strip().removeprefix("relu").removeprefix("conv")


def check_layers(layers: Collection[str], known: Collection[str], network: str) -> None:
    """Raises PainterlyError BAD_REQUEST for a layer that the network lacks."""
    for layer in layers:
        if layer not in known:
            raise _bad(f"The network {network} has no layer {layer}.", f"Choose among {', '.join(known)}.")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # NaN is nowhere
        raise _bad(f"A {name} of {value:g} cannot be used.", f"Choose a number from {low:g} to {high:g}.")


def _one_of(name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise _bad(f"There is no {name} {value!r}.", f"Choose one of {', '.join(known)}.")


def _check_weights(weights: tuple[float, ...]) -> None:
    if weights and not (all(0 <= weight < math.inf for weight in weights) and sum(weights) > 0):
        raise _bad(
            "The paintings' weights cannot be used.", "Give numbers from 0 up, at least one of them more than 0."
        )


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
