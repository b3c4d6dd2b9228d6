"""What the tests of the two passes share: a scene, and backward passes written another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.network.features import POOL, FeatureNetwork
from painterly_engine.progress import Observer
from painterly_protocol.messages import Phase


@dataclass(frozen=True)
class Scene:
    """float64, so that two ways of computing the same agree closely."""

    painting: Tensor
    composite: Tensor
    loose: Tensor


def scene(height: int, width: int) -> Scene:
    """A noisy painting, a flat patch pasted in, and a loose mask of 0, 1 and soft values around it."""
    generator = torch.Generator().manual_seed(3)
    painting = torch.rand(3, height, width, generator=generator, dtype=torch.float64)
    composite = painting.clone()
    composite[:, 10:24, 8:22] = torch.tensor([0.9, 0.4, 0.2], dtype=torch.float64).view(3, 1, 1)
    loose = torch.zeros(height, width, dtype=torch.float64)
    loose[8:26, 6:24] = 0.4
    loose[9:25, 7:23] = 1
    return Scene(painting, composite, loose)


def movable(picture: Tensor, loose: Tensor) -> Tensor:
    """What L-BFGS sees of (3, H, W): the numbers under the loose mask, channel by channel, flat."""
    return picture[:, loose > 0].flatten()


def on_its_way(s: Scene, pixel_scale: float) -> Tensor:
    """Pixel values as they may be in the middle of a pass: anything under the loose mask, the composite elsewhere."""
    anything = torch.rand(s.composite.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 255
    return torch.where(s.loose > 0, anything, s.composite * pixel_scale)


def assert_same_gradient(found: Tensor, expected: Tensor, loose: Tensor) -> None:
    """``found`` is what L-BFGS got, ``expected`` (3, H, W), which must be 0 wherever L-BFGS does not look."""
    torch.testing.assert_close(found, movable(expected, loose), rtol=1e-6, atol=1e-12)
    assert not expected[:, loose == 0].any()


class Recorder(Observer):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self.fractions: list[float] = []
        self.iterations: list[int] = []
        self.losses: list[dict[str, float]] = []
        self.pictures: list[Tensor] = []

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,
        iterations: int = 0,
        losses: Mapping[str, float] | None = None,
    ) -> None:
        self.phases.append(phase)
        self.fractions.append(fraction)
        if iterations:
            self.iterations.append(iteration)
        if losses:
            self.losses.append(dict(losses))

    def picture(self, make: Callable[[], Tensor]) -> None:
        self.pictures.append(make().clone())


class Gate(torch.autograd.Function):
    """The identity, whose gradient is multiplied by a mask."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return gradients[0] * mask, None


def gated_backward(network: FeatureNetwork, pixels: Tensor, gates: Mapping[str, Tensor], injected: Tensor) -> Tensor:
    """One gradient injected behind the deepest gated relu, sent down to the pixels through all the gates.

    One term of the sum at a time, by one plain backward through a network written out here.
    """
    layout = network.layout
    pixels = pixels.detach().requires_grad_()
    mean, scale = (torch.tensor(v, dtype=pixels.dtype).view(3, 1, 1) for v in (layout.mean, layout.scale))
    x = ((pixels[list(layout.order)] - mean) / scale)[None]
    deepest = [layer for layer in network.layers if layer in gates][-1]
    for step in network.steps:
        if step == POOL:
            x = F.max_pool2d(x, 2, ceil_mode=layout.ceil_pool)
            continue
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect" if layout.padding == "reflect" else "constant")
        x = F.relu(F.conv2d(padded, network.get_buffer(f"{step}_weight"), network.get_buffer(f"{step}_bias")))
        if step in gates:
            x = Gate.apply(x, gates[step])  # type: ignore[no-untyped-call]
        if step == deepest:
            break
    (gradient,) = torch.autograd.grad((x[0] * injected).sum(), pixels)
    return gradient


def slow_gram_gradient(features: Tensor, mask: Tensor, style: Tensor, style_mask: Tensor) -> tuple[float, Tensor]:
    """Value, and ∂S = (dG + dGᵀ)(F∘m), as algorithm.md 1.1 step 5 writes them."""
    channels = len(features)
    f, s = (features * mask).flatten(1), (style * style_mask).flatten(1)
    gram = f @ f.T / (channels * mask.sum())
    target = s @ s.T / (channels * style_mask.sum())
    slope = 2 / channels**2 * (gram - target) / (channels * mask.sum())
    return float(((gram - target) ** 2).mean()), ((slope + slope.T) @ f).view_as(features)
