"""Our own figures of a result: measured on the pictures, and in whatever network the run used.

They compare runs with each other; they are nobody else's and say nothing beside figures of another network.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from painterly_engine.losses.gram import gram_matrix
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.pictures.files import Bytes
from painterly_engine.report.record import Figure, Stage
from painterly_engine.resample import fit_longest
from painterly_engine.tensors import to_tensor

LONGEST = 512  # px at most for features, so that runs of different working sizes can be compared
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1")
CONTENT_LAYER = "relu4_1"
LOOSE_MASK = "loose mask"
EDGE, FAR = 2, 12  # px from the mask's outline: belongs to the edge, is elsewhere
Inside = NDArray[np.bool_]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@torch.no_grad()
def measure(
    painting: Bytes, composite: Bytes, result: Bytes, mask: Bytes, stages: list[Stage], network: FeatureNetwork
) -> list[Figure]:
    """All figures that can be taken.

    Args:
        painting, composite, result: (H, W, 3); mask: (H, W) at the same size.
        stages: the loose mask is looked for among them.
        network: on any device.
    """
    inside = mask > 127
    figures = [
        Figure(
            "seam",
            "Contrast along the object’s outline, compared with the painting elsewhere: 1 is seamless, more shows an "
            "edge, less a blur.",
            seam(composite, inside),
            seam(result, inside),
        )
    ]
    loose = next((stage.data for stage in stages if stage.name == LOOSE_MASK and stage.kind == "mask"), None)
    if loose is not None:
        figures.append(
            Figure(
                "changed outside",
                "The largest change, of 255, where nothing may change (outside the loose mask): must be 0.",
                None,
                outside(painting, result, loose),
            )
        )
    return figures + _in_network(painting, composite, result, inside, network)


@torch.no_grad()
def measure_whole(painting: Bytes, content: Bytes, result: Bytes, network: FeatureNetwork) -> list[Figure]:
    """The figures of a picture that was stylized as a whole.

    Args:
        painting: (H', W', 3); content, result: (H, W, 3).
        network: on any device.
    """
    device = network.get_buffer("mean").device
    styled, deep = network.available(STYLE_LAYERS), network.deepest(CONTENT_LAYER)

    def features(picture: Bytes) -> dict[str, Tensor]:
        height, width = fit_longest(picture.shape[0], picture.shape[1], min(LONGEST, max(picture.shape)))
        size = max(network.smallest_side(), height), max(network.smallest_side(), width)
        small = to_tensor(_small(picture, size), "picture", device)
        found: dict[str, Tensor] = network(small * network.layout.pixel_scale, {*styled, deep})
        return found

    def distance(found: dict[str, Tensor]) -> float:
        off = [_relative(_gram(found[layer]), _gram(imitated[layer])) for layer in styled]
        return sum(off) / len(off)

    imitated, before, after = features(painting), features(content), features(result)
    return [
        Figure(
            f"style distance in {network.name}",
            f"How far brushwork and colours are from the painting’s ({styled[0]} to {styled[-1]}): smaller is closer.",
            distance(before),
            distance(after),
        ),
        Figure(
            f"content changed in {network.name}",
            f"How much of the content has been given up ({deep}): 0 is nothing.",
            0.0,
            _relative(after[deep], before[deep]),
        ),
        Figure(
            "colours changed",
            "Mean change of a sample, of 255.",
            0.0,
            float(np.abs(result.astype(np.int16) - content).mean()),
        ),
    ]


def _gram(features: Tensor) -> Tensor:
    return gram_matrix(features, torch.ones_like(features[0]))


def _relative(found: Tensor, target: Tensor) -> float:
    return float((found - target).norm() / target.norm().clamp(min=1e-12))


def seam(picture: Bytes, inside: Inside) -> float | None:
    """Mean luminance gradient within ``EDGE`` px of the mask's outline over the mean farther than ``FAR`` px outside.

    Args:
        picture: (H, W, 3); inside: (H, W) bool.
    """
    luma = picture.astype(np.float32) @ LUMA
    steps = np.hypot(luma[:-1, 1:] - luma[:-1, :-1], luma[1:, :-1] - luma[:-1, :-1])
    here = inside[:-1, :-1]
    edge, elsewhere = _grown(here, EDGE) & _grown(~here, EDGE), ~_grown(here, FAR)
    if not edge.any() or not elsewhere.any() or steps[elsewhere].mean() == 0:
        return None
    return float(steps[edge].mean() / steps[elsewhere].mean())


def outside(painting: Bytes, result: Bytes, loose: Bytes) -> float | None:
    """The largest difference where the loose mask (h, w), of any size, and its neighbouring pixels are 0."""
    near = Image.fromarray(_grown(loose > 0, 1))
    forbidden = ~np.asarray(near.resize((painting.shape[1], painting.shape[0]), Image.Resampling.NEAREST))
    if not forbidden.any():
        return None
    return float(np.abs(result[forbidden].astype(np.int16) - painting[forbidden]).max())


def _in_network(
    painting: Bytes, composite: Bytes, result: Bytes, inside: Inside, network: FeatureNetwork
) -> list[Figure]:
    size = fit_longest(inside.shape[0], inside.shape[1], min(LONGEST, max(inside.shape)))
    if min(size) < network.smallest_side():
        return []
    device = network.get_buffer("mean").device
    mask = to_tensor(_small(np.where(inside, 255, 0).astype(np.uint8), size), "mask", device)
    styled, content = network.available(STYLE_LAYERS), network.deepest(CONTENT_LAYER)

    def features(picture: Bytes) -> dict[str, Tensor]:
        small = to_tensor(_small(picture, size), "picture", device)
        found: dict[str, Tensor] = network(small * network.layout.pixel_scale, {*styled, content})
        return found

    original, pasted, harmonized = features(painting), features(composite), features(result)
    span = f"{styled[0]} to {styled[-1]}" if len(styled) > 1 else "".join(styled)
    return [
        Figure(
            f"style distance in {network.name}",
            f"How far the object’s brushwork and colours are from the painting around ({span}): smaller is closer.",
            style_distance(pasted, original, mask, styled),
            style_distance(harmonized, original, mask, styled),
        ),
        Figure(
            f"object changed in {network.name}",
            f"How much of the object as it was pasted has been given up ({content}): 0 is nothing.",
            0.0,
            content_distance(harmonized[content], pasted[content], mask),
        ),
    ]


def style_distance(
    features: dict[str, Tensor], painting: dict[str, Tensor], mask: Tensor, layers: tuple[str, ...]
) -> float | None:
    """Mean over the layers of ‖G − G'‖ / ‖G'‖: Gram matrices of the picture inside the mask, the painting outside."""
    distances = []
    for layer in layers:
        inside, outside = _at(mask, features[layer]), _at(1 - mask, features[layer])
        if inside.sum() == 0 or outside.sum() == 0:
            return None
        target = gram_matrix(painting[layer], outside)
        distances.append(float((gram_matrix(features[layer], inside) - target).norm() / target.norm().clamp(min=1e-12)))
    return sum(distances) / len(distances) if distances else None


def content_distance(features: Tensor, composite: Tensor, mask: Tensor) -> float | None:
    """‖F − F'‖ / ‖F'‖ inside the mask."""
    inside = _at(mask, features)
    whole = (composite * inside).norm()
    return float(((features - composite) * inside).norm() / whole) if whole > 0 else None


def _small(picture: Bytes, size: tuple[int, int]) -> Bytes:
    """(h, w, C), averaged by area."""
    scaled = np.asarray(Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.BOX))
    return scaled.reshape(*size, -1)


def _at(mask: Tensor, features: Tensor) -> Tensor:
    """Positions that lie wholly inside the mask; of a thin object the most covered ones."""
    covered = F.interpolate(mask[None, None], features.shape[1:], mode="area")[0, 0]
    return (covered > min(0.9, 0.99 * float(covered.max()))).to(features)


def _grown(mask: Inside, pixels: int) -> Inside:
    """(H, W) dilated by a square, by counting along one axis after the other."""
    for axis in (0, 1):
        around = [(pixels + 1, pixels) if axis == a else (0, 0) for a in (0, 1)]
        counts = np.moveaxis(np.cumsum(np.pad(mask, around), axis=axis, dtype=np.int32), axis, 0)
        mask = np.moveaxis(counts[2 * pixels + 1 :] > counts[: -2 * pixels - 1], 0, axis)
    return mask
