"""What a good repainting is, as one function of the picture.

Four parts, each relative to its own target so that a weight means the same for every painting, network and size:

- style: how far the Gram matrices under the support are from the painting's (Gatys et al. 2016), over its shallow
  layers; the painting's positions that the object's patches are most like count four times as much as the whole
  (Luan et al. 2018 choose such positions for their second pass; a choice alone would forget the rest of the palette);
- patches: how far each 3×3 patch of features is from the painting's most alike (Li and Wand 2016);
- content: how far middle and deep features are from the composite's (Gatys et al. 2016);
- shading: how far from following the composite's its softened lightness is (their correlation). Features tell that
  there is an eye or a rim, and are content with one of another shape; a painter changes colours, contrast and strokes
  and leaves light and shade where they are.

The picture is blended with the painting before any of it is computed, so that edges are judged as they will be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from painterly_engine.network.features import FeatureNetwork
from painterly_engine.repaint.neighbours import Distance, Vocabulary, patches
from painterly_engine.repaint.support import gaussian
from painterly_engine.resample import resize
from painterly_engine.style import lent

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
PATCH_LAYER = "relu3_1"
CONTENT_LAYERS = ("relu3_1", "relu4_1")
CHOSEN = 0.8
"""Share of the chosen positions in the painting's Gram matrices."""
COVERED = 0.2
"""Positions whose support is at least this, or half of the largest, take part in matching."""
OVERSHOOT = 0.1
"""Weight of what leaves [0, 1], squared and summed."""
SOFTENED = 0.005
"""Deviation, as a share of the surroundings' longest side, by which lightness is softened: strokes are finer."""
PLAIN = 1e-3
"""Variance of lightness below which an object has little light and shade that could be lost."""
FAINT = 1e-7
"""Variance of lightness that nobody sees."""
TINY = 1e-8


@dataclass(frozen=True)
class Weights:
    """How much each part counts; only their proportions matter."""

    style: float
    patches: float
    content: float
    shading: float


@dataclass(frozen=True)
class Pictures:
    """One scale's pictures, all RGB in about [0, 1].

    Attributes:
        context: (3, H, W), the part of the painting that is imitated.
        ground: (3, h, w), the painting in the object's surroundings.
        composite: (3, h, w), the object in its surroundings.
        support: (h, w) in [0, 1].
        lends: (H, W) in [0, 1], how much of each place of the context may be imitated; None: all of it.
    """

    context: Tensor
    ground: Tensor
    composite: Tensor
    support: Tensor
    lends: Tensor | None = None

    def blend(self, picture: Tensor) -> Tensor:
        """(3, h, w): as it will be seen."""
        return torch.lerp(self.ground, picture, self.support)


