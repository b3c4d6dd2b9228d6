"""The feature network: a chain of 3×3 convolutions and poolings whose relus are read by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Layout:
    """What belongs to a network's origin rather than to its weights (algorithm.md 1.0).

    Attributes:
        name: "caffe", "torchvision", "gatys", "slim".
        pixel_scale: RGB in [0, 1] times this gives the pixel values the passes optimise: 256 in the published
            Caffe pre-processing, 255 elsewhere.
        padding: "zeros" or "reflect" around every 3×3 convolution.
        ceil_pool: whether 2×2 pooling keeps the odd last row and column (Caffe) or drops it (torchvision).
        colour: per-channel affine map of the pixel values into the network: ``(pixels[order] - mean) / scale``.
        activation_gain: what the passes multiply all features by (``FeatureNetwork.amplified``). The published weights
            of smoothness against style assume the loud activations of Caffe's VGG; a quiet network would only blur.
        pooling: "max" as all were trained, or "average" (``FeatureNetwork.pooled_by``).
        content_pull: what the published passes multiply the weight of content by. 1 is as published, for every VGG; in
            another network the same weight pulls a picture harder or less hard.
    """

    name: str
    pixel_scale: float
    padding: str
    ceil_pool: bool
    order: tuple[int, int, int]
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    activation_gain: float = 1.0
    pooling: str = "max"
    content_pull: float = 1.0

    def centre(self) -> Tensor:
        """(3, 1, 1) RGB pixel values that the network sees as 0; the passes optimise the difference from it."""
        return torch.tensor([self.mean[self.order.index(channel)] for channel in range(3)]).view(3, 1, 1)


# Fitted on published pictures of pass 1 with Gatys's weights, whose mean activation is 1 in every layer. Torchvision's
# activations are of that order too; its gain is an estimate.
QUIET_GAIN = 100.0

CAFFE = Layout("caffe", 256.0, "zeros", True, (2, 1, 0), (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))
TORCHVISION = Layout(
    "torchvision", 255.0, "zeros", False, (0, 1, 2), (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), QUIET_GAIN
)
GATYS = Layout("gatys", 255.0, "reflect", True, (2, 1, 0), (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), QUIET_GAIN)

POOL = "pool"


def vgg_steps(blocks: Sequence[int]) -> tuple[str, ...]:
    """Layer names in order, e.g. ``("relu1_1", "relu1_2", "pool", "relu2_1", …)`` for ``blocks`` = convs per block."""
    steps: list[str] = []
    for block, count in enumerate(blocks, start=1):
        steps += [POOL] if block > 1 else []
        steps += [f"relu{block}_{i}" for i in range(1, count + 1)]
    return tuple(steps)


VGG16_BLOCKS = (2, 2, 3, 3, 3)
VGG19_BLOCKS = (2, 2, 4, 4, 4)


class FeatureNetwork(nn.Module):
    """Convolutions, relus and poolings in a chain, read by relu name.

    Args:
        convolutions: weight (out, in, 3, 3) and bias (out,) by layer name, e.g. ``"relu3_1"``; the chain ends at the
            last one present.
        steps: the full chain as ``vgg_steps`` gives it.
        layout: padding, pooling and colours.
        name: for the user and the result's metadata.
        sha256: of the file the weights came from, "" for none.
    """

    def __init__(
        self,
        convolutions: Mapping[str, tuple[Tensor, Tensor]],
        steps: Iterable[str],
        layout: Layout,
        name: str,
        sha256: str = "",
    ) -> None:
        super().__init__()
        self.layout, self.name, self.sha256 = layout, name, sha256
        self.steps = _until_last(tuple(steps), convolutions)
        self.layers = tuple(step for step in self.steps if step != POOL)
        for layer in self.layers:
            weight, bias = convolutions[layer]
            self.register_buffer(f"{layer}_weight", weight)
            self.register_buffer(f"{layer}_bias", bias)
        self.register_buffer("order", torch.tensor(layout.order), persistent=False)
        self.register_buffer("mean", torch.tensor(layout.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(layout.scale).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features after the relus named.

        Args:
            pixels: (3, H, W) RGB times ``layout.pixel_scale``.
            layers: relu names, any order, all among ``self.layers``.

        Returns:
            (C, h, w) by name.
        """
        wanted = set(layers)
        found: dict[str, Tensor] = {}
        x = self._prepare(pixels)[None]
        for step in self.steps:
            if len(found) == len(wanted):
                break
            x = self._pool(x) if step == POOL else self._convolve(x, step)
            if step in wanted:
                found[step] = x.squeeze(0)
                x = found[step][None]  # the chain runs on through what it hands out: gradients can stop and start here
        return found

    def amplified(self) -> FeatureNetwork:
        """The network whose features are ``layout.activation_gain`` times as large.

        Relu and max-pooling let a positive factor through, so it is enough to scale the first filters and all biases.
        """
        gain, first = self.layout.activation_gain, self.layers[0]
        convolutions = {
            layer: (self.get_buffer(f"{layer}_weight"), self.get_buffer(f"{layer}_bias") * gain)
            for layer in self.layers
        }
        convolutions[first] = (convolutions[first][0] * gain, convolutions[first][1])
        layout = replace(self.layout, activation_gain=1.0)
        return FeatureNetwork(convolutions, self.steps, layout, self.name, self.sha256).to(self.get_buffer("mean"))

    def pooled_by(self, pooling: str) -> FeatureNetwork:
        """The same filters (shared, not copied) with "max" or "average" pooling between them."""
        convolutions = {
            layer: (self.get_buffer(f"{layer}_weight"), self.get_buffer(f"{layer}_bias")) for layer in self.layers
        }
        layout = replace(self.layout, pooling=pooling)
        return FeatureNetwork(convolutions, self.steps, layout, self.name, self.sha256).to(self.get_buffer("mean"))

    def smallest_side(self) -> int:
        """The shortest side, in pixels, of a picture that reaches the last layer: a pooling without ceil needs two
        pixels to make one, and a reflection needs two to have something to reflect."""
        return next(side for side in itertools.count(1) if self._reaches_the_end(side))

    def _reaches_the_end(self, side: int) -> bool:
        for step in self.steps:
            if step == POOL:
                side = -(-side // 2) if self.layout.ceil_pool else side // 2
            if side < (2 if self.layout.padding == "reflect" and step != POOL else 1):
                return False
        return True

    def available(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Those of the wanted layers that this network has, in the order asked for."""
        return tuple(layer for layer in wanted if layer in self.layers)

    def deepest(self, wanted: str) -> str:
        """The wanted layer, or for a network that stops before it, the deepest first-of-its-block layer there is."""
        if wanted in self.layers:
            return wanted
        return [layer for layer in self.layers if layer.endswith("_1")][-1]

    def _prepare(self, pixels: Tensor) -> Tensor:
        mean, scale = self.get_buffer("mean"), self.get_buffer("scale")
        return (pixels.index_select(0, self.get_buffer("order")) - mean) / scale

    def _convolve(self, x: Tensor, layer: str) -> Tensor:
        if self.layout.padding == "reflect":
            x = reflected(x)
        padding = 1 if self.layout.padding == "zeros" else 0
        weight, bias = self.get_buffer(f"{layer}_weight"), self.get_buffer(f"{layer}_bias")
        return F.relu(F.conv2d(x, weight, bias, padding=padding), inplace=True)

    def _pool(self, x: Tensor) -> Tensor:
        pool = F.avg_pool2d if self.layout.pooling == "average" else F.max_pool2d
        pooled: Tensor = pool(x, 2, ceil_mode=self.layout.ceil_pool)
        return pooled


def reflected(x: Tensor) -> Tensor:
    """(N, C, h, w) reflected by one position around, channels last where they were. torch's own gives back channels
    first, whatever it is given, which costs four copies of every layer's features in each iteration.

    Raises:
        RuntimeError: fewer than two positions a side, as torch's own.
    """
    if min(x.shape[2:]) < 2:
        raise RuntimeError(f"{tuple(x.shape)} has nothing to reflect: a side needs two positions at least")
    found: Tensor = _Reflected.apply(x)
    return found


class _Reflected(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        last = x.is_contiguous(memory_format=torch.channels_last)
        ctx.form = torch.channels_last if last else torch.contiguous_format
        size = (*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2)
        found = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=ctx.form)
        found[..., 1:-1, 1:-1] = x
        found[..., 0, 1:-1], found[..., -1, 1:-1] = x[..., 1, :], x[..., -2, :]
        found[..., 0], found[..., -1] = found[..., 2], found[..., -3]
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        rows = gradient[..., 1:-1].clone(memory_format=ctx.form)
        rows[..., 1] += gradient[..., 0]
        rows[..., -2] += gradient[..., -1]
        found = rows[..., 1:-1, :]
        found[..., 1, :] += rows[..., 0, :]
        found[..., -2, :] += rows[..., -1, :]
        return found


def _until_last(steps: tuple[str, ...], convolutions: Mapping[str, object]) -> tuple[str, ...]:
    """The chain up to its last step with weights; a hole in between is a broken file."""
    last = max((i for i, step in enumerate(steps) if step in convolutions), default=-1)
    missing = [step for step in steps[: last + 1] if step != POOL and step not in convolutions]
    if last < 0 or missing:
        raise ValueError(f"weights lack the convolutions of {', '.join(missing) or 'every layer'}")
    return steps[: last + 1]


def random_network(
    seed: int = 0, width: int = 16, layout: Layout = CAFFE, blocks: Sequence[int] = VGG19_BLOCKS
) -> FeatureNetwork:
    """A network of VGG's shape with seeded random weights (He initialisation), ``width`` channels in block one.

    For tests and timing; as a feature extractor it gives noise and blur.
    """
    generator = torch.Generator().manual_seed(seed)
    widths = [width * factor for factor in (1, 2, 4, 8, 8)]
    convolutions: dict[str, tuple[Tensor, Tensor]] = {}
    channels = 3
    for step in vgg_steps(blocks):
        if step == POOL:
            continue
        out = widths[int(step[4]) - 1]
        weight = torch.randn(out, channels, 3, 3, generator=generator) * (2 / (9 * channels)) ** 0.5
        convolutions[step] = (weight, torch.zeros(out))
        channels = out
    return FeatureNetwork(convolutions, vgg_steps(blocks), layout, f"random-{seed}")
