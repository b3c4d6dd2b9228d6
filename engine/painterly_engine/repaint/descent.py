"""Going down an objective: L-BFGS whose steps are only taken where they go down.

Not ``torch.optim.LBFGS``: its line search asks for numbers at every evaluation, and a GPU stands still meanwhile. Here
a step that does not go down far enough is not taken and tried shorter, by tensors alone: nothing waits for a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from painterly_engine.lbfgs import Curvature, Evaluate
from painterly_engine.repaint.colours import Opponent
from painterly_engine.repaint.objective import Objective
from painterly_engine.soundness import not_finite

HISTORY = 10
DOWN = 1e-4
"""Share of the fall that the slope promises which a step must bring (Armijo 1966)."""
SHORTER = 0.1, 0.5
"""A step that did not is tried again this much shorter, between these by what a parabola says."""

Tick = Callable[[Tensor, Mapping[str, Tensor]], None]
"""Told at every iteration: the picture (3, h, w) that is tried and its losses by name."""


def descend(objective: Objective, picture: Tensor, iterations: int, tick: Tick) -> Tensor:
    """
    Args:
        objective: aimed already.
        picture: (3, h, w) RGB, about [0, 1], to start from.
        iterations: evaluations of the objective, each of a step's end.

    Returns:
        (3, h, w), about [0, 1], where the last step that was taken ended.

    Raises:
        PainterlyError: NOT_FINITE when it ends in NaN or infinity, or never left them.
    """
    paint = Opponent(picture)
    variables = paint.variables
    sizes = [variable.numel() for variable in variables]

    def put(x: Tensor) -> None:
        with torch.no_grad():
            for variable, part in zip(variables, torch.split(x, sizes), strict=True):
                variable.copy_(part.view_as(variable))

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        put(x)
        with torch.enable_grad():
            now = paint.picture()
            parts = objective(now)
            total = torch.stack(list(parts.values())).sum()
            gradients = torch.autograd.grad(total, variables)
        tick(now.detach(), {name: part.detach() for name, part in parts.items()})
        return total.detach(), _flat(gradients)

    with torch.no_grad():
        x, *at_its_end = go_down(evaluate, _flat(variables), iterations)
        put(x)
        found = paint.picture()
    # Where nothing is a number no step is ever taken, and the picture is as good as it was.
    if not all(bool(each.isfinite().all()) for each in (found, *at_its_end)):
        raise not_finite()
    return found


def go_down(evaluate: Evaluate, x: Tensor, iterations: int) -> tuple[Tensor, Tensor, Tensor]:
    """x after so many evaluations, the first of where it was, each other of a step's end that is taken if it goes down
    far enough; and value and gradient there."""
    value, gradient = evaluate(x)
    curvature = Curvature(HISTORY, x)
    direction, rate = -gradient, 1 / gradient.abs().sum().clamp(min=1)
    for _ in range(iterations - 1):
        slope = gradient.dot(direction)
        tried = x + rate * direction
        new_value, new_gradient = evaluate(tried)
        # NaN is not lower.
        lower = new_value <= value + DOWN * rate * slope
        step, change = torch.where(lower, tried - x, 0), torch.where(lower, new_gradient - gradient, 0)
        rate = torch.where(lower, 1.0, _shorter(rate, slope, new_value - value))
        x, gradient = torch.where(lower, tried, x), torch.where(lower, new_gradient, gradient)
        value = torch.where(lower, new_value, value)
        # A step that was not taken is a pair of zeros, which is not kept: the direction stays.
        direction = curvature.direction_after(step, change, gradient)
    return x, value, gradient


def _shorter(rate: Tensor, slope: Tensor, rise: Tensor) -> Tensor:
    """Where the parabola through a step's both values, with its slope at the first, is lowest."""
    lowest = -slope * rate.square() / (2 * (rise - slope * rate))
    least, most = (share * rate for share in SHORTER)
    return torch.where(lowest.isfinite(), lowest, least).clamp(least, most)


def _flat(parts: Iterable[Tensor]) -> Tensor:
    return torch.cat([part.detach().flatten() for part in parts])
