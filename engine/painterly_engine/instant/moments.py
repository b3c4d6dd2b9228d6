"""Weighted mean and covariance of features, and the map that carries one pair into another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SHRINKAGE = 0.1
"""Part of the mean variance that is added to every channel's own: few positions, and channels that are silent in the
object, would else be blown up without bound."""


@dataclass(frozen=True)
class Moments:
    """Of C channels: mean (C,) and covariance (C, C)."""

    mean: Tensor
    covariance: Tensor


def moments(features: Tensor, weight: Tensor) -> Moments:
    """Of (C, h, w) features under weights (h, w), at least 0 and somewhere more."""
    flat, share = features.flatten(1), (weight / weight.sum()).flatten()
    mean = flat @ share
    centred = flat - mean[:, None]
    return Moments(mean, (centred * share) @ centred.T)


def regular(found: Moments) -> Moments:
    """With ``SHRINKAGE``: a covariance that can be inverted, even of one position or of a plain colour."""
    channels = len(found.mean)
    floor = SHRINKAGE * found.covariance.diagonal().mean() + 1e-6
    return Moments(found.mean, found.covariance + floor * torch.eye(channels).to(found.mean))


def transport(features: Tensor, own: Moments, goal: Moments, stretch: float = math.inf) -> Tensor:
    """(C, h, w) mapped so that moments ``own`` become ``goal``, moving everything as little as possible.

    The optimal transport between two Gaussians (Olkin & Pukelsheim 1982). Whitening and colouring (Li et al. 2017)
    gives the same moments, but turns features that could have stayed.

    Args:
        own, goal: with covariances that can be inverted (``regular``).
        stretch: no direction is stretched by more: a grey object's noise is no place for a painting's colours.
    """
    root, inverse = _power(own.covariance, 0.5), _power(own.covariance, -0.5)
    matrix = inverse @ _power(root @ goal.covariance.cpu().double() @ root, 0.5) @ inverse
    matrix = _power(matrix, 1.0, stretch).to(features.dtype)
    centred = features.flatten(1) - own.mean[:, None]
    return (matrix.to(features.device) @ centred + goal.mean[:, None]).view_as(features)


def _power(matrix: Tensor, exponent: float, most: float = math.inf) -> Tensor:
    """Of a symmetric matrix without negative eigenvalues, in float64, on the CPU, where every platform has it;
    eigenvalues above ``most`` count as that."""
    values, vectors = torch.linalg.eigh(matrix.cpu().double())
    scaled: Tensor = vectors * values.clamp(1e-12, most) ** exponent
    found: Tensor = scaled @ vectors.T
    return found
