"""From coarse to fine, then stroke by stroke: the whole of our own harmonization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.iterating import for_iterating
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.presets import Repaint
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.descent import descend
from painterly_engine.repaint.objective import Objective, Pictures, Weights
from painterly_engine.repaint.scales import Level, levels
from painterly_engine.repaint.strokes import lay_strokes
from painterly_engine.repaint.support import USUAL, gaussian
from painterly_engine.repaint.telling import Telling
from painterly_engine.resample import resize

PATCHES = 1.5
CONTENT, USUAL_STYLIZATION = 0.4, 5.0
"""Weights of the patches and of the content, the style's being 1; the latter at half strength in a painting of this
stylization."""
CALMER, TRUER = 0.75, 1.0
"""Exponents: how fast, in paintings of less stylization, content counts more and more of a scale's detail is carried to
the next."""
RANGE = 16.0
"""No strength multiplies it by this much, full strength divides it."""
CARRIED = 2.0
"""Exponent: at half detail and usual stylization three quarters of what a scale could not show enter with the next, at
full detail all."""
MELT, AROUND = 4.2, 3.0
"""Pixels by which a hard outline is softened before strokes are laid over it, in proportion more where the surroundings
are larger than ``USUAL``, and around which it is told hard."""
CRISPER = 1.5
"""Fine contrast is raised by this factor at most."""
TINY = 1e-6
FINEST = 1.0
"""Pixels: what a Gaussian of this deviation takes away is the finest detail."""


@dataclass(frozen=True)
class Wishes:
    """What the user asked for.

    Attributes:
        stylization: τ, the painting's stylization weight, about 1 to 10.
        strength: 0 to 1, how far the object is repainted; at 0 it stays what it was.
        detail: 0 to 1, how much of its own detail it keeps.
        seed: of the search for strokes.
    """

    stylization: float
    strength: float = 0.5
    detail: float = 0.5
    seed: int = 0

    def weights(self) -> Weights:
        """Of the objective's parts: the less content counts, the more is repainted."""
        calm = (USUAL_STYLIZATION / self.stylization) ** CALMER
        return Weights(style=1.0, patches=PATCHES, content=CONTENT * calm * RANGE ** (1 - 2 * self.strength))

    @property
    def painted(self) -> float:
        """Share of the repainted picture in the result: below half strength the object itself shines through."""
        return min(1.0, 2 * self.strength)

    @property
    def carried(self) -> float:
        """Share of the object's own detail that enters with each scale."""
        usual = 1 - (1 - self.detail) ** CARRIED
        return float(usual ** (self.stylization / USUAL_STYLIZATION) ** TRUER)

    @property
    def kept(self) -> float:
        """Share of the finest detail that comes back over the strokes."""
        return max(0.0, 2 * self.detail - 1)


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
    return _finish(canvas, picture, wishes, telling)


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


def _outline_melted(picture: Tensor, support: Tensor, usual: float) -> Tensor:
    """(3, h, w) softened along the outline, where the support (h, w) is neither 0 nor 1, as far as the edge there is
    harder than the painting's own: strokes are laid across it then, as a brush would lose it.

    Args:
        usual: the painting's mean lightness step from pixel to pixel.
    """
    soft = _softened(picture, MELT * max(1.0, max(support.shape) / USUAL))
    hardness = gaussian(_steps(picture), AROUND) / max(usual, TINY)
    return torch.lerp(picture, soft, _outline(support) * (hardness - 1).clamp(0, 1))


def _outline(support: Tensor) -> Tensor:
    """(h, w) in [0, 1]: 1 where half of the object shows, 0 where all of it or nothing does."""
    return 4 * support * (1 - support)


def _as_crisp(picture: Tensor, support: Tensor, goal: float) -> Tensor:
    """(3, h, w) with as much fine contrast as the painting has, but for the outline: what blending has taken.

    Args:
        goal: mean square of the painting's finest detail.
    """
    fine = _fine(picture)
    there = float((fine.square() * support).sum() / (3 * support.sum() + TINY))
    gain: float = (goal / (there + TINY**2)) ** 0.5 - 1
    return picture + min(max(gain, 0.0), CRISPER) * (1 - _outline(support)) * fine


def _mean(planes: Tensor, lends: Tensor | None) -> float:
    """Of (…, H, W), where (H, W) lends itself."""
    if lends is None:
        return float(planes.mean())
    return float((planes * lends).mean() / (lends.mean() + TINY))


def _fine(picture: Tensor) -> Tensor:
    """(3, h, w): its finest detail."""
    return picture - _softened(picture, FINEST)


def _softened(picture: Tensor, sigma: float) -> Tensor:
    return torch.stack([gaussian(plane, sigma) for plane in picture])


def _steps(picture: Tensor) -> Tensor:
    """(h, w): how much lightness changes from each pixel of (3, h, w) to the next ones."""
    lightness = picture.mean(0)
    across, down = (F.pad(lightness.diff(dim=axis), padding) for axis, padding in ((1, (0, 1)), (0, (0, 0, 0, 1))))
    return (across.square() + down.square()).sqrt()


@torch.no_grad()
def _finish(canvas: Canvas, picture: Tensor, wishes: Wishes, telling: Telling) -> Tensor:
    """At the painting's own size, with strokes of its own."""
    own = canvas.own_size()
    painted = resize(picture, canvas.around.size).clamp(0, 1)
    melted = _outline_melted(own.blend(painted), own.support, _mean(_steps(own.context), own.lends))
    laid = lay_strokes(melted, own.context, own.support > 0, wishes.seed, telling.finishing, own.lends)
    laid = _as_crisp(laid, own.support, _mean(_fine(own.context).square(), own.lends))
    if wishes.kept > 0:
        laid = laid + wishes.kept * _fine(painted)
    result = torch.lerp(own.composite, laid, wishes.painted).clamp(0, 1)
    telling.finished(result, own.support)
    return result
