"""From coarse to fine, then stroke by stroke: the whole of our own harmonization."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from painterly_engine.iterating import for_iterating
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.presets import Repaint
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.descent import descend
from painterly_engine.repaint.finish import finish
from painterly_engine.repaint.objective import Objective, Pictures, Weights
from painterly_engine.repaint.scales import Level, levels
from painterly_engine.repaint.telling import Telling
from painterly_engine.repaint.wishes import Wishes
from painterly_engine.resample import resize


class Afresh:
    """What each scale sets out from, and what it wants; this is a picture's that no other came before."""

    def start(self, usual: Tensor, level: Level) -> Tensor:  # noqa: ARG002 (others ask for it)
        """(3, h, w) to begin a scale with, where nothing else is known ``usual``."""
        return usual

    def objective(self, pictures: Pictures, network: FeatureNetwork, weights: Weights) -> Objective:
        """Of a scale."""
        return Objective(pictures, network, weights)


AFRESH = Afresh()


def repaint(
    canvas: Canvas,
    network: FeatureNetwork,
    settings: Repaint,
    wishes: Wishes,
    telling: Telling,
    outset: Afresh = AFRESH,
) -> Tensor:
    """Make the object look painted.

    Args:
        outset: of a video's frames, the frame before.

    Returns:
        (3, h, w) RGB in [0, 1], the repainted surroundings of the object at the painting's own size; how much of it
        shows is the canvas's ``support``.

    Raises:
        PainterlyError: NOT_FINITE.
    """
    network = for_iterating(network)
    plan = levels(canvas.around, canvas.size, settings.sides, network.smallest_side(), canvas.part)
    telling.plan(plan, settings.iterations)
    picture: Tensor | None = None
    before: Tensor | None = None
    for number, level in enumerate(plan):
        pictures = canvas.pictures(level)
        start = pictures.composite
        if picture is not None and before is not None:
            start = resize(picture, level.size) + wishes.carried * (start - resize(before, level.size))
        wanted = partial(outset.objective, pictures, network, wishes.weights())
        picture = _at_one_scale(wanted, outset.start(start, level), level, number, settings, telling)
        before = pictures.composite
    assert picture is not None
    return finish(canvas, picture, wishes, telling)


def _at_one_scale(
    wanted: Callable[[], Objective],
    picture: Tensor,
    level: Level,
    number: int,
    settings: Repaint,
    telling: Telling,
) -> Tensor:
    objective = wanted()
    support = objective.pictures.support
    for turn in range(settings.turns):
        field = objective.aim(picture, partial(telling.matching, number))
        if turn == settings.turns - 1:
            telling.field(number, objective.patched, field, level, objective.painting[objective.patched].shape[1:])
        picture = descend(
            objective, picture, max(1, settings.iterations // settings.turns), telling.ticks(number, support)
        )
    telling.scale_done(number, picture, support)
    return picture
