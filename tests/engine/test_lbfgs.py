"""torch7's L-BFGS against PyTorch's own, a scalar reference, and its stopping rules (algorithm.md 1.0)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from painterly_engine import lbfgs
from painterly_engine.lbfgs import CURVATURE_FLOOR, Settings, minimise

NEVER = -1.0


class Function:
    """Rosenbrock's, in float64, with a count of its evaluations."""

    def __init__(self) -> None:
        self.visited: list[Tensor] = []

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.visited.append(x.clone())
        x = x.detach().requires_grad_()
        value = ((1 - x[:-1]) ** 2 + 20 * (x[1:] - x[:-1] ** 2) ** 2).sum()
        (gradient,) = torch.autograd.grad(value, x)
        return value.detach(), gradient


def start() -> Tensor:
    return torch.linspace(-0.5, 0.7, 6, dtype=torch.float64)


def torch_lbfgs(x: Tensor, iterations: int, rate: float, history: int) -> Tensor:
    """PyTorch's optimiser, the same algorithm once no tolerance stops it."""
    x = x.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [x],
        lr=rate,
        max_iter=iterations,
        max_eval=10 * iterations,
        history_size=history,
        tolerance_grad=-1,
        tolerance_change=-1,
    )

    def closure() -> Tensor:
        value, x.grad = Function()(x)
        return value

    optimiser.step(closure)
    return x.detach()


@pytest.mark.parametrize("iterations", [1, 2, 3, 7, 25])
@pytest.mark.parametrize(("rate", "history"), [(1.0, 100), (0.1, 100), (0.1, 3)])
def test_takes_the_steps_of_the_algorithm(iterations: int, rate: float, history: int) -> None:
    found = minimise(Function(), start(), Settings(iterations, rate, NEVER, NEVER, history))
    torch.testing.assert_close(found, torch_lbfgs(start(), iterations, rate, history), rtol=1e-6, atol=1e-9)


def test_n_iterations_are_n_evaluations_and_the_result_is_after_the_last_step() -> None:
    function = Function()
    found = minimise(function, start(), Settings(5, 0.1, NEVER, NEVER))
    assert len(function.visited) == 5
    longer = Function()
    minimise(longer, start(), Settings(6, 0.1, NEVER, NEVER))
    torch.testing.assert_close(found, longer.visited[5], rtol=0, atol=0)


def test_the_first_step_is_no_longer_than_the_gradient_is_large() -> None:
    """t = min(1, 1/‖g‖₁)·lr, then lr."""
    slope = torch.tensor([3.0, -1.0])
    found = minimise(lambda x: (x @ slope, slope), torch.zeros(2), Settings(1, 0.5, NEVER, NEVER))
    torch.testing.assert_close(found, -slope / 4 * 0.5)
    gentle = slope / 8
    found = minimise(lambda x: (x @ gentle, gentle), torch.zeros(2), Settings(1, 0.5, NEVER, NEVER))
    torch.testing.assert_close(found, -gentle * 0.5)


def test_pairs_without_curvature_are_left_out() -> None:
    """On a slope the gradient never changes: y = 0, so H stays the identity and every later step is -lr·g."""
    slope = torch.tensor([3.0, -1.0])
    found = minimise(lambda x: (x @ slope, slope), torch.zeros(2), Settings(3, 0.5, NEVER, NEVER))
    torch.testing.assert_close(found, -slope * (0.5 / 4 + 0.5 + 0.5))


def test_stops_at_once_where_it_is_flat() -> None:
    function = Function()
    best = torch.ones(6, dtype=torch.float64)
    assert torch.equal(minimise(function, best, Settings(50, 1.0)), best)
    assert len(function.visited) == 1


def test_the_gradient_test_sums_magnitudes() -> None:
    """100 slopes of 1e-6 sum to 1e-4: PyTorch's optimiser would stop here, torch7's goes on."""
    steps = 0

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal steps
        steps += 1
        return (1e-6 * x).sum(), torch.full_like(x, 1e-6)

    minimise(evaluate, torch.zeros(100, dtype=torch.float64), Settings(2, 1.0, 1e-5, 1e-12))
    assert steps == 2
    steps = 0
    minimise(evaluate, torch.zeros(9, dtype=torch.float64), Settings(2, 1.0, 1e-5, 1e-12))
    assert steps == 1


def counted(values: list[float]) -> tuple[list[Tensor], Tensor]:
    """Runs a bowl whose reported value is scripted; the value must only feed the stopping test."""
    seen: list[Tensor] = []

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(x.clone())
        return torch.tensor(values[len(seen) - 1], dtype=torch.float64), x**3

    return seen, minimise(evaluate, torch.tensor([2.0, 1.0], dtype=torch.float64), Settings(len(values), 0.1))


def test_stops_when_the_value_changes_too_little() -> None:
    seen, result = counted([5.0, 4.0, 4.0 + 1e-10, 3.0, 2.0])
    assert len(seen) == 3
    assert torch.equal(result, seen[-1])  # x where it stopped, no further step


