"""A computation is left between any two operations, forward and backward, and nothing it computes is changed."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from painterly_engine.job import run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import Observer
from painterly_engine.service import interrupt
from painterly_engine.service.interrupt import Interruptible, watch
from painterly_engine.service.observer import JobCancelled, JobObserver
from painterly_protocol.messages import Message, Phase, Submit
from painterly_protocol.request import HarmonizeRequest, Parameters
from support import jobs, real_jobs


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


@pytest.mark.parametrize(
    ("size", "painting", "device", "beginning", "finish"),
    [
        (700, 700, "cpu", True, True),
        (64, 700, "cpu", False, True),
        (64, 64, "cpu", False, False),
        (700, 700, "cuda", False, False),
    ],
)
def test_it_is_used_where_it_is_worth_its_price(
    size: int, painting: int, device: str, beginning: bool, finish: bool
) -> None:
    parameters = Parameters(preset="draft", size=size)
    request = HarmonizeRequest(*(jobs.flat(n, 0, painting, 8) for n in (3, 3, 1)), parameters=parameters)
    observer = JobObserver(Silence(), Submit("job", request))
    seen = Countdown(10_000)
    observer.look_for_cancel = seen  # type: ignore[method-assign]

    def looks() -> bool:
        before = seen.left
        torch.zeros(3).add(1)
        return seen.left < before

    with ExitStack() as stack:
        watch(stack, request, observer, torch.device(device))
        observer.report(Phase.PASS_ONE, 0.0)
        assert looks() is beginning
        observer.report(Phase.FINISHING, 0.0)
        assert looks() is finish
    assert not looks()


class Silence:
    def send(self, _message: Message) -> None:
        pass

    def receive(self) -> None:
        return None


def test_the_finish_of_a_small_working_picture_is_told_before_it_begins() -> None:
    """From there on it is watched: at a painting's own size its first step alone may take seconds."""
    told: list[tuple[Phase, float]] = []

    class Listening(Observer):
        def report(self, phase: Phase, fraction: float, **_: object) -> None:
            told.append((phase, fraction))

    job = real_jobs.picture(64, 1)
    run_request(replace(job, parameters=replace(job.parameters, preset="draft")), NetworkShelf("cpu"), Listening())
    finishing = [fraction for phase, fraction in told if phase is Phase.FINISHING]
    assert finishing[0] == 0.0
    assert finishing[-1] == 1.0
