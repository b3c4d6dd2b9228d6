"""An iteration recorded on a GPU gives what it gave, or is not used. Recording itself needs a GPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from painterly_engine import recorded
from painterly_engine.injection import InjectedGradients, Module, Station
from painterly_engine.losses.content import ContentLoss
from painterly_engine.network.features import random_network
from painterly_engine.recorded import WARM, Function, Parts, Recorded


class Squares:
    """‖x‖² and its gradient; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Tensor) -> Parts:
        self.calls += 1
        return {"square": x.square().sum()}, 2 * x


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Recording is tried on the CPU too."""
    monkeypatch.setattr(recorded, "DEVICE", "cpu")
    return monkeypatch


def trace(function: Function, x: Tensor) -> Function:
    """Stands for CUDA's recording: the operations alone, without the function's Python."""
    traced = make_fx(lambda given: function(given)[1])(x)
    return lambda given: ({}, traced(given))


def test_elsewhere_it_is_the_function_itself() -> None:
    squares = Squares()
    fast = Recorded(squares)
    for n in range(2 * WARM):
        losses, gradient = fast(torch.full((3,), float(n)))
        assert float(losses["square"]) == 3 * n * n and torch.equal(gradient, torch.full((3,), 2.0 * n))
    assert squares.calls == 2 * WARM


def test_what_was_recorded_is_replayed(everywhere: pytest.MonkeyPatch) -> None:
    everywhere.setattr(recorded, "record", trace)
    squares = Squares()
    fast = Recorded(squares)
    for n in range(20):
        x = torch.linspace(-1, n, 5)
        assert torch.equal(fast(x)[1], 2 * x)
        if n == WARM:
            before = squares.calls
    assert squares.calls == before, "its Python still runs"


def test_a_recording_that_gives_something_else_is_not_used(
    everywhere: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    everywhere.setattr(recorded, "record", lambda *_: lambda x: ({}, 2.01 * x))
    fast = Recorded(Squares())
    assert all(torch.equal(fast(torch.ones(4))[1], torch.full((4,), 2.0)) for _ in range(10))
    assert "another gradient" in caplog.text


def test_where_recording_fails_the_function_goes_on(
    everywhere: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(_function: Function, _x: Tensor) -> Function:
        raise RuntimeError("operation not permitted when stream is capturing")

    everywhere.setattr(recorded, "record", failing)
    fast = Recorded(Squares())
    assert all(torch.equal(fast(torch.ones(4))[1], torch.full((4,), 2.0)) for _ in range(10))
    assert caplog.text.count("could not be recorded") == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need an NVIDIA GPU")
def test_on_a_gpu_a_pass_is_recorded_and_gives_the_same(caplog: pytest.LogCaptureFixture) -> None:
    network = random_network(width=8).cuda()
    target = network(torch.rand(3, 64, 64).cuda(), ["relu4_1"])["relu4_1"]
    loss = ContentLoss(target, target.new_ones(()), target.numel())
    stations = {"relu4_1": Station(target.new_ones(target.shape[1:]), [Module("content", loss)])}
    plain, fast = InjectedGradients(network, stations), Recorded(InjectedGradients(network, stations))
    for _ in range(3 * WARM):
        x = torch.rand(3, 64, 64).cuda()
        (losses, gradient), (wanted_losses, wanted) = fast(x), plain(x)
        assert torch.allclose(gradient, wanted, rtol=1e-3, atol=1e-6)
        assert torch.allclose(losses["content"], wanted_losses["content"], rtol=1e-3)
    assert not caplog.text
