"""Patch synthesis: one picture rebuilt from patches of another.

The published system searches with PatchMatch, which spreads lucky guesses along neighbours. Between a pasted object and
a painting neighbours seldom agree, and its five sweeps stay far from the nearest patches. This search sorts the
target's patches into cells around random patches of its own and compares every patch, in full, with all members of the
few cells nearest to it (an inverted file: Jégou, Douze and Schmid, "Product quantization for nearest neighbor search",
2011, section IV, without the quantization). It is also mostly matrix products.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 7
COMPONENTS = 12
"""Principal components in which patches are sorted into cells; comparisons are in full."""
SAMPLES = 4096
"""Patches from which the principal components are estimated."""
CROWD = 8
"""Cells of more than so many times the average lend that many random members: such are flat or repeated."""
GREY = 128
"""Subtracted from all values: then every sum in a comparison is a whole number below 2²⁴, exact in float32 in whatever
order it is added, so that a seed gives one field however work is chunked or shared among threads."""
BASIS_UNIT = 2**-10
"""Basis vectors are rounded to multiples of this, and what lies along them to whole numbers, to the same end."""
LEAST = 1e-9
"""Instead of dividing by nothing, where no patch covers a pixel."""
QUERIES = 2**20
"""Patches searched for at a time: an object as large as a large painting takes no more memory for the search."""
COMPARISONS = 2**21
"""Distances computed at a time: 8 MiB. Four times as many took 15 % longer, and with them a job's memory doubled now
and then: blocks of nearly 32 MiB may be kept by the C library."""


@dataclass(frozen=True)
class Effort:
    """
    Attributes:
        candidates: of the target's patches at most so many, drawn at random, take part.
        probes: cells searched for each patch.
    """

    candidates: int
    probes: int


THOROUGH = Effort(candidates=2**62, probes=16)


def synthesise(
    image: Tensor,
    target: Tensor,
    wanted: Tensor,
    generator: torch.Generator,
    report: Callable[[float], None],
    lends: Tensor | None = None,
) -> Tensor:
    """The image rebuilt as the mean of overlapping 7×7 patches of the target (algorithm.md 1.4, 1.7).

    Patches are anchored at their top left and compared by the sum of squared RGB differences. Images less than seven
    pixels high or wide use patches of their own height or width.

    Args:
        image: (3, H, W), whole values 0 to 255.
        target: (3, H2, W2), whole values 0 to 255.
        wanted: (H, W) bool, the pixels to rebuild.
        generator: on the images' device; its state decides the outcome.
        report: called with the fraction done; may raise to stop.
        lends: (H2, W2) bool, what of the target may be used; None: all of it.

    Returns:
        (3, H, W) whole values 0 to 255 in the wanted pixels, 0 elsewhere.
    """
    size = patch_size(image, target)
    queries = anchors_touching(wanted, size).flatten().nonzero()[:, 0]
    lent = None if lends is None else anchors_inside(lends, size)
    field, _ = nearest_patches(image, target, size, queries, generator, report, lent=lent)
    return vote(queries, field, target.permute(1, 2, 0).contiguous(), wanted, torch.ones(size)).round()


def patch_size(image: Tensor, target: Tensor) -> tuple[int, int]:
    """(height, width): 7×7, or what fits into both."""
    h, w = (min(PATCH, image.shape[axis], target.shape[axis]) for axis in (1, 2))
    return h, w


def anchors_touching(wanted: Tensor, size: tuple[int, int]) -> Tensor:
    """(H−h+1, W−w+1) bool: the patches that hold a wanted pixel; no others can matter."""
    return F.max_pool2d(wanted.float()[None], size, stride=1)[0] > 0


def anchors_inside(lends: Tensor, size: tuple[int, int]) -> Tensor:
    """(n,) raster indices of the patches all of whose pixels (H, W) lend themselves; where there is none, of those that
    hold such a pixel."""
    inside = 1 - F.max_pool2d(1 - lends.float()[None], size, stride=1)[0]
    found = inside if bool((inside > 0).any()) else anchors_touching(lends, size)
    return found.flatten().nonzero()[:, 0]


def nearest_patches(
    image: Tensor,
    target: Tensor,
    size: tuple[int, int],
    queries: Tensor,
    generator: torch.Generator,
    report: Callable[[float], None],
    effort: Effort = THOROUGH,
    lent: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """For every query a target patch about as near as the nearest: on average, with thorough effort, within 1 % of its
    distance.

    Args:
        image, target: (3, H, W) and (3, H2, W2), whole values 0 to 255.
        size: of the patches, (height, width).
        queries: (n,) raster indices of anchors in the image.
        lent: (m,) raster indices of the target's anchors that may be taken; None: all of them.

    Returns:
        (n,) raster indices of anchors in the target, and (n,) sums of squared differences.
    """
    return PatchIndex(target, size, generator, effort, lent).nearest(image, queries, report)


class PatchIndex:
    """A target's patches, sorted into cells; the arguments are those of ``nearest_patches``."""

    def __init__(
        self,
        target: Tensor,
        size: tuple[int, int],
        generator: torch.Generator,
        effort: Effort = THOROUGH,
        lent: Tensor | None = None,
    ) -> None:
        self._there, self._size, self._probes = _Patches(target - GREY, size), size, effort.probes
        count = self._there.count if lent is None else len(lent)
        shuffled = torch.randperm(count, generator=generator, device=generator.device)[: effort.candidates]
        shuffled = shuffled if lent is None else lent[shuffled]
        self._basis = _principal_components(self._there.at(shuffled[:SAMPLES]))
        self._cells = _sort_into_cells(self._there.along(self._basis, shuffled), shuffled)

    def nearest(self, image: Tensor, queries: Tensor, report: Callable[[float], None]) -> tuple[Tensor, Tensor]:
        """What ``nearest_patches`` returns. No query's answer depends on which others are asked."""
        here = _Patches(image - GREY, self._size)
        groups = torch.split(queries, QUERIES)

        def search(done: int) -> tuple[Tensor, Tensor]:
            def tell(fraction: float) -> None:
                report((done + fraction) / len(groups))

            return _nearest_members(here, self._there, groups[done], self._basis, self._cells, self._probes, tell)

        matches, distances = zip(*map(search, range(len(groups))), strict=True)
        return torch.cat(matches), torch.cat(distances)