class Objective:
    """One scale's function. ``aim`` chooses the patches to imitate; between two calls of it, it is one smooth function.

    Args:
        pictures: of the scale.
        network: any; what it lacks of the layers is left out, or taken one block earlier.
        weights: of the four parts.
    """

    @torch.no_grad()
    def __init__(self, pictures: Pictures, network: FeatureNetwork, weights: Weights) -> None:
        self.pictures, self.network, self.weights = pictures, network, weights
        self.styled = network.available(STYLE_LAYERS)
        self.patched = network.deepest(PATCH_LAYER)
        self.kept = {network.deepest(layer) for layer in CONTENT_LAYERS}
        self.layers = {*self.styled, self.patched, *self.kept}
        self.painting = self._features(pictures.context)
        composite = self._features(pictures.blend(pictures.composite))
        self.covers = {layer: resize(pictures.support, _size(found)) for layer, found in composite.items()}
        self.content = {layer: composite[layer] for layer in sorted(self.kept)}
        self.energies = {
            layer: (found.square() * self.covers[layer]).sum() + TINY for layer, found in self.content.items()
        }
        self.area = pictures.support.sum() + TINY
        self.deviation = max(1.0, SOFTENED * max(pictures.support.shape))
        self.lightness = self._lightness(pictures.composite)
        self.contrast = self._mean(self.lightness.square())
        cover = self.covers[self.patched].flatten()
        self.positions = (cover >= min(COVERED, float(cover.max()) / 2)).nonzero()[:, 0]
        self.counts = cover[self.positions] / cover[self.positions].sum()
        lenders = {layer: self._lent(layer) for layer in self.layers}
        self.vocabulary = Vocabulary(self.painting[self.patched], lenders[self.patched])
        self.general = {layer: _gram(self.painting[layer], lenders[layer]) for layer in self.styled}

    @torch.no_grad()
    def aim(self, picture: Tensor, report: Callable[[float], None]) -> Tensor:
        """Choose what each patch of a picture (3, h, w) is to become.

        Returns:
            (h', w') int64, raster indices into the context's features at the patches' layer; -1 where nothing matches.
        """
        features = self._features(self.pictures.blend(picture))[self.patched]
        nearest = self.vocabulary.nearest(self.vocabulary.directions(features, self.positions), report)
        wanted = patches(self.painting[self.patched], nearest)
        self.distance = Distance(self.positions, _size(features), wanted)
        size = self.painting[self.patched].shape[1:]
        chosen = self.counts.new_zeros(size.numel())
        chosen.index_add_(0, nearest, self.counts)
        self.grams = {layer: self._gram_wanted(layer, chosen.view(size)) for layer in self.styled}
        field = torch.full((features.shape[1] * features.shape[2],), -1, device=picture.device)
        field[self.positions] = nearest
        return field.view(features.shape[1:])

    def __call__(self, picture: Tensor) -> dict[str, Tensor]:
        """The parts, weighted, by name, for (3, h, w); differentiable. Their sum is the function."""
        features = self._features(self.pictures.blend(picture))
        beyond = (picture - picture.clamp(0, 1)).square().sum()
        return {
            "style": self.weights.style * self._style(features) + OVERSHOOT * beyond,
            "patches": self.weights.patches * self._far(features[self.patched]),
            "content": self.weights.content * self._lost(features),
            "shading": self.weights.shading * self._misshaded(picture),
        }

    def _features(self, picture: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = self.network(picture * self.network.layout.pixel_scale, self.layers)
        return found

    def _lent(self, layer: str) -> Tensor | None:
        """(h, w) bool: the context's positions at a layer that may be imitated; None: all of them."""
        lends = self.pictures.lends
        return None if lends is None else lent(lends, _size(self.painting[layer]))

    def _gram_wanted(self, layer: str, chosen: Tensor) -> Tensor:
        particular = _gram(self.painting[layer], resize(chosen, _size(self.painting[layer])))
        return torch.lerp(self.general[layer], particular, CHOSEN)

    def _style(self, features: dict[str, Tensor]) -> Tensor:
        parts = []
        for layer in self.styled:
            wanted = self.grams[layer]
            off = _gram(features[layer], self.covers[layer]) - wanted
            parts.append(off.square().sum() / (wanted.square().sum() + TINY))
        return torch.stack(parts).mean()

    def _far(self, features: Tensor) -> Tensor:
        return (self.distance(features) * self.counts).sum() / ((self.distance.energies * self.counts).sum() + TINY)

    def _lost(self, features: dict[str, Tensor]) -> Tensor:
        parts = [
            ((features[layer] - wanted).square() * self.covers[layer]).sum() / self.energies[layer]
            for layer, wanted in self.content.items()
        ]
        return torch.stack(parts).mean()

    def _lightness(self, picture: Tensor) -> Tensor:
        """(h, w), as it will be seen, softened, above its mean under the support."""
        softened = gaussian(self.pictures.blend(picture).mean(0), self.deviation)
        return softened - self._mean(softened)

    def _mean(self, plane: Tensor) -> Tensor:
        """Of (h, w), under the support."""
        return (plane * self.pictures.support).sum() / self.area

    def _misshaded(self, picture: Tensor) -> Tensor:
        """0 where lightness goes with the composite's, 2 where it is unlike it, 4 where it is its negative; less for an
        object that is plain."""
        now = self._lightness(picture)
        together, variance = self._mean(now * self.lightness), self._mean(now.square())
        likeness = together / ((variance + FAINT) * (self.contrast + FAINT)).sqrt()
        return 2 * (1 - likeness) * self.contrast / (self.contrast + PLAIN)


def _size(features: Tensor) -> tuple[int, int]:
    return features.shape[1], features.shape[2]


def _gram(features: Tensor, cover: Tensor | None) -> Tensor:
    """(C, C) mean products of (C, h, w), positions counted by a cover (h, w)."""
    rows = features.permute(1, 2, 0).flatten(0, 1)
    if cover is None:
        return rows.T @ rows / len(rows)
    found: Tensor = _Products.apply(rows, cover.flatten()[:, None])
    return found / (cover.sum() + TINY)


class _Products(torch.autograd.Function):
    """Σ cover·row·rowᵀ, (C, C), of rows (n, C) and a cover (n, 1). It is symmetric: the way back is one product, not
    two."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, cover: Tensor) -> Tensor:
        counted = rows * cover
        ctx.save_for_backward(counted)
        return counted.T @ rows

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (counted,) = ctx.saved_tensors
        return counted @ (gradient + gradient.T), None
