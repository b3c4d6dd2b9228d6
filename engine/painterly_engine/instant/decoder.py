"""Decoders: from the slim network's features back to a picture.

Reflect-padded 3×3 convolutions and leaky relus, nearest-neighbour doubling where the network pools, nothing at the end,
after Huang & Belongie 2017. Two things differ from a mirror of the network. It is wide where positions are few: there
a convolution costs least, and what pooling left of the colours has to be disentangled there. And the chain only adds to
a coarse picture, a linear map of the features brought up smoothly: colours need not find their way through the chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from painterly_engine.network.features import FeatureNetwork

WIDTHS = {"relu3_1": (128, 32, 16), "relu4_1": (128, 96, 48, 16)}
"""Channels by decoded layer, from its own positions to the picture's."""

LEAK = 0.1
QUIET = 0.25
"""What the first filters start at, of the usual: features are all positive, and their common part is loud."""


class Decoder(nn.Module):
    """(N, C, h, w) features of one layer to (N, 3, h·2^d, w·2^d) RGB, about 0 to 1, with d doublings.

    Args:
        channels: C.
        widths: d + 1 of them.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        into = (channels, *widths[:-1])
        self.coarse = nn.Conv2d(channels, 3, 1)
        self.enter = nn.ModuleList(nn.Conv2d(i, o, 3) for i, o in zip(into, widths, strict=True))
        self.refine = nn.ModuleList(nn.Conv2d(widths[0], widths[0], 3) for _ in range(2))
        self.leave = nn.Conv2d(widths[-1], 3, 3)

    def reset(self) -> None:
        """Start silent but for the coarse picture, which is for whoever trains to fit first."""
        for convolution in _convolutions(*self.enter, self.refine[0]):
            nn.init.kaiming_normal_(convolution.weight, LEAK)
            _zero(convolution.bias)
        with torch.no_grad():
            self.first.weight.mul_(QUIET)
        for convolution in _convolutions(self.refine[1], self.leave):
            _zero(convolution.weight)
            _zero(convolution.bias)

    @property
    def first(self) -> nn.Conv2d:
        """What reads the features, beside the coarse picture."""
        return _convolutions(self.enter[0])[0]

    def forward(self, features: Tensor) -> Tensor:
        x = _active(_convolve(self.enter[0], features))
        x = x + _convolve(self.refine[1], _active(_convolve(self.refine[0], x)))
        for convolution in self.enter[1:]:
            x = _active(_convolve(convolution, F.interpolate(x, scale_factor=2, mode="nearest")))
        coarse = F.interpolate(self.coarse(features), x.shape[2:], mode="bilinear", align_corners=False)
        return coarse + _convolve(self.leave, x)


def _convolutions(*modules: nn.Module) -> list[nn.Conv2d]:
    return [module for module in modules if isinstance(module, nn.Conv2d)]


def _zero(values: Tensor | None) -> None:
    if values is not None:
        nn.init.zeros_(values)


def _active(x: Tensor) -> Tensor:
    """Leaky: the first large steps of training leave plain relus dead by the layer, and the coarse picture alone."""
    return F.leaky_relu(x, LEAK)


def _convolve(convolution: nn.Module, x: Tensor) -> Tensor:
    """Features a single position wide have nothing to reflect; they are repeated."""
    mode = "reflect" if min(x.shape[2:]) > 1 else "replicate"
    found: Tensor = convolution(F.pad(x, (1, 1, 1, 1), mode=mode))
    return found


def decoder_for(network: FeatureNetwork, layer: str) -> Decoder:
    """An untrained decoder of a network's layer, one of ``WIDTHS``."""
    return Decoder(network.get_buffer(f"{layer}_bias").shape[0], WIDTHS[layer])


def load_decoders(path: Path, network: FeatureNetwork) -> dict[str, Decoder]:
    """Those that ``decoder_tensors`` were written to a safetensors file for, by the layer they decode."""
    state = load_file(path)
    decoders = {layer: decoder_for(network, layer) for layer in sorted({key.partition(".")[0] for key in state})}
    for layer, decoder in decoders.items():
        own = {
            key.removeprefix(f"{layer}."): value.float() for key, value in state.items() if key.startswith(f"{layer}.")
        }
        decoder.load_state_dict(own)
        decoder.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return decoders


def decoder_tensors(decoders: Mapping[str, Decoder]) -> dict[str, Tensor]:
    """All in one mapping, to be saved as safetensors; in half precision, which no eye tells from single."""
    return {
        f"{layer}.{key}": value.half().cpu().contiguous()
        for layer, decoder in decoders.items()
        for key, value in decoder.state_dict().items()
    }
