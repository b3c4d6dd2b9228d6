"""The picture as lightness and two opponent colours, the latter at a quarter of the resolution.

A feature network tells fine coloured noise from paint less well than an eye does, and what moves pixels freely leaves
such noise behind. Painted colours change slower than their lightness: coarse colours cannot speckle.
"""

from __future__ import annotations

import torch
from torch import Tensor

from painterly_engine.resample import resize

COARSER = 4
AXES = ((1.0, 1.0, 1.0), (1.0, -1.0, 0.0), (1.0, 1.0, -2.0))
"""Opponent axes of RGB, at right angles; scaled to length 1 where they are used."""


class Opponent:
    """The variables that stand for a picture.

    Args:
        picture: (3, h, w) RGB to start from. What of its colours is finer than the variables can say stays as it is.
    """

    def __init__(self, picture: Tensor) -> None:
        axes = picture.new_tensor(AXES)
        self.axes = axes / axes.norm(dim=1, keepdim=True)
        self.size = (picture.shape[1], picture.shape[2])
        planes = torch.einsum("ij,jhw->ihw", self.axes, picture)
        coarse = (max(2, self.size[0] // COARSER), max(2, self.size[1] // COARSER))
        self.lightness = planes[:1].clone().requires_grad_()
        self.colours = resize(planes[1:], coarse).requires_grad_()
        self.finer = planes[1:] - resize(self.colours.detach(), self.size)

    @property
    def variables(self) -> list[Tensor]:
        return [self.lightness, self.colours]

    def picture(self) -> Tensor:
        """(3, h, w) RGB, differentiable."""
        planes = torch.cat([self.lightness, resize(self.colours, self.size) + self.finer])
        return torch.einsum("ji,jhw->ihw", self.axes, planes)
