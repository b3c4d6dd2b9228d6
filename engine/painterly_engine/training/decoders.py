"""Teach the decoders of the slim network to give pictures back."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from painterly_engine.instant.decoder import WIDTHS, Decoder, decoder_for
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.training.batches import batch_features
from painterly_engine.training.crops import Crops
from painterly_engine.training.distill import Log, Plan, learning_rate, least_squares_lift

DECODED = tuple(WIDTHS)
OPENING = 64
"""Crops that the coarse pictures are fitted to before the first step."""
STEEPEST = 1.0
"""Longer gradients are cut to this length."""
PLAIN = 0.005
"""Added to the variance that an error is relative to, less than half of what crops usually have: a batch of nearly
plain crops would otherwise drown what all others have taught (relu4_1's decoder never recovered from one)."""


def train_decoders(
    crops: Crops, network: FeatureNetwork, plan: Plan, device: torch.device, log: Log
) -> dict[str, Decoder]:
    """Learn to give a crop back: squared error of its pixels, as the share of their variance that is left, about.

    Nothing but the pixels is looked at. A loss on the features of what is given back doubles the cost of a step, and
    feed-forward transfer adds the picture's own fine detail afterwards anyway.
    """
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    network = network.to(device)
    opening = crops.draw(rng, OPENING).to(device)
    decoders = {layer: _untrained(network, layer, opening) for layer in DECODED}
    parameters = [parameter for one in decoders.values() for parameter in one.parameters()]
    optimiser = torch.optim.AdamW(parameters, plan.rate, weight_decay=0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: learning_rate(step, plan.steps))
    started = time.monotonic()
    shown = dict.fromkeys(DECODED, 1.0)
    for step in range(plan.steps):
        images = crops.draw(rng, plan.crops).to(device, memory_format=torch.channels_last)
        errors = _step(network, decoders, images, device)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(errors.values())).sum())
        for decoder in decoders.values():
            nn.utils.clip_grad_norm_(decoder.parameters(), STEEPEST)
        optimiser.step()
        schedule.step()
        shown = {layer: shown[layer] + 0.05 * (float(error.detach()) - shown[layer]) for layer, error in errors.items()}
        if step % 50 == 0 or step == plan.steps - 1:
            figures = "  ".join(f"{layer} {error:.4f}" for layer, error in shown.items())
            log(f"decoder step {step:5d}  {time.monotonic() - started:6.0f} s  share of variance left  {figures}")
    return decoders


@torch.no_grad()
def _untrained(network: FeatureNetwork, layer: str, images: Tensor) -> Decoder:
    """A decoder whose coarse picture is the least-squares fit to (N, 3, H, W) images."""
    decoder = decoder_for(network, layer)
    decoder.reset()
    features = batch_features(network, images, [layer])[layer]
    matrix, bias = least_squares_lift(features, F.adaptive_avg_pool2d(images, (features.shape[2], features.shape[3])))
    decoder.coarse.weight.copy_(matrix[:, :, None, None])
    assert decoder.coarse.bias is not None
    decoder.coarse.bias.copy_(bias)
    return decoder.to(images.device).to(memory_format=torch.channels_last)


def _step(
    network: FeatureNetwork, decoders: Mapping[str, Decoder], images: Tensor, device: torch.device
) -> dict[str, Tensor]:
    variance = (images - images.mean((2, 3), keepdim=True)).square().mean() + PLAIN
    with torch.autocast(device.type, torch.bfloat16):
        with torch.no_grad():
            features = batch_features(network, images, DECODED)
        given = {layer: decoder(features[layer]) for layer, decoder in decoders.items()}
    return {layer: (one.float() - images).square().mean() / variance for layer, one in given.items()}
