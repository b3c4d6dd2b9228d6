"""No iteration waits for a device: Python reads nothing of a tensor, but for losses now and then and, in the published
passes, the looks whether a run has stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from painterly_engine import lbfgs
from painterly_engine.balance import Balance
from painterly_engine.iterating import LOSSES_EVERY
from painterly_engine.network.features import random_network
from painterly_engine.pass_one import run_pass_one
from painterly_engine.pass_two import run_pass_two
from painterly_engine.progress import Observer
from painterly_engine.repaint.descent import descend
from painterly_engine.repaint.objective import Objective, Pictures, Weights
from painterly_protocol.messages import Phase

WAITING = {
    "_local_scalar_dense",
    "nonzero",
    "is_nonzero",
    "equal",
    "masked_select",
    "unique_dim",
    "_unique2",
    "bincount",
}
"""Operations of torch's that give Python a number, or a size that depends on one."""
ITERATIONS = 25


class Waits(TorchDispatchMode):  # type: ignore[misc]
    """Names of the operations that would wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._overloadpacket.__name__ in WAITING:
            self.seen.append(func._overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


class Watcher(Observer):
    """What was waited for from each iteration to the next, by phase and iteration."""

    def __init__(self, waits: Waits) -> None:
        self.waits, self.found = waits, {}  # type: ignore[var-annotated]
        self.last: tuple[Phase, int] | None = None

    def report(
        self,
        phase: Phase,
        fraction: float,  # noqa: ARG002
        *,
        iteration: int = 0,
        iterations: int = 0,  # noqa: ARG002
        losses: Mapping[str, float] | None = None,  # noqa: ARG002
    ) -> None:
        if self.last is not None and self.last[0] is phase and self.last[1]:
            self.found[self.last] = list(self.waits.seen)
        self.last = phase, iteration
        self.waits.seen.clear()


def test_no_iteration_of_our_own_method_waits() -> None:
    generator = torch.Generator().manual_seed(1)
    context, composite = torch.rand(2, 3, 48, 56, generator=generator)
    support = torch.zeros(48, 56)
    support[10:30, 12:40] = 1
    objective = Objective(Pictures(context, context, composite, support), random_network(width=2), Weights(1, 1, 1, 1))
    objective.aim(composite, lambda _fraction: None)
    waited: list[list[str]] = []
    with Waits() as waits:
        descend(objective, composite, ITERATIONS, lambda *_: waited.append(list(waits.seen)))
    assert waited == [[]] * ITERATIONS


def test_no_iteration_of_the_published_passes_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lbfgs, "_look_every", lambda _device: lbfgs.LOOK_EVERY)
    generator = torch.Generator().manual_seed(1)
    painting = torch.rand(3, 64, 72, generator=generator)
    loose = torch.zeros(64, 72)
    loose[20:40, 20:44] = 1
    composite = torch.where(loose > 0, 0.8, painting)
    ring = torch.ones(8, 9, dtype=torch.bool)
    network = random_network(width=2)
    weights = Balance(content=1.0, style=5.0, histogram=20.0, variation=30.0)
    with Waits() as waits:
        watcher = Watcher(waits)
        run_pass_one(composite, painting, loose, network, iterations=ITERATIONS, observer=watcher)
        run_pass_two(
            composite, painting, loose, ring, network, weights=weights, iterations=ITERATIONS, observer=watcher
        )
    assert len(watcher.found) >= 2 * (ITERATIONS - 2)
    waited = {where for where, what in watcher.found.items() if what}
    # After iteration n comes what is read for the next one's losses, and the optimiser's look.
    usual = {0, lbfgs.LOOK_EVERY - 1, 1}
    assert waited and all(iteration % LOSSES_EVERY in usual for _, iteration in waited)
