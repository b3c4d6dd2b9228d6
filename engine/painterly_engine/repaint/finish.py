"""The surface at the painting's own size, with strokes of its own.

All of it happens in bands of rows, each with as much beyond it as its pixels depend on: what is computed on the way
takes the same memory however large the object is, and no band's edge can be seen, because there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.objective import Pictures
from painterly_engine.repaint.strokes import SIDE, Strokes
from painterly_engine.repaint.support import USUAL, gaussian, largest_around, reach
from painterly_engine.repaint.telling import Telling
from painterly_engine.repaint.wishes import Wishes
from painterly_engine.resample import resize
from painterly_engine.window import Box, Size

BAND = 2**18
"""Pixels finished at a time."""
MELT, AROUND = 4.2, 3.0
"""Pixels by which a hard outline is softened before strokes are laid over it, in proportion more where the surroundings
are larger than ``USUAL``, and around which it is told hard."""
THIN, THICK = 0.6, 0.9
"""Where a blur twice as wide leaves so little of the object, its outline is not melted, and where so much, fully."""
FLAT, HINT = 0.04, 0.35
"""Paintings whose lightness deviates by less than this from its mean have no strokes to tell an object with: it keeps
up to so much of its own light and shade."""
CRISPER = 1.5
"""Fine contrast is raised by this factor at most."""
TINY = 1e-6
FINEST = 1.0
"""Pixels: what a Gaussian of this deviation takes away is the finest detail."""
FINE_REACH = reach(FINEST)

Measure = Callable[[Tensor], Tensor]
"""(3, h, w) to (…, h, w)."""


@torch.no_grad()
def finish(canvas: Canvas, picture: Tensor, wishes: Wishes, telling: Telling) -> Tensor:
    """
    Args:
        picture: (3, h, w) RGB in about [0, 1], what the finest scale ended with.

    Returns:
        (3, h, w) RGB in [0, 1], at the painting's own size.
    """
    telling.finishing(0.0)
    own = canvas.own_size()
    painted = resize(picture, canvas.around.size).clamp_(0, 1)
    laid = _laid(own, painted, wishes.seed, telling)
    gain = _gain(own, laid)
    hint = HINT * _flatness(own)
    usual = _mean(_lightness, 0, own.composite, own.support) if hint > 0 else 0.0

    def result(band: Box) -> Tensor:
        crisp = band.of(laid) + gain * (1 - _outline(band.of(own.support))) * _beyond(_fine, laid, band, FINE_REACH)
        if wishes.kept > 0:
            crisp += wishes.kept * _beyond(_fine, painted, band, FINE_REACH)
        if wishes.shines > 0:
            crisp += wishes.shines * (_lightness(band.of(own.composite)) - _lightness(crisp))
        if hint > 0:
            crisp += hint * (_lightness(band.of(own.composite)) - usual)
        return torch.lerp(band.of(own.composite), crisp, wishes.painted).clamp_(0, 1)

    found = _in_bands(result, painted)
    telling.finished(found, own.support)
    return found


def _laid(own: Pictures, painted: Tensor, seed: int, telling: Telling) -> Tensor:
    """(3, h, w): the painting's strokes over what was painted, its outline melted."""
    size = own.support.shape[0], own.support.shape[1]
    strokes = Strokes(own.context, size, seed, own.lends)
    usual = _mean(_steps, 1, own.context, own.lends)
    deviation = MELT * max(1.0, max(size) / USUAL)
    thick = _thickness(own.support, deviation)
    far = max(reach(deviation), reach(AROUND) + 1)
    parts = list(_bands(size))

    def melted(band: Box) -> Tensor:
        wide = band.grown(far, size)
        blended = torch.lerp(wide.of(own.ground), wide.of(painted), wide.of(own.support))
        outline = _outline(wide.of(own.support)) * wide.of(thick)
        return band.within(wide).of(_outline_melted(blended, outline, usual, deviation))

    def lay(band: Box) -> Tensor:
        def tell(fraction: float) -> None:
            telling.finishing((parts.index(band) + fraction) / len(parts))

        wide = band.grown(SIDE - 1, size)
        return band.within(wide).of(strokes.lay(melted(wide), wide.of(own.support) > 0, tell))

    return _in_bands(lay, painted)


