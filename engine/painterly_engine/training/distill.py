"""Teach the slim network to see what VGG-19 sees.

At each layer that the algorithm reads, a 1×1 convolution lifts the student's features to the teacher's width; three
errors are followed, each relative to the teacher's own variance: of the lifted features, of their difference between a
crop and its disturbed twin (so that speckle weighs as much as it does for VGG), and of their Gram matrices.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from types import EllipsisType

import numpy as np
import torch
from torch import Tensor, nn

from painterly_engine.network.layouts import Recognised
from painterly_engine.training.crops import Crops
from painterly_engine.training.sharpen import sharpen
from painterly_engine.training.student import Student, rescale
from painterly_engine.training.teachers import LAYERS, Teacher

Log = Callable[[str], None]
Snapshot = Callable[[Recognised], None]
TWIN_WEIGHT, GRAM_WEIGHT = 0.3, 0.1
WINDOW = 20
"""Errors are taken in a window of this many positions a side: of a shallow layer's many, a part says as much."""
OPENING = 24
"""Pairs in the batch that the lifts start from and that says how large errors usually are."""
GRAM_CHANNELS = 96
"""Gram matrices are compared between this many channels, drawn anew every step."""


@dataclass(frozen=True)
class Plan:
    """How long and how large; the defaults are what the shipped network was trained with.

    Attributes:
        steps: optimiser steps.
        crops: per step.
        pairs: further crops per step that come with their disturbed twins.
        chunk: crops drawn and shown to the teachers at once; a quarter of them have twins.
        rehearsals: times each crop is learnt from before it is thrown away.
        rate: the largest learning rate.
        frozen: the last part of the steps, in which batch normalisation keeps its statistics.
    """

    seed: int = 0
    steps: int = 12000
    crops: int = 6
    pairs: int = 2
    chunk: int = 128
    rehearsals: int = 6
    rate: float = 3e-3
    frozen: float = 0.15


def distill(
    crops: Crops,
    teachers: Sequence[Teacher],
    plan: Plan,
    device: torch.device,
    log: Log,
    snapshot: Snapshot = lambda _: None,
) -> Recognised:
    """Train and fold.

    Args:
        snapshot: called with the network as it is, every 500 steps.

    Returns:
        A network of layout "slim" whose channels have a mean activation of 1 on such crops.
    """
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    student = Student(torch.Generator().manual_seed(plan.seed)).to(device).to(memory_format=torch.channels_last)
    examples = _examples(crops, teachers, plan, rng, device)
    opening = _opening(crops, teachers, rng, device)
    lifts = _lifts(student, opening).to(device)
    usual = {layer: _energies(target.float(), OPENING, slice(GRAM_CHANNELS)) for layer, target in opening[1].items()}
    optimiser = torch.optim.AdamW([*student.parameters(), *lifts.parameters()], plan.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: learning_rate(step, plan.steps))
    weights = torch.tensor([1.0, TWIN_WEIGHT, GRAM_WEIGHT], device=device)
    started = time.monotonic()
    for step, (images, targets, windows) in zip(range(plan.steps), examples, strict=False):
        if step == round(plan.steps * (1 - plan.frozen)):
            student.freeze_norms()
        with torch.autocast(device.type, torch.bfloat16):
            features = student(images)
            lifted = {layer: lifts[layer](features[layer][windows[layer]]) for layer in LAYERS}
        errors = {
            layer: _errors(lifted[layer].float(), targets[layer].float(), plan.pairs, usual[layer]) for layer in LAYERS
        }
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack([one @ weights for one in errors.values()]).sum())
        nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        if step % 500 == 499:
            snapshot(_finished(student, crops, plan, device))
        if step % 50 == 0 or step == plan.steps - 1:
            shown = "  ".join(
                f"{layer[4:]} " + "/".join(f"{error:.3f}" for error in errors[layer].tolist()) for layer in LAYERS
            )
            log(f"step {step:5d}  {time.monotonic() - started:6.0f} s  feature/twin/Gram error  {shown}")
    return _finished(student, crops, plan, device)


def _finished(student: Student, crops: Crops, plan: Plan, device: torch.device) -> Recognised:
    """Folded, rescaled and sharpened; the student itself may go on learning."""
    rng = np.random.default_rng(plan.seed + 1)
    rescaled = rescale(student.fold(), mean_activations(deepcopy(student).eval(), crops, rng, device))
    return sharpen(rescaled, crops, np.random.default_rng(plan.seed + 2))


def learning_rate(step: int, steps: int) -> float:
    """A short rise, then half a cosine."""
    rise = min(1.0, (step + 1) / min(100, steps))
    return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


@torch.no_grad()
def _lifts(student: Student, example: Example) -> nn.ModuleDict:
    """1×1 convolutions that start as the least-squares fit to the untrained student's features."""
    images, targets, windows = example
    features = student(images)
    lifts = nn.ModuleDict()
    for layer in LAYERS:
        matrix, bias = least_squares_lift(features[layer][windows[layer]], targets[layer].float())
        lifts[layer] = lift = nn.Conv2d(matrix.shape[1], matrix.shape[0], 1)
        assert lift.bias is not None
        lift.weight.copy_(matrix[:, :, None, None])
        lift.bias.copy_(bias)
    return lifts


