"""Edge-preserving smoothing guided by a colour image."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Mean = Callable[[Tensor, int], Tensor]
"""Of (…, H, W) in square windows of a radius, which shrink at the borders."""


def at_once(planes: Tensor, radius: int) -> Tensor:
    """All of a window in one sum."""
    # Padding that does not count is a window that shrinks.
    return F.avg_pool2d(planes, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)


def by_rows(planes: Tensor, radius: int) -> Tensor:
    """Rows, then columns: the same but for rounding, and much faster where windows are large."""
    side = 2 * radius + 1
    rows = F.avg_pool2d(planes, (1, side), stride=1, padding=(0, radius), count_include_pad=False)
    return F.avg_pool2d(rows, (side, 1), stride=1, padding=(radius, 0), count_include_pad=False)


def guided_filter(planes: Tensor, guide: Tensor, radius: int, epsilon: float, mean_of: Mean = at_once) -> Tensor:
    """The guided filter with a colour guide (He, Sun and Tang, "Guided image filtering", 2010).

    In every window the plane is fitted by ridge regression on the guide's three channels; each pixel gets the mean of
    the fits of the windows that hold it. Windows shrink at the borders.

    Args:
        planes: (N, H, W), each filtered on its own, any range.
        guide: (3, H, W) RGB in [0, 1].
        radius: of the square windows, in pixels: 2·radius + 1 on a side.
        epsilon: ridge added to the guide's covariance.
        mean_of: how windows are summed.

    Returns:
        (N, H, W).
    """

    def mean(images: Tensor) -> Tensor:
        return mean_of(images, radius)

    mean_guide, mean_planes = mean(guide), mean(planes)
    covariance = mean((guide[:, None] * guide[None]).flatten(0, 1)).view(3, *guide.shape)
    covariance = covariance - mean_guide[:, None] * mean_guide[None]
    covariance = covariance + epsilon * torch.eye(3).to(guide)[:, :, None, None]
    cross = mean((guide[:, None] * planes[None]).flatten(0, 1)).view(3, *planes.shape)
    slopes = _solve(covariance, cross - mean_guide[:, None] * mean_planes[None])
    offsets = mean_planes - (slopes * mean_guide[:, None]).sum(0)
    return (mean(slopes.flatten(0, 1)).view_as(slopes) * guide[:, None]).sum(0) + mean(offsets)


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Cramer's rule for a 3×3 system at every pixel: (3, 3, H, W) and (3, N, H, W) to (3, N, H, W)."""
    first, second, third = (column[:, None] for column in matrix.unbind(1))
    determinant = _triple(first, second, third)
    return (
        torch.stack([_triple(right, second, third), _triple(first, right, third), _triple(first, second, right)])
        / determinant
    )


def _triple(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The determinant of three columns (3, …)."""
    return a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
