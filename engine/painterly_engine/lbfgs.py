"""L-BFGS as torch7's ``optim.lbfgs`` does it without line search (algorithm.md 1.0; Nocedal 1980).

Not ``torch.optim.LBFGS``: its tolerances test the largest element where torch7 tests the sum of magnitudes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

CURVATURE_FLOOR = 1e-10

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]
"""x -> (value, gradient): flat x and gradient, 0-dimensional value. The value only feeds the stopping tests."""


@dataclass(frozen=True)
class Settings:
    """
    Attributes:
        iterations: steps, each with one evaluation.
        learning_rate: every step's length in units of the direction, but the first.
        gradient_tolerance: stop when ‖g‖₁ is at most this (torch7's tolFun). Negative: never.
        change_tolerance: stop when g·d exceeds minus this, ‖step‖₁ is at most this or the value changed by less
            (tolX). Negative: the last two never; ascent directions up to that slope are accepted.
        history: correction pairs kept.
        largest_step: a step that would move any element further forgets the history and starts afresh. Not in torch7:
            without line search, one pair of almost no curvature (y·s barely above 0) throws x away for good, and the
            gradients of pass 2, which belong to no function, do produce such pairs.
    """

    iterations: int
    learning_rate: float
    gradient_tolerance: float = 1e-5
    change_tolerance: float = 1e-9
    history: int = 100
    largest_step: float = math.inf


def minimise(evaluate: Evaluate, x: Tensor, settings: Settings) -> Tensor:
    """Takes up to ``settings.iterations`` steps from x, evaluating once before each.

    Returns:
        x after the last step, a new tensor.
    """
    value, gradient = evaluate(x)
    if _flat(gradient, settings):
        return x.clone()
    curvature = _Curvature(settings.history)
    direction = -gradient
    rate = _first_rate(gradient, settings)
    for iteration in range(1, settings.iterations + 1):
        if float(gradient.dot(direction)) > -settings.change_tolerance:
            break
        step = rate * direction
        x = x + step
        if iteration == settings.iterations:
            break
        old_value, old_gradient = value, gradient
        value, gradient = evaluate(x)
        if _flat(gradient, settings) or _stuck(step, value - old_value, settings):
            break
        curvature.add(step, gradient - old_gradient)
        direction = curvature.direction(gradient)
        rate = settings.learning_rate
        if not rate * float(direction.abs().max()) <= settings.largest_step:
            curvature = _Curvature(settings.history)
            direction = -gradient
            rate = _first_rate(gradient, settings)
    return x


class _Curvature:
    """The last correction pairs and the inverse Hessian they stand for."""

    def __init__(self, history: int) -> None:
        self.pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=history)  # s, y, 1 / y·s
        self.scale: Tensor | float = 1.0

    def add(self, s: Tensor, y: Tensor) -> None:
        """Keeps the pair if the function curves upwards along it."""
        ys = y.dot(s)
        if float(ys) > CURVATURE_FLOOR:
            self.pairs.append((s, y, 1 / ys))
            self.scale = ys / y.dot(y)

    def direction(self, gradient: Tensor) -> Tensor:
        """-H·g by the two-loop recursion."""
        q = -gradient
        alphas: list[Tensor] = []
        for s, y, rho in reversed(self.pairs):
            alpha = s.dot(q) * rho
            alphas.append(alpha)
            q.addcmul_(y, alpha, value=-1)
        q.mul_(self.scale)
        for (s, y, rho), alpha in zip(self.pairs, reversed(alphas), strict=True):
            q.addcmul_(s, alpha - y.dot(q) * rho)
        return q


def _first_rate(gradient: Tensor, settings: Settings) -> float:
    """min(1, 1/‖g‖₁)·lr: nothing is known of the curvature yet."""
    return settings.learning_rate / max(1.0, float(gradient.abs().sum()))


def _flat(gradient: Tensor, settings: Settings) -> bool:
    return settings.gradient_tolerance >= 0 and float(gradient.abs().sum()) <= settings.gradient_tolerance


def _stuck(step: Tensor, change: Tensor, settings: Settings) -> bool:
    tolerance = settings.change_tolerance
    return tolerance >= 0 and (float(step.abs().sum()) <= tolerance or abs(float(change)) < tolerance)
