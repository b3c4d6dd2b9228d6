"""Going down an objective: L-BFGS with a line search, so that no step goes up."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from painterly_engine.repaint.colours import Opponent
from painterly_engine.repaint.objective import Objective
from painterly_engine.soundness import not_finite

HISTORY = 10
TRIES = 1.25
"""Evaluations per iteration at most, on average: a good line search seldom needs a second."""

Tick = Callable[[Tensor, Mapping[str, Tensor]], None]
"""Told at every evaluation: the picture (3, h, w) and the losses by name."""


def descend(objective: Objective, picture: Tensor, iterations: int, tick: Tick) -> Tensor:
    """
    Args:
        objective: aimed already.
        picture: (3, h, w) RGB, about [0, 1], to start from.
        iterations: of L-BFGS.

    Returns:
        (3, h, w), about [0, 1].

    Raises:
        PainterlyError: NOT_FINITE when it ends in NaN or infinity.
    """
    paint = Opponent(picture)
    optimiser = torch.optim.LBFGS(
        paint.variables,
        lr=1.0,
        max_iter=iterations,
        max_eval=max(2, round(iterations * TRIES)),
        history_size=HISTORY,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def evaluate() -> Tensor:
        optimiser.zero_grad()
        with torch.enable_grad():
            now = paint.picture()
            parts = objective(now)
            total = torch.stack(list(parts.values())).sum()
            torch.autograd.backward(total)
        tick(now.detach(), {name: part.detach() for name, part in parts.items()})
        return total

    optimiser.step(evaluate)  # type: ignore[no-untyped-call]
    found = paint.picture().detach()
    if not bool(found.isfinite().all()):
        raise not_finite()
    return found
