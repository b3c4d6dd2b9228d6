"""The published post-process: quieter colours, and surfaces rebuilt from the painting's own patches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.finishing.colour import lab_to_rgb, rgb_to_lab
from painterly_engine.finishing.guided import guided_filter
from painterly_engine.finishing.patches import synthesise
from painterly_engine.style import lent

KERNEL = 7
MASK_SIGMA = 3.0
MASK_THRESHOLD = 0.01
DETAIL_SIGMA = 1.0
GUIDED_RADIUS = 2
GUIDED_EPSILON = 0.1**2


@dataclass(frozen=True)
class Finished:
    """
    Attributes:
        picture: (3, H, W), the object rebuilt, about 0 to 1; meaningless where the weight is 0.
        weight: (H, W) in [0, 1], how much of it shows.
    """

    picture: Tensor
    weight: Tensor

    def over(self, painting: Tensor) -> Tensor:
        """(3, H, W) in [0, 1]: laid over the painting, which shows untouched where the weight is 0."""
        return (self.picture * self.weight + painting * (1 - self.weight)).clamp(0, 1)


def finish(
    result: Tensor,
    painting: Tensor,
    composite: Tensor,
    tight: Tensor,
    seed: int,
    report: Callable[[float], None] = lambda _fraction: None,
    lends: Tensor | None = None,
) -> Finished:
    """Pass two's picture, finished (algorithm.md 1.4); ``over(painting)`` is the published final picture.

    Its chrominance is smoothed along the composite's edges; then its surfaces are rebuilt from the painting's patches
    and its own finest detail put back.

    Args:
        result: (3, H, W) RGB in [0, 1], pass two's picture as saved: blended with the painting, in steps of 1/255.
        painting: (3, H, W) RGB in [0, 1].
        composite: (3, H, W) RGB in [0, 1], the object pasted in.
        tight: (H, W) mask in [0, 1].
        seed: decides the random search for patches; on one device the same seed gives the same picture.
        report: called with the fraction done; may raise to stop.
        lends: (H, W) in [0, 1], how much of each place of the painting may be imitated; None: all of it.
    """
    weight = soft_mask(tight)
    smooth = smooth_chrominance(result, composite)
    generator = torch.Generator(device=result.device).manual_seed(seed)
    places = None if lends is None else lent(lends, (painting.shape[1], painting.shape[2]))
    base = synthesise(to_bytes(smooth), to_bytes(painting), weight > 0, generator, report, places) / 255
    report(1.0)
    return Finished(base + smooth - blur(smooth, DETAIL_SIGMA), weight)


def soft_mask(tight: Tensor) -> Tensor:
    """(H, W): the tight mask blurred, raised to 1 wherever that reaches, and blurred again."""
    blurred = blur(tight[None], MASK_SIGMA)
    reached = torch.where(blurred > MASK_THRESHOLD, 1.0, torch.where(blurred < MASK_THRESHOLD, 0.0, blurred))
    return blur(reached, MASK_SIGMA)[0]


def smooth_chrominance(image: Tensor, guide: Tensor) -> Tensor:
    """The image with its a* and b* guided-filtered by the guide, both (3, H, W) RGB in [0, 1]; L* is kept."""
    lab = rgb_to_lab(image)
    chrominance = guided_filter(lab[1:], guide, GUIDED_RADIUS, GUIDED_EPSILON)
    return lab_to_rgb(torch.cat([lab[:1], chrominance]))


def blur(planes: Tensor, sigma: float) -> Tensor:
    """(N, H, W) filtered with a 7×7 Gaussian of that many pixels, zeros outside, as Matlab's imfilter has it."""
    steps = torch.arange(KERNEL, device=planes.device) - KERNEL // 2
    weights = torch.exp(-(steps**2) / (2 * sigma**2))
    weights = (weights / weights.sum()).to(planes.dtype)
    rows = F.conv2d(planes[:, None], weights.view(1, 1, -1, 1), padding=(KERNEL // 2, 0))
    return F.conv2d(rows, weights.view(1, 1, 1, -1), padding=(0, KERNEL // 2))[:, 0]


def to_bytes(image: Tensor) -> Tensor:
    """[0, 1] to whole values 0 to 255, truncated; what were bytes before come back as they were."""
    # 29/255·255 is 28.999998 in float32: the nudge undoes what division lost, no more.
    return (image.clamp(0, 1) * 255 + 1e-3).floor()
