"""L-BFGS as torch7's ``optim.lbfgs`` does it without line search (algorithm.md 1.0; Nocedal 1980).

Not ``torch.optim.LBFGS``: its tolerances test the largest element where torch7 tests the sum of magnitudes.

Nothing here waits for a GPU: choices are made by tensors, and a run that has stopped goes on without moving until
somebody next looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

CURVATURE_FLOOR = 1e-10
LOOK_EVERY = 10
"""Iterations between two looks at whether a run on a GPU has stopped."""

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

    On a GPU up to ``LOOK_EVERY`` more evaluations, always of the same x, may follow the end.

    Returns:
        x after the last step, a new tensor.
    """
    look_every = _look_every(x.device)
    value, gradient = evaluate(x)
    curvature = Curvature(min(settings.history, settings.iterations), x)
    direction, rate = -gradient, _first_rate(gradient, settings)
    running = ~_flat(gradient, settings)
    for iteration in range(1, settings.iterations + 1):
        running = running & ~(gradient.dot(direction) > -settings.change_tolerance)
        if iteration % look_every == 0 and not running:
            break
        step = torch.where(running, rate * direction, 0)
        x = x + step
        if iteration == settings.iterations:
            break
        old_value, old_gradient = value, gradient
        value, gradient = evaluate(x)
        running = running & ~_flat(gradient, settings) & ~_stuck(step, value - old_value, settings)
        if iteration % look_every == 0 and not running:
            break
        direction = curvature.direction_after(step, gradient - old_gradient, gradient)
        # Not the same as "further than": a direction of no numbers also starts afresh.
        too_far = ~(settings.learning_rate * direction.abs().max() <= settings.largest_step)
        curvature.forget(too_far)
        direction = torch.where(too_far, -gradient, direction)
        rate = torch.where(too_far, _first_rate(gradient, settings), settings.learning_rate)
    return x.clone()


class Curvature:
    """The last correction pairs (s, y) and the inverse Hessian H they stand for.

    The two-loop recursion would be four passes over the pairs, one after the other, a vector at a time. This is the
    same H in its compact form (Byrd, Nocedal and Schnabel 1994, equation 2.6), whose long work is six products with
    the matrices S and Y of all pairs, a row each:

        H = γI + [Sᵀ γYᵀ] [[R⁻ᵀ(D + γYYᵀ)R⁻¹, -R⁻ᵀ], [-R⁻¹, 0]] [S; γY],   R = upper triangle of SYᵀ, D its diagonal

    Args:
        history: pairs kept.
        like: a vector of the type and on the device of all that come.
    """

    def __init__(self, history: int, like: Tensor) -> None:
        self.small = torch.float32 if like.device.type == "mps" else torch.float64
        self.s, self.y = like.new_zeros(history, len(like)), like.new_zeros(history, len(like))
        self.sy, self.yy = (like.new_zeros(history, history, dtype=self.small) for _ in range(2))
        self.scale = like.new_ones((), dtype=self.small)
        self.kept, self.next = (torch.zeros(1, dtype=torch.int64, device=like.device) for _ in range(2))
        self.offered = 0

    def direction_after(self, s: Tensor, y: Tensor, gradient: Tensor) -> Tensor:
        """Keeps the pair if the function curves upwards along it, forgetting the oldest where there are too many; then
        -H·gradient."""
        self.offered = min(self.offered + 1, len(self.s))
        self._keep(s, y)
        all_s, all_y = self.s[: self.offered], self.y[: self.offered]
        of_s, of_y = self._coefficients((all_s @ gradient).to(self.small), (all_y @ gradient).to(self.small))
        return -(self.scale.to(gradient) * gradient + of_s.to(gradient) @ all_s + of_y.to(gradient) @ all_y)

    def forget(self, everything: Tensor) -> None:
        """Where the 0-dimensional bool says so."""
        self.kept = torch.where(everything, 0, self.kept)
        self.scale = torch.where(everything, 1, self.scale)

    def _keep(self, s: Tensor, y: Tensor) -> None:
        ys = y.dot(s).to(self.small)
        curved = (ys > CURVATURE_FLOOR) & ys.isfinite()
        _put(self.s, 0, self.next, s[None], curved)
        _put(self.y, 0, self.next, y[None], curved)
        column, crossing = ((pairs[: self.offered] @ y).to(self.small)[:, None] for pairs in (self.s, self.y))
        _put(self.sy[: self.offered], 1, self.next, column, curved)
        _put(self.yy[: self.offered], 1, self.next, crossing, curved)
        _put(self.yy[:, : self.offered], 0, self.next, crossing.T, curved)
        self.scale = torch.where(curved, ys / y.dot(y).to(self.small), self.scale)
        self.kept = (self.kept + curved).clamp(max=len(self.s))
        self.next = (self.next + curved) % len(self.s)

    def _coefficients(self, p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """What H·g has of each s and y, from p = S·g and q = Y·g; 0 for rows that hold no pair."""
        rows = torch.arange(self.offered, device=p.device)
        oldest_first, there = (self.next - self.kept + rows) % self.offered, rows < self.kept
        both = there[:, None] & there
        p, q = (torch.where(there, v[oldest_first], 0) for v in (p, q))
        sy, yy = (torch.where(both, m[oldest_first][:, oldest_first], 0) for m in (self.sy, self.yy))
        upper = sy.triu() + torch.diag((~there).to(p))
        u = torch.linalg.solve_triangular(upper, p[:, None], upper=True)[:, 0]
        v = sy.diagonal() * u + self.scale * (yy @ u - q)
        of_s = torch.linalg.solve_triangular(upper.T, v[:, None], upper=False)[:, 0]
        nothing = torch.zeros_like(p)
        return nothing.index_copy(0, oldest_first, of_s), nothing.index_copy(0, oldest_first, -self.scale * u)


def _put(matrix: Tensor, axis: int, place: Tensor, line: Tensor, wanted: Tensor) -> None:
    """Writes one row or column if ``wanted``."""
    matrix.index_copy_(axis, place, torch.where(wanted, line, matrix.index_select(axis, place)))


def _look_every(device: torch.device) -> int:
    return 1 if device.type == "cpu" else LOOK_EVERY


def _first_rate(gradient: Tensor, settings: Settings) -> Tensor:
    """min(1, 1/‖g‖₁)·lr: nothing is known of the curvature yet."""
    return settings.learning_rate / gradient.abs().sum().clamp(min=1)


def _flat(gradient: Tensor, settings: Settings) -> Tensor:
    """Tolerances below 0 stop nothing: no sum of magnitudes is at most that."""
    return gradient.abs().sum() <= settings.gradient_tolerance


def _stuck(step: Tensor, change: Tensor, settings: Settings) -> Tensor:
    return (step.abs().sum() <= settings.change_tolerance) | (change.abs() < settings.change_tolerance)