def _nearest_members(
    here: _Patches,
    there: _Patches,
    queries: Tensor,
    basis: Tensor,
    cells: _Cells,
    probes: int,
    report: Callable[[float], None],
) -> tuple[Tensor, Tensor]:
    """Some of the queries, in the few cells nearest to each; what ``nearest_patches`` returns of them."""
    probed = _nearest(here.along(basis, queries), cells.centres, probes)
    asking = probed.flatten().argsort(stable=True) // probed.shape[1]
    asked = torch.bincount(probed.flatten(), minlength=len(cells.centres)).tolist()
    match = torch.zeros_like(queries)
    distance = torch.full(queries.shape, torch.inf, device=queries.device)
    for done, (members, group) in enumerate(zip(cells.members, torch.split(asking, asked), strict=True), start=1):
        theirs = there.at(members)
        for some in torch.split(group, max(1, COMPARISONS // len(members))):
            found, nearest = _compare(here.at(queries[some]), theirs)
            nearer = found < distance[some]
            distance[some] = torch.where(nearer, found, distance[some])
            match[some] = torch.where(nearer, members[nearest], match[some])
        report(done / len(asked))
    return match, distance


def vote(queries: Tensor, field: Tensor, target: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Every wanted pixel's mean over the patches that cover it; 0 elsewhere.

    Args:
        queries: (n,) raster indices of anchors in the image, all that touch a wanted pixel.
        field: (n,) raster indices of anchors in the target.
        target: (H2, W2, 3), contiguous.
        wanted: (H, W) bool.
        weights: (h, w), positive, of a patch's pixels in the means; of the patches' size.
    """
    height, width = wanted.shape
    size = (weights.shape[0], weights.shape[1])
    across = target.shape[1]
    into, out_of = (_corners(anchors, wide, size) for anchors, wide in ((queries, width), (field, across)))
    colours = target.flatten(0, 1)
    total = colours.new_zeros(height * width, 3)
    covered = colours.new_zeros(height * width, 1)
    for dy in range(size[0]):
        for dx in range(size[1]):
            # The patches of one step never share a pixel, so plain indexing adds them all.
            here = into + dy * width + dx
            total[here] += weights[dy, dx] * colours[out_of + dy * across + dx]
            covered[here] += weights[dy, dx]
    mean = total / covered.clamp(min=LEAST)
    return mean.T.reshape(3, height, width) * wanted


class _Patches:
    """All patches of a (3, H, W) image, by raster index of their anchors."""

    def __init__(self, image: Tensor, size: tuple[int, int]) -> None:
        self.size = size
        _, height, self.width = image.shape
        self.count = (height - size[0] + 1) * (self.width - size[1] + 1)
        self.numbers = image.permute(1, 2, 0).flatten()
        self.image = self.numbers.view(height, self.width, 3).permute(2, 0, 1)
        rows, columns = (torch.arange(n, device=image.device) for n in (size[0], 3 * size[1]))
        self.within = (rows[:, None] * 3 * self.width + columns).flatten()

    def at(self, anchors: Tensor) -> Tensor:
        """(n,) to (n, h·w·3), ordered rows, columns, channels."""
        return self.numbers[3 * _corners(anchors, self.width, self.size)[:, None] + self.within]

    def along(self, basis: Tensor, anchors: Tensor) -> Tensor:
        """Patches (n,) along a basis (K, h·w·3): (n, K) whole values. In strips, of which only what is wanted stays."""
        kernels = basis.view(-1, *self.size, 3).permute(0, 3, 1, 2)
        found = basis.new_zeros(len(anchors), len(basis))
        columns = self.width - self.size[1] + 1
        height = max(1, QUERIES // columns)
        for top in range(0, self.count // columns, height):
            inside = (anchors >= top * columns) & (anchors < (top + height) * columns)
            if inside.any():
                strip = self.image[None, :, top : top + height + self.size[0] - 1]
                planes = F.conv2d(strip, kernels)[0].round().flatten(1).T.contiguous()
                found[inside] = planes[anchors[inside] - top * columns]
        return found


def _corners(anchors: Tensor, width: int, size: tuple[int, int]) -> Tensor:
    """Raster indices among anchors to raster indices among the pixels of an image so wide."""
    columns = width - size[1] + 1
    return anchors // columns * width + anchors % columns


def _principal_components(patches: Tensor) -> Tensor:
    """(n, d) to (K, d): the directions in which they vary most, of length about 1."""
    numbers = patches.cpu().double()
    mean = numbers.mean(0)
    vectors: Tensor = torch.linalg.eigh(numbers.T @ numbers / len(numbers) - mean[:, None] * mean).eigenvectors
    basis = vectors.flip(1).T[:COMPONENTS]
    return ((basis / BASIS_UNIT).round() * BASIS_UNIT).to(patches.dtype).to(patches.device)


@dataclass(frozen=True)
class _Cells:
    centres: Tensor
    """(M, K), those that got a member."""
    members: list[Tensor]
    """Raster indices of anchors, one tensor for each centre."""


def _sort_into_cells(points: Tensor, shuffled: Tensor) -> _Cells:
    """Patches of the target's (n, K), each to the nearest of as many random ones as the square root of their number.

    ``shuffled``: (n,) their indices, in random order as they are. The first are the centres, and the order within a
    cell is theirs.
    """
    average = max(1, round(len(shuffled) ** 0.5))
    # Equal centres, as flat areas give, would take each other's members and use up the probes.
    centres = torch.unique(points[:average].cpu(), dim=0).to(points)
    cell = _nearest(points, centres, 1)[:, 0]
    population = torch.bincount(cell, minlength=len(centres))
    in_order = torch.split(shuffled[cell.argsort(stable=True)], population.tolist())
    return _Cells(centres[population > 0], [members[: CROWD * average] for members in in_order if len(members)])


def _nearest(points: Tensor, centres: Tensor, count: int) -> Tensor:
    """(n, K) and (M, K) to the indices of the nearest centres, (n, at most count)."""
    lengths = centres.square().sum(1)
    near = [
        torch.addmm(lengths, some, centres.T, alpha=-2).topk(min(count, len(centres)), largest=False).indices
        for some in torch.split(points, max(1, COMPARISONS // len(centres)))
    ]
    return torch.cat(near)


def _compare(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """Each of ours (n, d): least sum of squared differences to any of theirs (m, d), and which."""
    part, which = torch.addmm(theirs.square().sum(1), ours, theirs.T, alpha=-2).min(dim=1)
    return part + ours.square().sum(1), which
