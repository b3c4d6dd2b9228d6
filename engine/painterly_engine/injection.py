"""Gradients injected behind relus, masked, and sent down through the network (algorithm.md 1.1 step 5 and 1.3).

No scalar function has the gradient that the passes follow: every loss module masks not only its own gradient but all
that arrives from above, and pass 2 normalises each. So the walk is made by hand, autograd taking the steps between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from painterly_engine.losses.evaluation import Loss
from painterly_engine.network.features import FeatureNetwork


@dataclass(frozen=True)
class Module:
    """A loss behind a relu. ``name`` is what its value is reported under."""

    name: str
    loss: Loss


@dataclass(frozen=True)
class Station:
    """A layer with losses.

    Attributes:
        mask: (h, w), m of the formulas.
        modules: in the order the backward walk meets them.
    """

    mask: Tensor
    modules: Sequence[Module]

    def inject(self, features: Tensor, gradient: Tensor, values: dict[str, Tensor]) -> Tensor:
        """g ← m∘(own + g) for every module; adds each value to ``values`` under the module's name."""
        for module in self.modules:
            value, own = module.loss(features)
            values[module.name] = values.get(module.name, 0) + value
            gradient = self.mask * (own + gradient)
        return gradient.expand_as(features)


class InjectedGradients:
    """Values of the losses and what they send down to the pixels.

    Args:
        network: any.
        stations: by relu name.
    """

    def __init__(self, network: FeatureNetwork, stations: Mapping[str, Station]) -> None:
        self.network = network
        self.stations = {layer: stations[layer] for layer in reversed(network.layers) if layer in stations}

    def __call__(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Walks from the deepest layer down.

        Args:
            pixels: (3, H, W) RGB times the layout's pixel scale.

        Returns:
            The losses' values summed by module name, 0-dimensional, and the gradient (3, H, W), not yet masked at
            the image.
        """
        pixels = pixels.detach().requires_grad_()
        with torch.enable_grad():
            features = self.network(pixels, self.stations)
        values: dict[str, Tensor] = {}
        gradient, above = pixels.new_zeros(()), None
        for layer, station in self.stations.items():
            here = features[layer]
            if above is not None:
                (gradient,) = torch.autograd.grad(above, here, gradient)
            gradient = station.inject(here.detach(), gradient, values)
            above = here
        assert above is not None, "a pass has at least its content loss"
        (gradient,) = torch.autograd.grad(above, pixels, gradient)
        return values, gradient
