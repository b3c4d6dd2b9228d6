"""The real algorithm with a network of VGG-19's full size, for timing; its weights are random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from painterly_engine.network import shelf
from painterly_engine.network.features import FeatureNetwork, random_network
from painterly_engine.service.runner import harmonizing_runner

FACTORY = "support.vgg_runner:make_runner"
VGG_WIDTH = 64


def make_runner() -> Callable[..., Any]:
    network = random_network(width=VGG_WIDTH)

    def get(_self: shelf.NetworkShelf, _weights: str) -> FeatureNetwork:
        return network

    shelf.NetworkShelf.get = get  # type: ignore[method-assign]
    return harmonizing_runner()
