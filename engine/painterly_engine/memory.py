"""How much memory the two passes will take, told before they start from sizes alone.

The largest holdings are counted; what libraries take beside them was measured. Within 30 % of what is seen
(``tests/engine/test_memory.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from painterly_engine import pass_one, pass_two
from painterly_engine.lbfgs import Settings
from painterly_engine.matching.correlation import usual_budget
from painterly_engine.network.features import POOL, FeatureNetwork
from painterly_engine.window import Box, Size, reach, receptive_field, sizes
from painterly_engine.workspace import tile_area

FLOAT, INDEX = 4, 8
PICTURES = 4
"""Whole pictures that a pass makes beside those it is given: what is shown, the result, and copies on their way."""
AT_WORK = 4
"""Feature maps of the largest layer alive while it is computed: input, output, and what the convolution arranges."""
LIBRARIES = 64 * 2**20
"""What the allocator and the convolutions' library keep, seen from small pictures to large ones."""


@dataclass(frozen=True)
class Prediction:
    """Bytes beside what is there before: the pictures given and the network.

    Attributes:
        pass_one, pass_two: at the worst moment of each.
        history: of L-BFGS, which is part of both.
    """

    pass_one: int
    pass_two: int
    history: int

    @property
    def peak(self) -> int:
        return max(self.pass_one, self.pass_two)


def predict(network: FeatureNetwork, size: Size, changing: Box, moving: int, iterations: int) -> Prediction:
    """Of the exact passes (``published``).

    Args:
        network: which.
        size: (H, W) of the working picture.
        changing: the box of the loose mask.
        moving: pixels in the loose mask.
        iterations: of each pass.
    """
    fixed = PICTURES * 3 * FLOAT * size[0] * size[1] + _filters(network)
    history = 2 * 3 * FLOAT * moving * min(Settings(iterations, 1.0).history, iterations)
    first = {*network.available(pass_one.STYLE_LAYERS), network.deepest(pass_one.CONTENT_LAYER)}
    second = {*network.available(pass_two.STYLE_LAYERS), network.deepest(pass_two.CONTENT_LAYER)}
    matching = _matching(network, size, changing, first)
    return Prediction(
        fixed + max(matching, history + _iterating(network, size, changing, first)),
        fixed + history + _iterating(network, size, changing, second),
        history,
    )


def _matching(network: FeatureNetwork, size: Size, changing: Box, layers: set[str]) -> int:
    """The painting's features at all layers, and the greater of making them and searching them."""
    whole, width = sizes(network, size), _widths(network)
    kept = sum(FLOAT * width[layer] * whole[layer][0] * whole[layer][1] for layer in layers)
    area = min(tile_area(_box(network, size, changing, layers)), size[0] * size[1])
    return kept + max(usual_budget(network.get_buffer("mean").device), _at_work(network, area))


def _iterating(network: FeatureNetwork, size: Size, changing: Box, layers: set[str]) -> int:
    """What the way back needs of every step on the way there, and the step at work."""
    area = _box(network, size, changing, layers).area
    deepest = [layer for layer in network.layers if layer in layers][-1]
    total, scale, channels = 0.0, 1, 0
    for step in network.steps:
        if step == POOL:
            scale *= 4
            total += (FLOAT + INDEX) * channels * area / scale
        else:
            channels = _widths(network)[step]
            total += FLOAT * channels * area / scale
        if step == deepest:
            break
    return int(total) + _at_work(network, area) + LIBRARIES


def _box(network: FeatureNetwork, size: Size, changing: Box, layers: set[str]) -> Box:
    reached = reach(network, changing, size)
    return receptive_field(network, {layer: reached[layer] for layer in layers}, size)


def _at_work(network: FeatureNetwork, area: int) -> int:
    return AT_WORK * FLOAT * _widths(network)[network.layers[0]] * area


def _widths(network: FeatureNetwork) -> dict[str, int]:
    return {layer: len(network.get_buffer(f"{layer}_bias")) for layer in network.layers}


def _filters(network: FeatureNetwork) -> int:
    return sum(FLOAT * network.get_buffer(f"{layer}_weight").numel() for layer in network.layers)
