"""What is compared: every combination of what was named, as far as each method knows it. Never imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

PASTED = "pasted"
STYLIZING = ("global", "local", "adain")
PASSES = ("two-pass", "pass-one")
METHODS = (PASTED, *STYLIZING, *PASSES)

OPTIMISED = (
    "weights",
    "device",
    "iterations",
    "ratio",
    "content_layer",
    "style_layers",
    "pooling",
    "noise",
    "optimizer",
)
KNOWN: Mapping[str, tuple[str, ...]] = {
    PASTED: (),
    "global": OPTIMISED,
    "local": OPTIMISED,
    "adain": ("device", "alpha"),
    "two-pass": ("weights", "device", "iterations", "preset", "strength"),
    "pass-one": ("weights", "device", "iterations", "preset"),
}
"""Which options each method knows; the others do not tell its variants apart."""


@dataclass(frozen=True, eq=False)
class Variant:
    """One cell of the grid.

    Attributes:
        method: of ``METHODS``.
        options: by name, those of ``KNOWN`` that were named.
        name: what tells it from the others, in a few words.
    """

    method: str
    options: Mapping[str, object] = field(default_factory=dict)
    name: str = ""


def variants(methods: Iterable[str], axes: Mapping[str, Iterable[object]]) -> list[Variant]:
    """Every method with every combination of the options it knows, in order, each once.

    Args:
        axes: values by option; options of one value are used too, but name nothing.
    """
    chosen = tuple(methods)
    telling = {option for option, values in axes.items() if len(tuple(values)) > 1}
    found = []
    for method in chosen:
        known = [option for option in axes if option in KNOWN[method]]
        for values in product(*(tuple(axes[option]) for option in known)):
            options = dict(zip(known, values, strict=True))
            words = [_words(option, value) for option, value in options.items() if option in telling]
            name = ", ".join([method, *words] if len(chosen) > 1 or not words else words)
            found.append(Variant(method, options, name))
    return found


def _words(option: str, value: object) -> str:
    if option in {"weights", "device", "preset", "pooling", "optimizer"}:
        return str(value)
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{shown} iterations" if option == "iterations" else f"{option.replace('_', ' ')} {shown}"
