"""Every 3×3 feature patch of a source against every 3×3 patch of a target, one diagonal of row pairs at a time.

A patch score is a sum over the nine offsets d that stay inside at both ends, S(p, q) = Σ_d ⟨A_{p+d}, B_{q+d}⟩.
Unfolding patches into columns would multiply the work of the matrix product by nine; here positions are multiplied
once, G(p, q) = ⟨A_p, B_q⟩, and the nine shifts are added in score space. On diagonal δ row y of the source faces row
y + δ of the target. Both ends of d shift together, so the shifts in y are neighbours on the same diagonal, and what
lies off its end is exactly what the pairwise rule leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

SCORE_BYTES = 16 * 2**20
"""Of one block of scores; about eight such blocks are alive at a time, and larger ones fall out of the CPU's caches."""


def working_dtype(device: torch.device) -> torch.dtype:
    """Scores are accumulated in float64, as published, so that equal patches tie exactly; Metal has only float32."""
    return torch.float32 if device.type == "mps" else torch.float64


def ignore(_fraction: float) -> None:
    """A ``report`` for those who do not watch."""


@dataclass(frozen=True)
class Block:
    """Source rows ``source … source + rows`` facing target rows ``target … target + rows``, pair by pair.

    ``above`` and ``below`` (0 or 1) say whether the diagonal goes on past the block's ends.
    """

    source: int
    target: int
    rows: int
    above: int
    below: int

    def of_source(self, rows: Tensor) -> Tensor:
        """The block's rows with their neighbours on the diagonal, (above + rows + below, …)."""
        return rows[self.source - self.above : self.source + self.rows + self.below]

    def of_target(self, rows: Tensor) -> Tensor:
        """As ``of_source``, in the target."""
        return rows[self.target - self.above : self.target + self.rows + self.below]

    def add_neighbours(self, rows: Tensor) -> Tensor:
        """Each row plus the rows before and after it on the diagonal: (above + rows + below, …) → (rows, …)."""
        total = rows[self.above : self.above + self.rows].clone()
        total[1 - self.above :] += rows[: self.rows + self.above - 1]
        total[: self.rows + self.below - 1] += rows[self.above + 1 :]
        return total


def correlate(block: Block, source: Tensor, target: Tensor) -> Tensor:
    """S(p, q) for the row pairs of a block.

    Args:
        source: (h, w, C).
        target: (h2, C, w2).

    Returns:
        (rows, w, w2).
    """
    products = torch.bmm(block.of_source(source), block.of_target(target))
    sums = products.clone()
    sums[:, 1:, 1:] += products[:, :-1, :-1]
    sums[:, :-1, :-1] += products[:, 1:, 1:]
    return block.add_neighbours(sums)


def best_targets(
    source: Tensor, target: Tensor, score: Callable[[Block], Tensor], report: Callable[[float], None]
) -> Tensor:
    """The first target position of highest score, for every source position.

    Scores are compared as float32, as published: "first" is in raster order among scores equal to single precision.

    Args:
        source: (C, h, w), target: (C, h2, w2): looked at for their shapes only.
        score: of a block, (rows, w, w2).
        report: called after every block with the fraction done; may raise to stop.

    Returns:
        (h, w) int64, raster index into the target; 0 where every score is minus infinity.
    """
    (_, h, w), (_, h2, w2) = source.shape, target.shape
    best = torch.full((h, w), -torch.inf, device=source.device)
    field = torch.zeros((h, w), dtype=torch.int64, device=source.device)
    done = 0
    for block in _blocks(h, h2, max(1, SCORE_BYTES // (8 * w * w2))):
        rows = slice(block.source, block.source + block.rows)
        # torch promises the first of several maxima; later diagonals are later target rows, so > keeps the first.
        value, column = score(block).float().max(dim=2)
        row = torch.arange(block.target, block.target + block.rows, device=source.device)[:, None]
        better = value > best[rows]
        best[rows] = torch.where(better, value, best[rows])
        field[rows] = torch.where(better, row * w2 + column, field[rows])
        done += block.rows
        report(done / (h * h2))
    return field


def _blocks(h: int, h2: int, most: int) -> Iterator[Block]:
    """All row pairs, diagonal by diagonal, each in blocks of at most ``most`` pairs."""
    for shift in range(1 - h, h2):
        first = max(0, -shift)
        end = min(h, h2 - shift)
        for row in range(first, end, most):
            rows = min(most, end - row)
            yield Block(row, row + shift, rows, int(row > first), int(row + rows < end))
