"""Decoders: from the slim network's features back to a picture.

A decoder mirrors the chain that it inverts: 3×3 convolutions with reflect padding and relus, nearest-neighbour doubling
where the chain pools, no relu at the end (Huang & Belongie 2017). Feed-forward style transfer needs them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from painterly_engine.network.features import POOL, FeatureNetwork
from painterly_engine.training.batches import batch_features
from painterly_engine.training.crops import Crops
from painterly_engine.training.distill import Log, Plan, learning_rate

DECODED = ("relu3_1", "relu4_1")
_PERCEIVED = ("relu1_1", "relu2_1", "relu3_1")


class Decoder(nn.Module):
    """(N, C, h, w) features of one layer to (N, 3, h·2^pools, w·2^pools) RGB, about 0 to 1.

    Args:
        steps: the encoder's chain up to the layer.
        widths: channels by layer of the encoder.
    """

    def __init__(self, steps: Sequence[str], widths: Mapping[str, int]) -> None:
        super().__init__()
        self.steps = tuple(reversed(steps))
        layers = [step for step in self.steps if step != POOL]
        outputs = [widths[layer] for layer in layers[1:]] + [3]
        self.convolutions = nn.ModuleDict(
            {layer: nn.Conv2d(widths[layer], out, 3) for layer, out in zip(layers, outputs, strict=True)}
        )
        self.last = layers[-1]

    def forward(self, features: Tensor) -> Tensor:
        x = features
        for step in self.steps:
            if step == POOL:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
                continue
            x = self.convolutions[step](F.pad(x, (1, 1, 1, 1), mode="reflect"))
            x = x if step == self.last else F.relu(x)
        return x


def decoder_for(network: FeatureNetwork, layer: str) -> Decoder:
    """An untrained decoder of a network's layer."""
    widths = {name: network.get_buffer(f"{name}_bias").shape[0] for name in network.layers}
    return Decoder(network.steps[: network.steps.index(layer) + 1], widths)


def load_decoders(path: Path, network: FeatureNetwork) -> dict[str, Decoder]:
    """Those that ``decoder_tensors`` were written to a safetensors file for, by the layer they decode."""
    state = load_file(path)
    decoders = {layer: decoder_for(network, layer) for layer in sorted({key.partition(".")[0] for key in state})}
    for layer, decoder in decoders.items():
        own = {key.removeprefix(f"{layer}."): value for key, value in state.items() if key.startswith(f"{layer}.")}
        decoder.load_state_dict(own)
        decoder.eval().requires_grad_(False)
    return decoders


def decoder_tensors(decoders: Mapping[str, Decoder]) -> dict[str, Tensor]:
    """All in one mapping, to be saved as safetensors."""
    return {
        f"{layer}.{key}": value.cpu().contiguous()
        for layer, decoder in decoders.items()
        for key, value in decoder.state_dict().items()
    }


def train_decoders(
    crops: Crops, network: FeatureNetwork, plan: Plan, device: torch.device, log: Log
) -> dict[str, Decoder]:
    """Learn to give a crop back: squared error of its pixels, and of the features of what was given back."""
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    network = network.to(device)
    decoders = {
        layer: decoder_for(network, layer).to(device).to(memory_format=torch.channels_last) for layer in DECODED
    }
    optimiser = torch.optim.AdamW([p for one in decoders.values() for p in one.parameters()], plan.rate, weight_decay=0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: learning_rate(step, plan.steps))
    started = time.monotonic()
    for step in range(plan.steps):
        images = crops.draw(rng, plan.crops).to(device, memory_format=torch.channels_last)
        errors = _step(network, decoders, images, device)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(errors.values())).sum())
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step == plan.steps - 1:
            shown = "  ".join(f"{layer} {float(error.detach()):.4f}" for layer, error in errors.items())
            log(f"decoder step {step:5d}  {time.monotonic() - started:6.0f} s  {shown}")
    return decoders


def _step(
    network: FeatureNetwork, decoders: Mapping[str, Decoder], images: Tensor, device: torch.device
) -> dict[str, Tensor]:
    with torch.autocast(device.type, torch.bfloat16):
        with torch.no_grad():
            features = batch_features(network, images, {*DECODED, *_PERCEIVED})
        errors = {}
        for layer, decoder in decoders.items():
            given = decoder(features[layer])
            seen = batch_features(network, given, _PERCEIVED)
            perceived = [(seen[one] - features[one]).float().square().mean() for one in _PERCEIVED]
            errors[layer] = (given - images).float().square().mean() * 50 + 0.02 * torch.stack(perceived).sum()
    return errors
