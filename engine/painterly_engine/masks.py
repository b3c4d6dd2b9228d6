"""The masks made from the object's tight mask, and what they do to pictures and features (algorithm.md 1.0, 1.4)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.network.features import POOL, FeatureNetwork
from painterly_engine.resample import scale_bilinear

LOOSE_KERNEL, LOOSE_SIGMA, LOOSE_THRESHOLD = 35, 35 / 3, 0.1
BLEND_KERNEL, BLEND_SIGMA = 7, 21.0  # the library's sigma is relative to the size, so this is nearly a flat box


def loose_mask(tight: Tensor) -> Tensor:
    """Where pixels may change: the tight mask blurred and cut low, 35 px of the working size wide (algorithm.md 1.4).

    Args:
        tight: (H, W) in [0, 1].

    Returns:
        (H, W), 0 or 1.
    """
    return (_gaussian_blur(tight, LOOSE_KERNEL, LOOSE_SIGMA) > LOOSE_THRESHOLD).to(tight)


def blend_mask(tight: Tensor) -> Tensor:
    """t of algorithm.md 1.1 step 7: the tight mask, (H, W) in [0, 1], softened over 7 px."""
    return _gaussian_blur(tight, BLEND_KERNEL, BLEND_SIGMA)


def blend(picture: Tensor, painting: Tensor, t: Tensor) -> Tensor:
    """t∘picture + (1-t)∘painting, pictures (3, H, W), t (H, W)."""
    return t * picture + (1 - t) * painting


def layer_masks(mask: Tensor, network: FeatureNetwork, layers: Iterable[str]) -> dict[str, Tensor]:
    """The mask as it arrives at each layer: averaged 3×3 by every convolution, by area at every pooling.

    Args:
        mask: (H, W) in [0, 1], the loose mask.
        network: gives the chain, and whether its poolings keep the odd last row and column.
        layers: relu names.

    Returns:
        (h, w) in [0, 1] by name, each of its feature's own size.
    """
    wanted = set(layers)
    found: dict[str, Tensor] = {}
    for step in network.steps:
        if len(found) == len(wanted):
            break
        if step == POOL:
            height, width = (-(-side // 2) if network.layout.ceil_pool else side // 2 for side in mask.shape)
            mask = scale_bilinear(mask, (height, width))
        else:
            mask = F.avg_pool2d(mask[None], 3, stride=1, padding=1, count_include_pad=True)[0]
        if step in wanted:
            found[step] = mask
    return found


def _gaussian_blur(mask: Tensor, size: int, sigma: float) -> Tensor:
    """Blurs (H, W) with a ``size``×``size`` Gaussian that sums to 1, zeros around the border."""
    offsets = torch.arange(size, device=mask.device, dtype=mask.dtype) - size // 2
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    rows = F.conv2d(mask[None, None], kernel.view(1, 1, 1, size), padding=(0, size // 2))
    return F.conv2d(rows, kernel.view(1, 1, size, 1), padding=(size // 2, 0))[0, 0]
