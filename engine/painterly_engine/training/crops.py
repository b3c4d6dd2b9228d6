"""Batches of crops with augmentation, and their disturbed twins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.training.pictures import Array, Generator


@dataclass(frozen=True)
class Crops:
    """Draws random crops of a gallery, (n, 3, size, size) RGB in [0, 1]."""

    gallery: list[Array]
    size: int

    def draw(self, rng: Generator, count: int) -> Tensor:
        """Crops turned, mirrored, scaled and recoloured; a fifth have a piece of another pasted in."""
        batch = torch.stack([self._one(rng) for _ in range(count)])
        return _paste(rng, _recolour(rng, batch))

    def with_twins(self, rng: Generator, count: int, twins: int) -> Tensor:
        """``count`` crops, then the first ``twins`` of them again with fine noise, blur or another's fine detail."""
        clean = self.draw(rng, count)
        return torch.cat([clean, _disturb(rng, clean[:twins])])

    def _one(self, rng: Generator) -> Tensor:
        picture = self.gallery[rng.integers(len(self.gallery))]
        height, width = picture.shape[:2]
        most = min(height, width)
        side = int(min(most, self.size * np.exp(rng.uniform(np.log(0.75), np.log(2.5)))))
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        crop = np.rot90(picture[top : top + side, left : left + side], int(rng.integers(4)))
        crop = crop[:, ::-1] if rng.random() < 0.5 else crop
        tensor = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))
        shape = (self.size, self.size)
        return F.interpolate(tensor[None], size=shape, mode="bilinear", antialias=True, align_corners=False)[0]


def _uniform(rng: Generator, count: int, low: float, high: float, channels: int = 1) -> Tensor:
    return torch.from_numpy(rng.uniform(low, high, (count, channels, 1, 1)).astype(np.float32))


def _recolour(rng: Generator, batch: Tensor) -> Tensor:
    count = len(batch)
    grey = batch.mean(1, keepdim=True)
    batch = (grey + (batch - grey) * _uniform(rng, count, 0.3, 1.5)).clamp(0, 1)
    batch = batch ** _uniform(rng, count, -0.6, 0.6, 3).exp()
    shift = _uniform(rng, count, 0, 0.25)
    return (shift + batch * (_uniform(rng, count, 0.6, 1.0) - shift)).clamp(0, 1)


def _paste(rng: Generator, batch: Tensor) -> Tensor:
    """As composites have it: a hard-edged ellipse of another crop, in a fifth of the batch."""
    count, _, height, width = batch.shape
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    centre, radius = rng.uniform(-0.5, 0.5, (count, 2)), rng.uniform(0.2, 0.7, (count, 2))
    masks = torch.stack(
        [((x - c[0]) / r[0]) ** 2 + ((y - c[1]) / r[1]) ** 2 < 1 for c, r in zip(centre, radius, strict=True)]
    )
    chosen = torch.from_numpy(rng.random(count) < 0.2)[:, None, None] & masks
    return torch.where(chosen[:, None], batch.roll(1, 0), batch)


def _disturb(rng: Generator, batch: Tensor) -> Tensor:
    """Each crop changed a little in one of four ways: what a style loss must notice, above all speckle."""
    count = len(batch)
    blurred = F.avg_pool2d(F.pad(batch, (1, 1, 1, 1), mode="reflect"), 3, 1)
    noise = torch.from_numpy(rng.normal(size=batch.shape).astype(np.float32))
    y, x = torch.arange(batch.shape[2])[:, None], torch.arange(batch.shape[3])
    checks = noise.abs() * (1 - 2 * ((y + x) % 2))
    fine = batch.roll(1, 0) - blurred.roll(1, 0)
    amount = _uniform(rng, count, -4.5, -2.0).exp()
    ways = torch.stack([batch + noise * amount, batch + checks * amount, blurred, batch + fine])
    way = torch.from_numpy(rng.integers(len(ways), size=count))
    return ways[way, torch.arange(count)].clamp(0, 1)