def _outline_melted(picture: Tensor, outline: Tensor, usual: float, deviation: float) -> Tensor:
    """(3, h, w) softened along the outline (h, w), as far as the edge there is harder than the painting's own: strokes
    are laid across it then, as a brush would lose it.

    Args:
        usual: the painting's mean lightness step from pixel to pixel.
        deviation: pixels by which the hardest edge is softened.
    """
    hardness = (gaussian(_steps(picture), AROUND) / max(usual, TINY) - 1).clamp(0, 1)
    return torch.lerp(picture, _softened(picture, deviation), outline * hardness)


def _thickness(support: Tensor, deviation: float) -> Tensor:
    """(h, w) in [0, 1]: 0 around what is too thin or too small for its outline to be softened by so many pixels."""
    left = largest_around(gaussian(support, 2 * deviation), 2 * reach(deviation))
    return ((left - THIN) / (THICK - THIN)).clamp(0, 1)


def _outline(support: Tensor) -> Tensor:
    """(h, w) in [0, 1]: 1 where half of the object shows, 0 where all of it or nothing does."""
    return 4 * support * (1 - support)


def _gain(own: Pictures, laid: Tensor) -> float:
    """Fine contrast to be added, as a share of what is there: what blending has taken."""
    goal = _mean(_fine_contrast, FINE_REACH, own.context, own.lends)
    there = _mean(_fine_contrast, FINE_REACH, laid, own.support)
    gain: float = (goal / (there + TINY**2)) ** 0.5 - 1
    return min(max(gain, 0.0), CRISPER)


def _flatness(own: Pictures) -> float:
    """0 for a painting with light and shade, up to 1 for one that has none at all."""
    usual = _mean(_lightness, 0, own.context, own.lends)
    variance = _mean(lambda picture: (_lightness(picture) - usual).square_(), 0, own.context, own.lends)
    return max(0.0, 1 - float(variance**0.5) / FLAT)


# ---------------------------------------------------------------- measures


def _lightness(picture: Tensor) -> Tensor:
    """(h, w)."""
    return picture.mean(0)


def _fine(picture: Tensor) -> Tensor:
    """(3, h, w): its finest detail."""
    return picture - _softened(picture, FINEST)


def _fine_contrast(picture: Tensor) -> Tensor:
    """(h, w): the mean square of its finest detail."""
    return _fine(picture).square_().mean(0)


def _softened(picture: Tensor, sigma: float) -> Tensor:
    return torch.stack([gaussian(plane, sigma) for plane in picture])


def _steps(picture: Tensor) -> Tensor:
    """(h, w): how much lightness changes from each pixel of (3, h, w) to the next ones."""
    lightness = _lightness(picture)
    across, down = (F.pad(lightness.diff(dim=axis), padding) for axis, padding in ((1, (0, 1)), (0, (0, 0, 0, 1))))
    return (across.square() + down.square()).sqrt()


# ---------------------------------------------------------------- bands


def _bands(size: Size) -> Iterator[Box]:
    """All rows, some at a time."""
    rows = max(1, BAND // size[1])
    return (Box(top, 0, min(top + rows, size[0]), size[1]) for top in range(0, size[0], rows))


def _in_bands(make: Callable[[Box], Tensor], like: Tensor) -> Tensor:
    """(3, h, w), each band as it is made."""
    whole = torch.empty_like(like)
    for band in _bands((like.shape[1], like.shape[2])):
        band.of(whole).copy_(make(band))
    return whole


def _beyond(measure: Measure, picture: Tensor, band: Box, far: int) -> Tensor:
    """A band's measure, of pixels that so many others around them have a say in."""
    wide = band.grown(far, (picture.shape[1], picture.shape[2]))
    return band.within(wide).of(measure(wide.of(picture)))


def _mean(measure: Measure, far: int, picture: Tensor, counts: Tensor | None) -> float:
    """Of a measure (h, w) of a picture (3, h, w), where pixels count by (h, w); None: all the same."""
    size = picture.shape[1], picture.shape[2]
    counts = picture.new_ones(()).expand(size) if counts is None else counts
    sums = [float((_beyond(measure, picture, band, far) * band.of(counts)).sum()) for band in _bands(size)]
    return sum(sums) / max(float(counts.sum()), TINY)
