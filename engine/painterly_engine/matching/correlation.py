"""3×3 feature patches of a source against every 3×3 patch of a target, one diagonal of row pairs at a time.

A patch score is a sum over the nine offsets d that stay inside at both ends, S(p, q) = Σ_d ⟨A_{p+d}, B_{q+d}⟩.
Unfolding patches into columns would multiply the work of the matrix product by nine; here positions are multiplied
once, G(p, q) = ⟨A_p, B_q⟩, and the nine shifts are added in score space. On diagonal δ row y of the source faces row
y + δ of the target. Both ends of d shift together, so the shifts in y are neighbours on the same diagonal, and what
lies off its end is exactly what the pairwise rule leaves out.

The target is taken in bands of rows and the diagonals in blocks, so that memory stays within a budget at any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from painterly_engine.window import Box, Size

CACHED_BYTES = 16 * 2**20
"""Of one block of scores on a CPU; larger ones fall out of its caches."""
BLOCKS_ALIVE = 8
CPU_BUDGET, GPU_BUDGET = 64 * 2**20, 2**30
"""Bytes that a matching may take, unless told otherwise, beside what it is given and gives back."""


def usual_budget(device: torch.device) -> int:
    return CPU_BUDGET if device.type == "cpu" else GPU_BUDGET


def working_dtype(device: torch.device) -> torch.dtype:
    """Scores are accumulated in float64, as published, so that equal patches tie exactly; Metal has only float32."""
    return torch.float32 if device.type == "mps" else torch.float64


def ignore(_fraction: float) -> None:
    """A ``report`` for those who do not watch."""


@dataclass(frozen=True)
class Query:
    """Which positions of a picture are to be matched, when they are not all.

    Attributes:
        positions: the box of them, in the whole picture.
        given: the box whose features are given: the positions and, inside the picture, all their neighbours.
        size: (h, w) of the whole picture's features.
    """

    positions: Box
    given: Box
    size: Size

    @classmethod
    def everything(cls, features: Tensor) -> Query:
        size = (features.shape[1], features.shape[2])
        return cls(Box.whole(size), Box.whole(size), size)

    def in_whole(self, field: Tensor) -> Tensor:
        """The field (h, w) of the positions in a field of the whole picture, where every other position, in a target of
        the same size, is its own match."""
        height, width = self.size
        whole = torch.arange(height * width, device=field.device).view(self.size)
        self.positions.of(whole).copy_(field)
        return whole


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


@dataclass(frozen=True)
class Band:
    """Rows of the target: those to be compared are ``rows`` of the (h2, C, w2) ``features``, which has their neighbours
    too; ``first`` is the place of ``features``'s first row in the whole target."""

    features: Tensor
    rows: range
    first: int


Score = Callable[[Block], Tensor]
"""(rows, w, w2) for a block."""


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
    source: Tensor,
    target: Tensor,
    query: Query,
    prepare: Callable[[Tensor], Tensor],
    scored: Callable[[Tensor, Band], Score],
    report: Callable[[float], None],
    budget: int | None,
) -> Tensor:
    """The first target position of highest score, for every position of the query.

    Scores are compared as float32, as published: "first" is in raster order among scores equal to single precision.

    Args:
        source: (C, h, w), target: (C, h2, w2).
        query: which positions; the source is what it calls ``given``.
        prepare: (C, …) features to those that are multiplied, in the working type.
        scored: the source as (h, w, C) and a band of the target to the score of their blocks.
        report: called after every block with the fraction done; may raise to stop.
        budget: bytes; ``usual_budget`` without it.

    Returns:
        (h, w) int64 for the query's box, raster index into the target; 0 where every score is minus infinity.
    """
    budget = usual_budget(source.device) if budget is None else budget
    a = prepare(source).permute(1, 2, 0).contiguous()
    asked = query.positions.within(query.given)
    columns = slice(asked.left, asked.right)
    best = torch.full(asked.size, -torch.inf, device=source.device)
    field = torch.zeros(asked.size, dtype=torch.int64, device=source.device)
    (_, h2, w2), pair = target.shape, a.element_size() * a.shape[1] * target.shape[2]
    most = max(1, _block_bytes(source.device, budget) // pair)
    done = 0
    for band in _bands(target, prepare, a.element_size(), budget):
        score = scored(a, band)
        for block in _blocks(range(asked.top, asked.bottom), len(a), band.rows, len(band.features), most):
            # torch promises the first of several maxima; later diagonals are later target rows, so > keeps the first.
            value, column = score(block)[:, columns].float().max(dim=2)
            row = torch.arange(block.rows, device=source.device)[:, None] + (band.first + block.target)
            rows = slice(block.source - asked.top, block.source - asked.top + block.rows)
            better = value > best[rows]
            best[rows] = torch.where(better, value, best[rows])
            field[rows] = torch.where(better, row * w2 + column, field[rows])
            done += block.rows
            report(done / (asked.size[0] * h2))
    return field


def _block_bytes(device: torch.device, budget: int) -> int:
    """Of one block of scores: half the budget shared by those alive, the other half is the band's."""
    share = budget // 2 // BLOCKS_ALIVE
    return min(share, CACHED_BYTES) if device.type == "cpu" else share


def _bands(target: Tensor, prepare: Callable[[Tensor], Tensor], item: int, budget: int) -> Iterator[Band]:
    """The target from top to bottom, prepared, in bands that take up to half the budget (a copy in the making is as
    large again)."""
    channels, h2, w2 = target.shape
    height = max(1, budget // 4 // (item * channels * w2) - 2)
    for top in range(0, h2, height):
        bottom = min(h2, top + height)
        first = max(0, top - 1)
        features = prepare(target[:, first : bottom + 1]).permute(1, 0, 2).contiguous()
        yield Band(features, range(top - first, bottom - first), first)


def _blocks(asked: range, h: int, compared: range, h2: int, most: int) -> Iterator[Block]:
    """All pairs of rows asked for and compared, diagonal by diagonal, each in blocks of at most ``most`` pairs."""
    for shift in range(compared.start - asked.stop + 1, compared.stop - asked.start):
        first = max(asked.start, compared.start - shift)
        end = min(asked.stop, compared.stop - shift)
        for row in range(first, end, most):
            rows = min(most, end - row)
            target = row + shift
            above = row > 0 and target > 0
            below = row + rows < h and target + rows < h2
            yield Block(row, target, rows, int(above), int(below))
