"""What both passes share: the numbers they optimise, and what they tell their observer at every evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from painterly_engine.lbfgs import Settings, minimise
from painterly_engine.network.features import FeatureNetwork, Layout
from painterly_engine.progress import Observer
from painterly_engine.soundness import not_finite
from painterly_engine.window import Box
from painterly_engine.workspace import Workspace
from painterly_protocol.messages import Phase

LOSSES_EVERY = 10  # reading a loss waits for the device


def for_iterating(network: FeatureNetwork) -> FeatureNetwork:
    """The amplified network, its filters laid out channels last: the convolutions then lay their results out so too,
    which is a third faster with the built-in network on a CPU, and what a GPU's matrix units want."""
    found: FeatureNetwork = network.amplified().to(memory_format=torch.channels_last)
    return found


class Iterations:
    """Counts evaluations and reports them.

    Args:
        observer: is told.
        phase: of the pass.
        iterations: how many there will be at most.
        picture: (3, H, W) RGB, about 0 to 1, before the first.
        box: the part of it that is optimised.
        pixel_scale: of the optimised pixels.
        start: the fraction of the phase that was done before the first iteration.
    """

    def __init__(
        self,
        observer: Observer,
        phase: Phase,
        iterations: int,
        picture: Tensor,
        box: Box,
        pixel_scale: float,
        start: float = 0.0,
    ) -> None:
        self.observer, self.phase, self.iterations = observer, phase, iterations
        self.picture, self.pixel_scale, self.start = picture.clone(), pixel_scale, start
        self.changing = box.of(self.picture)
        self.done = 0

    def tick(self, pixels: Tensor, values: Mapping[str, Tensor]) -> None:
        """One more evaluation: of these pixels (3, h, w) of the box, with these losses (0-dimensional)."""
        self.done += 1
        due = self.done % LOSSES_EVERY == 1
        losses = {name: float(value) for name, value in values.items()} if due else None
        fraction = self.start + (1 - self.start) * self.done / self.iterations
        self.observer.report(self.phase, fraction, iteration=self.done, iterations=self.iterations, losses=losses)
        self.observer.picture(lambda: self._picture(pixels))

    def _picture(self, pixels: Tensor) -> Tensor:
        self.changing.copy_(pixels).div_(self.pixel_scale)
        return self.picture


def optimise(
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]],
    picture: Tensor,
    workspace: Workspace,
    layout: Layout,
    settings: Settings,
) -> Tensor:
    """L-BFGS on those pixels of a picture (3, H, W), about 0 to 1, that the loose mask lets change, in the numbers that
    the layout's network sees.

    Pixels whose gradient is always 0 never move, and take no part in any sum that L-BFGS makes.

    Args:
        evaluate: pixel values (3, h, w) of the workspace's box, RGB times the layout's pixel scale, to the value and
            the gradient (3, h, w), 0 wherever the loose mask is.

    Returns:
        (3, H, W), a new picture.

    Raises:
        PainterlyError: NOT_FINITE when it ends in NaN or infinity.
    """
    scale, centre = layout.pixel_scale, layout.centre().to(picture)
    loose = workspace.loose.flatten().nonzero()[:, 0]
    pixels = (workspace.box.of(picture) * scale).contiguous()
    changing = pixels.view(3, -1)

    def flat(x: Tensor) -> tuple[Tensor, Tensor]:
        changing.index_copy_(1, loose, x.view(3, -1) + centre[:, 0])
        value, gradient = evaluate(pixels)
        return value, gradient.flatten(1).index_select(1, loose).flatten()

    start = (changing[:, loose] - centre[:, 0]).flatten()
    found = minimise(flat, start, settings).view(3, -1)
    if not bool(found.isfinite().all()):
        raise not_finite()  # finishing would smooth over it
    moved = workspace.box.of(picture).clone(memory_format=torch.contiguous_format)
    moved.view(3, -1)[:, loose] = (found + centre[:, 0]) / scale
    result = picture.clone()
    workspace.box.of(result).copy_(moved)
    return result
