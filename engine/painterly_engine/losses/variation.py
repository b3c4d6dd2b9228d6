"""Smoothness as total variation over the corner of pixels with a right and a lower neighbour (algorithm.md 1.1)."""

from __future__ import annotations

import torch
from torch import Tensor


def corner_variation(x: Tensor) -> Tensor:
    """(dx² + dy²)/2 of (3, H, W) at every pixel that has both neighbours: (3, H-1, W-1)."""
    corner = x[:, :-1, :-1]
    return ((corner - x[:, :-1, 1:]).square() + (corner - x[:, 1:, :-1]).square()) / 2


def variation_gradient(x: Tensor) -> Tensor:
    """The gradient of ``corner_variation(x).sum()``, (3, H, W), x in pixel values of about 0 to 255."""
    corner = x[:, :-1, :-1]
    across, down = corner - x[:, :-1, 1:], corner - x[:, 1:, :-1]
    gradient = torch.zeros_like(x)
    gradient[:, :-1, :-1] += across + down
    gradient[:, :-1, 1:] -= across
    gradient[:, 1:, :-1] -= down
    return gradient
