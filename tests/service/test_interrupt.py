"""A computation is left between any two operations, forward and backward, and nothing it computes is changed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from painterly_engine.service import interrupt
from painterly_engine.service.interrupt import Interruptible, interruptible
from painterly_engine.service.observer import JobCancelled


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "EVERY_S", 0.0)


class Countdown:
    """Raises at the n-th look."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise JobCancelled


def gradient() -> Tensor:
    torch.manual_seed(3)
    x = torch.randn(1, 3, 16, 16, requires_grad=True)
    y = x
    for _ in range(4):
        y = torch.nn.functional.relu(torch.nn.functional.conv2d(y, torch.randn(3, 3, 3, 3), padding=1))
    (found,) = torch.autograd.grad(y.square().sum(), x)
    return found


def test_it_is_left_at_every_operation_of_both_directions_and_torch_is_as_before() -> None:
    expected = gradient()
    everything = Countdown(10_000)
    with Interruptible(everything):
        found = gradient()
    assert torch.equal(found, expected)
    looks = 10_000 - everything.left
    assert looks > 20
    for enough in range(looks):
        with pytest.raises(JobCancelled), Interruptible(Countdown(enough)):
            gradient()
        assert torch.is_grad_enabled()
    assert torch.equal(gradient(), expected)


@pytest.mark.parametrize(("longest", "device", "looks"), [(700, "cpu", True), (64, "cpu", False), (700, "cuda", False)])
def test_it_is_used_where_it_is_worth_its_price(longest: int, device: str, looks: bool) -> None:
    seen = Countdown(10_000)
    with interruptible(seen, longest, torch.device(device)):
        torch.zeros(3).add(1)
    assert (seen.left < 10_000) is looks