def test_a_change_above_the_tolerance_goes_on() -> None:
    assert len(counted([5.0, 4.0, 4.0 + 1e-8, 3.0, 2.0])[0]) == 5


def test_stops_before_a_step_without_descent_unless_tolerances_are_negative() -> None:
    """g·d = 0 is above -1e-9 but not above pass 2's +1."""
    seen: list[Tensor] = []

    def flat(x: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(x.clone())
        return torch.tensor(0.0), torch.zeros(2)

    minimise(flat, torch.zeros(2), Settings(4, 1.0, gradient_tolerance=NEVER))
    assert len(seen) == 1
    seen.clear()
    minimise(flat, torch.zeros(2), Settings(4, 1.0, gradient_tolerance=NEVER, change_tolerance=NEVER))
    assert len(seen) == 4


def test_a_pair_of_hardly_any_curvature_cannot_throw_x_away() -> None:
    """The gradient turns by a right angle: y·s is a rounding error above 0, and 1 / y·s a step to nowhere."""
    calls: list[Tensor] = []

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(x.clone())
        turned = torch.tensor([1.0 - 1e-7, 5.0], dtype=torch.float64)
        first = torch.tensor([1.0, 0.0], dtype=torch.float64)
        return torch.tensor(0.0), first if len(calls) == 1 else turned

    origin = torch.zeros(2, dtype=torch.float64)
    as_published = minimise(evaluate, origin, Settings(2, 0.1, NEVER, NEVER))
    assert as_published.abs().max() > 1e5
    calls.clear()
    guarded = minimise(evaluate, origin, Settings(2, 0.1, NEVER, NEVER, largest_step=10.0))
    torch.testing.assert_close(guarded, -torch.tensor([0.1 + 0.1 / 6, 0.5 / 6], dtype=torch.float64))


class TwoLoops:
    """-H·g by the recursion as Nocedal writes it, with a list of pairs."""

    def __init__(self, history: int) -> None:
        self.history, self.pairs, self.scale = history, list[tuple[Tensor, Tensor]](), 1.0

    def direction_after(self, s: Tensor, y: Tensor, gradient: Tensor) -> Tensor:
        if float(y @ s) > CURVATURE_FLOOR:
            self.pairs = [*self.pairs, (s, y)][-self.history :]
            self.scale = float(y @ s / (y @ y))
        q, alphas = -gradient, []
        for s, y in reversed(self.pairs):
            alphas.append(s @ q / (y @ s))
            q = q - alphas[-1] * y
        q = self.scale * q
        for (s, y), alpha in zip(self.pairs, reversed(alphas), strict=True):
            q = q + s * (alpha - y @ q / (y @ s))
        return q

    def forget(self) -> None:
        self.pairs, self.scale = [], 1.0


@pytest.mark.parametrize("history", [1, 3, 8, 40])
def test_the_compact_form_is_the_two_loop_recursion(history: int) -> None:
    """Through refused pairs, a full history, and a history that was forgotten when it was full and when it was not."""
    generator = torch.Generator().manual_seed(history)
    size, curves = 12, torch.linspace(0.5, 3, 12, dtype=torch.float64)
    compact, plain = lbfgs.Curvature(history, torch.zeros(size, dtype=torch.float64)), TwoLoops(history)
    for step in range(30):
        s, gradient = torch.randn(2, size, generator=generator, dtype=torch.float64)
        y = curves * s * (-1 if step % 7 == 3 else 1)
        expected = plain.direction_after(s, y, gradient)
        torch.testing.assert_close(compact.direction_after(s, y, gradient), expected, rtol=1e-8, atol=1e-8)
        compact.forget(torch.tensor(step in (5, 23)))
        if step in (5, 23):
            plain.forget()


@pytest.mark.parametrize("iterations", [1, 4, 9, 14, 30])
@pytest.mark.parametrize("stop", ["value", "flat", "no descent", "never"])
def test_looking_seldom_gives_the_same_end(monkeypatch: pytest.MonkeyPatch, stop: str, iterations: int) -> None:
    """A GPU is asked only now and then whether the run has stopped; until then x stands still."""

    def run() -> Tensor:
        seen = 0

        def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
            nonlocal seen
            seen += 1
            late = seen > 3
            value = torch.tensor(1.0 if late and stop == "value" else float(seen), dtype=torch.float64)
            return value, 0 * x if late and stop in ("flat", "no descent") else x**3

        settings = Settings(iterations, 0.1, gradient_tolerance=NEVER if stop == "no descent" else 1e-5)
        return minimise(evaluate, torch.tensor([2.0, 1.0], dtype=torch.float64), settings)

    at_once = run()
    monkeypatch.setattr(lbfgs, "_look_every", lambda _device: 10)
    assert torch.equal(run(), at_once)
