"""Three more channels at relu1_1 that see the finest detail, which VGG, and whoever learns from it, hardly does.

VGG's first filters answer so faintly to colours that alternate from pixel to pixel that a picture may be full of such
speckle while its Gram matrices are right to one per cent. Here each colour's difference from its neighbourhood, where
it is positive, becomes a channel by itself. Nothing is learnt, and no later layer reads these channels: they only take
part in the statistics of relu1_1.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.network.layouts import SLIM, Recognised
from painterly_engine.training.crops import Crops

FIRST, SECOND = "relu1_1", "relu1_2"
LOUDNESS = 0.5
"""The channels' mean activation on crops: paintings at 256 px hold about twice as much fine detail."""


def fine_filters() -> Tensor:
    """(3, 3, 3, 3): of red, green and blue, the pixel less the mean around it, weighted 1 2 1 both ways."""
    binomial = torch.tensor([0.25, 0.5, 0.25])
    around = -torch.outer(binomial, binomial)
    around[1, 1] += 1
    return torch.eye(3)[:, :, None, None] * around


def sharpen(network: Recognised, crops: Crops, rng: np.random.Generator, batches: int = 16) -> Recognised:
    """The same network with the three channels after relu1_1's own, at a mean activation of ``LOUDNESS`` on such crops.

    Args:
        network: of layout "slim", with a relu1_1 and a relu1_2.
    """
    filters = fine_filters() * torch.tensor(SLIM.scale).view(1, 3, 1, 1) / SLIM.pixel_scale  # as if of RGB in [0, 1]
    means = torch.zeros(3)
    for _ in range(batches):
        images = crops.draw(rng, 16)
        means += F.relu(F.conv2d(images, fine_filters())).mean((0, 2, 3)) / batches
    weight, bias = network.convolutions[FIRST]
    next_weight, next_bias = network.convolutions[SECOND]
    convolutions = dict(network.convolutions)
    convolutions[FIRST] = torch.cat([weight, filters / means.view(-1, 1, 1, 1) * LOUDNESS]), F.pad(bias, (0, 3))
    convolutions[SECOND] = F.pad(next_weight, (0, 0, 0, 0, 0, 3)), next_bias
    return Recognised(convolutions, network.steps, network.layout)