def least_squares_lift(features: Tensor, targets: Tensor, ridge: float = 1e-3) -> tuple[Tensor, Tensor]:
    """The affine map of (N, C, h, w) features that comes closest to (N, D, h, w) targets.

    Args:
        ridge: times the features' mean variance is added to the diagonal.

    Returns:
        Matrix (D, C) and bias (D,).
    """
    x, y = (t.transpose(0, 1).flatten(1).double() for t in (features, targets))
    x_mean, y_mean = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    x, y = x - x_mean, y - y_mean
    covariance = x @ x.T
    damping = ridge * covariance.diagonal().mean() + 1e-12
    matrix = torch.linalg.solve(covariance + damping * torch.eye(len(x), device=x.device), x @ y.T).T
    return matrix.to(features.dtype), (y_mean - matrix @ x_mean)[:, 0].to(features.dtype)


Window = tuple[EllipsisType, slice, slice]
Example = tuple[Tensor, dict[str, Tensor], dict[str, Window]]


def _opening(crops: Crops, teachers: Sequence[Teacher], rng: np.random.Generator, device: torch.device) -> Example:
    """A large batch to start from, in the order of all: others, pairs, the pairs' twins."""
    images = crops.with_twins(rng, 2 * OPENING, OPENING).to(device)
    order = torch.cat(
        [torch.arange(OPENING, 2 * OPENING), torch.arange(OPENING), torch.arange(2 * OPENING, 3 * OPENING)]
    )
    windows = {layer: _window(rng, crops.size >> depth) for depth, layer in enumerate(LAYERS)}
    return images[order], _taught(images[order], teachers, windows), windows


def _examples(
    crops: Crops, teachers: Sequence[Teacher], plan: Plan, rng: np.random.Generator, device: torch.device
) -> Iterator[Example]:
    """Batches of crops, pairs and the pairs' twins with the teachers' features, a few more than ``plan.steps``."""
    twins = plan.chunk // 4
    for _ in range(math.ceil((plan.steps + 1) * plan.crops / (plan.chunk * plan.rehearsals)) + 1):
        images = crops.with_twins(rng, plan.chunk, twins).to(device, memory_format=torch.channels_last)
        windows = {layer: _window(rng, crops.size >> depth) for depth, layer in enumerate(LAYERS)}
        targets = _taught(images, teachers, windows)
        for _ in range(plan.rehearsals):
            order = torch.from_numpy(rng.permutation(plan.chunk))
            for some in torch.split(order, plan.crops):
                paired = torch.from_numpy(rng.permutation(twins)[: plan.pairs])
                picked = torch.cat([some, paired, paired + plan.chunk]).to(device)
                yield images[picked], {layer: target[picked] for layer, target in targets.items()}, windows


def _window(rng: np.random.Generator, side: int) -> Window:
    top, left = rng.integers(0, max(1, side - WINDOW + 1), 2).tolist()
    return ..., slice(top, top + WINDOW), slice(left, left + WINDOW)


@torch.no_grad()
def _taught(images: Tensor, teachers: Sequence[Teacher], windows: dict[str, Window]) -> dict[str, Tensor]:
    """The teachers' features, in half precision to save memory."""
    pieces: dict[str, list[Tensor]] = {layer: [] for layer in LAYERS}
    for some in torch.split(images, 16):
        for teacher in teachers:
            with torch.autocast(images.device.type, torch.bfloat16):
                found = teacher.features(some)
            for layer, feature in found.items():
                pieces[layer].append(feature[windows[layer]].bfloat16())
    return {layer: torch.cat(piece) for layer, piece in pieces.items()}


def _energies(target: Tensor, pairs: int, some: Tensor | slice) -> Tensor:
    """What the three errors are relative to: (3,) of features, twins' differences and Gram matrices."""
    feature = (target - target.mean((0, 2, 3), keepdim=True)).square().mean()
    twin = (target[-pairs:] - target[-2 * pairs : -pairs]).square().mean()
    return torch.stack([feature, twin, gram(target[:, some]).square().mean()])


def _errors(lifted: Tensor, target: Tensor, pairs: int, usual: Tensor) -> Tensor:
    """Errors (3,) of features, twins' differences and Gram matrices, each over the target's own energy.

    ``usual`` energies are a floor, so that a batch of plain pictures does not count more than others.
    """
    some = torch.randperm(target.shape[1])[:GRAM_CHANNELS]
    own = torch.maximum(_energies(target, pairs, some), usual)
    off = lifted - target
    feature = off.square().mean()
    twin = (off[-pairs:] - off[-2 * pairs : -pairs]).square().mean()
    return torch.stack([feature, twin, (gram(lifted[:, some]) - gram(target[:, some])).square().mean()]) / own


def gram(features: Tensor) -> Tensor:
    """(N, C, C) mean products of (N, C, h, w)."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


@torch.no_grad()
def mean_activations(
    student: Student, crops: Crops, rng: np.random.Generator, device: torch.device, batches: int = 16
) -> dict[str, Tensor]:
    """Mean of each channel after its relu over fresh crops, (C,) by layer on the CPU."""
    totals: dict[str, Tensor] = {}
    for _ in range(batches):
        for layer, feature in student(crops.draw(rng, 16).to(device)).items():
            mean = feature.mean((0, 2, 3)).cpu()
            totals[layer] = totals.get(layer, torch.zeros_like(mean)) + mean / batches
    return {layer: total.clamp(min=1e-4) for layer, total in totals.items()}
