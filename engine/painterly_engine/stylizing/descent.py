"""From a picture to one that loses less: L-BFGS or Adam on its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from painterly_engine.lbfgs import Settings, minimise
from painterly_engine.progress import Observer
from painterly_engine.soundness import not_finite
from painterly_engine.stylizing.method import Walk
from painterly_protocol.messages import Phase

FIRST_STEP = 0.01
"""Of L-BFGS, on average over the pixels: nothing is known of the curvature yet."""
LARGEST_STEP = 1.0
RATE = 0.02
"""Adam's, in a picture from 0 to 1."""
MIDDLE = 0.5
NEVER = -math.inf

Objective = Callable[[Tensor], Mapping[str, Tensor]]
"""From a picture (3, h, w) to its losses by name, 0-dimensional; differentiable."""
Shown = Callable[[Tensor], Tensor]
"""From the picture that is worked on (3, h, w) to the whole one that an observer is shown."""


def start(picture: Tensor, walk: Walk) -> Tensor:
    """The picture (3, H, W), so much of it noise as was wished."""
    generator = torch.Generator().manual_seed(walk.seed)
    noise = torch.rand(picture.shape, generator=generator).to(picture)
    return torch.lerp(picture, noise, walk.noise)


def descend(objective: Objective, picture: Tensor, walk: Walk, observer: Observer, shown: Shown) -> Tensor:
    """
    Args:
        picture: (3, h, w) RGB in about [0, 1], to start from.
        observer: is told of every evaluation.

    Returns:
        (3, h, w) in [0, 1].

    Raises:
        PainterlyError: NOT_FINITE when it ends in NaN or infinity.
    """
    teller = _Teller(objective, walk.iterations, observer, shown)
    found = (_by_lbfgs if walk.optimizer == "lbfgs" else _by_adam)(teller, picture, walk.iterations)
    if not bool(found.isfinite().all()):
        raise not_finite()
    return found.clamp(0, 1)


class _Teller:
    """Evaluates the objective and tells the observer."""

    def __init__(self, objective: Objective, iterations: int, observer: Observer, shown: Shown) -> None:
        self.objective, self.iterations, self.observer, self.shown = objective, iterations, observer, shown
        self.done = 0

    def __call__(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Value and gradient (3, h, w)."""
        here = picture.detach().requires_grad_()
        with torch.enable_grad():
            parts = self.objective(here)
            total = torch.stack(list(parts.values())).sum()
        (gradient,) = torch.autograd.grad(total, here)
        self.done = min(self.done + 1, self.iterations)  # a GPU may go on for a few more, without moving
        values = torch.stack(list(parts.values())).tolist()  # one wait for the device, not one a loss
        self.observer.report(
            Phase.PASS_ONE,
            self.done / self.iterations,
            iteration=self.done,
            iterations=self.iterations,
            losses=dict(zip(parts, values, strict=True)),
        )
        self.observer.picture(lambda: self.shown(here.detach()))
        return total.detach(), gradient


def _by_lbfgs(evaluate: _Teller, picture: Tensor, iterations: int) -> Tensor:
    """In units in which a step of length 1, which L-BFGS begins with, moves every pixel by ``FIRST_STEP``.

    Nothing stops it before its time: in a long run two losses are the same to all their digits by chance.
    """
    unit = FIRST_STEP * picture.numel()

    def flat(x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = evaluate(x.view_as(picture) * unit + MIDDLE)
        return value, gradient.flatten() * unit

    settings = Settings(iterations, 1.0, NEVER, NEVER, history=50, largest_step=LARGEST_STEP / unit)
    return minimise(flat, ((picture - MIDDLE) / unit).flatten(), settings).view_as(picture) * unit + MIDDLE


def _by_adam(evaluate: _Teller, picture: Tensor, iterations: int) -> Tensor:
    x = picture.clone()
    optimizer = torch.optim.Adam([x], lr=RATE)
    for _ in range(iterations):
        _, x.grad = evaluate(x)
        optimizer.step()
    return x
