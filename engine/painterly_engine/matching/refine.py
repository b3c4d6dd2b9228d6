"""Spatial consistency of a field: each match replaced by the colour medoid of what its neighbours suggest."""

from __future__ import annotations

import torch
from torch import Tensor

from painterly_engine.matching.correlation import working_dtype

RADIUS = 2
CHUNK = 4096
"""Positions at a time; each needs 25 × 25 colour distances."""


def refine_field(field: Tensor, guide: Tensor, tight: Tensor) -> Tensor:
    """The refined field of pass two (algorithm.md 1.2 step 4); only positions inside the tight mask change.

    Position p collects Q(p) = {c(p+d) − d} over the 5×5 offsets d for which both p+d and the result are inside,
    repeated members counting. It then takes the first member, in the order dx outer, dy inner, of least mean colour
    distance ‖guide(q) − guide(q')‖₂ to all members, among those with 2 ≤ x < W−3 and 2 ≤ y < H−3 (asymmetric, as
    published). With no such member it keeps its match.

    Args:
        field: (h, w) int64 raster indices into the target.
        guide: (3, h2, w2) the painting's colours at the target's size, RGB in [0, 1].
        tight: (h, w) bool.

    Returns:
        (h, w) int64, a new tensor.
    """
    refined = field.clone()
    steps = torch.arange(-RADIUS, RADIUS + 1, device=field.device)
    # (25, 2) as (dy, dx), dx outer: the order decides ties.
    offsets = torch.cartesian_prod(steps, steps).flip(1)
    for positions in torch.split(tight.nonzero(), CHUNK):
        suggested, member = _suggestions(field, guide.shape[1:], positions, offsets)
        ys, xs = positions.unbind(1)
        refined[ys, xs] = _medoids(suggested, member, guide, field[ys, xs])
    return refined


def _suggestions(field: Tensor, size: tuple[int, ...], positions: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Q(p): (n, 25, 2) target coordinates (y, x), and (n, 25) bool whether they are members."""
    neighbours = positions[:, None] + offsets
    known = _inside(neighbours, field.shape, 0, 0)
    ys, xs = (neighbours * known[:, :, None]).unbind(2)
    matches = field[ys, xs]
    suggested = torch.stack([matches // size[1], matches % size[1]], dim=2) - offsets
    return suggested, known & _inside(suggested, size, 0, 0)


def _medoids(suggested: Tensor, member: Tensor, guide: Tensor, unchanged: Tensor) -> Tensor:
    """(n,) raster indices of the members of least mean distance to all members, or ``unchanged`` without candidates."""
    ys, xs = (suggested * member[:, :, None]).unbind(2)
    colours = guide.to(working_dtype(guide.device))[:, ys, xs].permute(1, 2, 0)
    distances = torch.cdist(colours, colours, compute_mode="donot_use_mm_for_euclid_dist") * member[:, None]
    energies = distances.sum(2) / member.sum(1, keepdim=True).clamp(min=1)
    candidate = member & _inside(suggested, guide.shape[1:], RADIUS, RADIUS + 1)
    # Compared as float32, so that distances equal but for their rounding tie and the first wins.
    first = energies.float().masked_fill(~candidate, torch.inf).argmin(dim=1, keepdim=True)
    chosen = (ys * guide.shape[2] + xs).gather(1, first)[:, 0]
    return torch.where(candidate.any(dim=1), chosen, unchanged)


def _inside(places: Tensor, size: tuple[int, ...], low: int, high: int) -> Tensor:
    """Whether (…, 2) coordinates are at least ``low`` and less than the size minus ``high``."""
    ends = torch.tensor(size, device=places.device) - high
    return ((places >= low) & (places < ends)).all(dim=-1)
