"""The network that learns: VGG-16's chain to relu5_1, a quarter as wide, batch-normalised while it trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from painterly_engine.network.features import POOL, vgg_steps
from painterly_engine.network.layouts import SLIM, Convolutions, Recognised

BLOCKS = (2, 2, 3, 3, 1)
WIDTHS = (16, 32, 64, 128, 128)


class Student(nn.Module):
    """Convolution, batch normalisation, relu; max-poolings between blocks; reads (N, 3, H, W) RGB in [0, 1].

    Batch normalisation keeps every channel alive while it trains, and folds into the convolution afterwards.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.steps = vgg_steps(BLOCKS)
        self.convolutions, self.norms = nn.ModuleDict(), nn.ModuleDict()
        channels = 3
        for step in self.steps:
            if step == POOL:
                continue
            width = WIDTHS[int(step[4]) - 1]
            convolution = nn.Conv2d(channels, width, 3, bias=False)
            with torch.no_grad():
                convolution.weight.normal_(0, (2 / (9 * channels)) ** 0.5, generator=generator)
            self.convolutions[step], self.norms[step] = convolution, nn.BatchNorm2d(width)
            channels = width
        self.register_buffer("mean", torch.tensor(SLIM.mean).view(3, 1, 1) / SLIM.pixel_scale, persistent=False)
        self.register_buffer("scale", torch.tensor(SLIM.scale).view(3, 1, 1) / SLIM.pixel_scale, persistent=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Every relu's output by name."""
        x = (images - self.get_buffer("mean")) / self.get_buffer("scale")
        found: dict[str, Tensor] = {}
        for step in self.steps:
            if step == POOL:
                x = F.max_pool2d(x, 2, ceil_mode=SLIM.ceil_pool)
                continue
            x = self.convolutions[step](F.pad(x, (1, 1, 1, 1), mode="reflect"))
            x = found[step] = F.relu(self.norms[step](x))
        return found

    def freeze_norms(self) -> None:
        """Normalise by the running statistics from now on, as the folded network will."""
        self.norms.eval()

    @torch.no_grad()
    def fold(self) -> Recognised:
        """The plain convolutions that compute the same."""
        convolutions: Convolutions = {}
        for step, convolution in self.convolutions.items():
            norm = self.norms[step]
            assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None and norm.running_var is not None
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            weight = convolution.weight * gain.view(-1, 1, 1, 1)
            convolutions[step] = (weight.cpu().float(), (norm.bias - norm.running_mean * gain).cpu().float())
        return Recognised(convolutions, self.steps, SLIM)


def rescale(network: Recognised, means: Mapping[str, Tensor]) -> Recognised:
    """Divide each channel by its mean activation, and multiply it back where it is read: relus let it through.

    Args:
        network: a chain of convolutions.
        means: (C,) positive, by layer.

    Returns:
        The same network up to one positive factor per channel, each with a mean activation of 1.
    """
    convolutions: Convolutions = {}
    before = torch.ones(3)
    for layer, (weight, bias) in network.convolutions.items():
        gain = 1 / means[layer]
        convolutions[layer] = (weight * before.view(1, -1, 1, 1) * gain.view(-1, 1, 1, 1), bias * gain)
        before = means[layer]
    return Recognised(convolutions, network.steps, network.layout)
