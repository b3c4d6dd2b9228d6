"""How much memory a scale takes, told before it starts, and which scales a device has room for."""

from __future__ import annotations

from dataclasses import replace

from painterly_engine.network.features import POOL, FeatureNetwork
from painterly_engine.presets import Repaint
from painterly_engine.repaint.neighbours import SCORES
from painterly_engine.repaint.objective import CONTENT_LAYERS, PATCH_LAYER
from painterly_engine.repaint.scales import Level, Part, levels
from painterly_engine.shortage import SHARE
from painterly_engine.window import Box, Size, sizes

FLOAT = 4
KEPT = 3
"""Tensors of a layer's size that the way back keeps: the padded input, the result, its gradient."""
PATCH_COPIES = 4
"""Of all patches of a picture: unfolded, of unit length, chosen, and their gradient."""


def predict(level: Level, network: FeatureNetwork) -> int:
    """Bytes at a scale's worst moment beside what was there before, about: within half and double of what is seen."""
    painting = _features(level.context_size, network) + _patches(level.context_size, network)
    iteration = KEPT * _features(level.size, network) + PATCH_COPIES * _patches(level.size, network)
    return painting + max(iteration, FLOAT * SCORES)


def affordable(
    settings: Repaint,
    around: Box,
    painting: Size,
    network: FeatureNetwork,
    free: int | None,
    part: Part | None = None,
) -> Repaint:
    """The settings, without their finest scales where a device has no room for them.

    Args:
        free: bytes that may be used; None where nobody knows.
        part: as for ``levels``.

    """
    left = settings
    while free is not None and len(left.sides) > 1:
        finest = levels(around, painting, left.sides, network.smallest_side(), part)[-1]
        if predict(finest, network) <= SHARE * free:
            break
        left = replace(left, sides=left.sides[:-1])
    return left


def smaller(settings: Repaint) -> Repaint | None:
    """Without the finest scale, for where memory ran out all the same; None where there is no other."""
    return replace(settings, sides=settings.sides[:-1]) if len(settings.sides) > 1 else None


def _features(size: Size, network: FeatureNetwork) -> int:
    """All layers as far as the content's."""
    found, last = sizes(network, size), network.deepest(CONTENT_LAYERS[-1])
    total = 0
    for step in network.steps:
        if step != POOL:
            total += FLOAT * _width(network, step) * found[step][0] * found[step][1]
        if step == last:
            break
    return total


def _patches(size: Size, network: FeatureNetwork) -> int:
    layer = network.deepest(PATCH_LAYER)
    height, width = sizes(network, size)[layer]
    return 9 * FLOAT * _width(network, layer) * height * width


def _width(network: FeatureNetwork, layer: str) -> int:
    return len(network.get_buffer(f"{layer}_bias"))
