"""How good is a feature network? Fidelity to its teachers, dead channels, speckle, speed; as Markdown tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from painterly_engine.network.features import GATYS, VGG19_BLOCKS, FeatureNetwork, random_network
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.training.distill import gram, least_squares_lift
from painterly_engine.training.folders import numbered, read_painting, wide_enough
from painterly_engine.training.teachers import LAYERS, Teacher, compressed, full

DEAD = 1e-3
"""A channel whose largest activation over all pictures stays below this is dead."""


FEWEST = 2
"""Paintings: lifts are fitted on one half of them and judged on the other."""
ITERATIONS = 100
"""Of a texture synthesis."""
EVALUATIONS = 25
"""Most that an iteration of a texture synthesis may take, the line search's own limit: torch's limit for all together
would end a synthesis early."""


def paintings(folder: Path, longest: int) -> list[Tensor]:
    """The numbered pictures of a folder, (3, H, W) RGB in [0, 1].

    Raises:
        PainterlyError: UNREADABLE_FILE.
    """
    return [read_painting(path, longest) for path in numbered(folder, FEWEST)]


def features_of(network: FeatureNetwork, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Features (C, h, w) of RGB in [0, 1]."""
    found: dict[str, Tensor] = network(image * network.layout.pixel_scale, layers)
    return found


@dataclass(frozen=True)
class Fidelity:
    """Agreement with a teacher's layer after a least-squares lift; over all channels and positions."""

    layer: str
    correlation: float
    error: float


@torch.no_grad()
def fidelity(network: FeatureNetwork, teacher: Teacher, images: Sequence[Tensor]) -> list[Fidelity]:
    """Lifts are fitted on one half of the pictures and judged on the other, both ways.

    The error is ‖lifted − target‖ / ‖target − its channel's mean‖, and the correlation Pearson's over channels that are
    each brought to zero mean.
    """
    layers = [layer for layer in teacher.layers if layer in network.layers]
    pairs = [
        _positions(features_of(network, image, layers), {k: v[0] for k, v in teacher.features(image[None]).items()})
        for image in images
    ]
    return [_agreement(layer, [own[layer] for own, _ in pairs], [goal[layer] for _, goal in pairs]) for layer in layers]


Features = dict[str, Tensor]


def _positions(first: Features, second: Features) -> tuple[Features, Features]:
    """The positions that both have (one may drop the last odd row in pooling), at most 4096 spread evenly: (C, n)."""
    flat: tuple[Features, Features] = ({}, {})
    for layer in first.keys() & second.keys():
        height, width = (min(a, b) for a, b in zip(first[layer].shape[1:], second[layer].shape[1:], strict=True))
        for features, found in zip((first, second), flat, strict=True):
            every = features[layer][:, :height, :width].flatten(1)
            found[layer] = every[:, :: max(1, height * width // 4096)]
    return flat


def _agreement(layer: str, own: list[Tensor], goal: list[Tensor]) -> Fidelity:
    lifted, target = [], []
    for fitted, judged in ((0, 1), (1, 0)):
        x, y = torch.cat(own[fitted::2], 1), torch.cat(goal[fitted::2], 1)
        matrix, bias = least_squares_lift(x[None, :, None], y[None, :, None], ridge=1e-4)
        lifted.append(matrix @ torch.cat(own[judged::2], 1) + bias[:, None])
        target.append(torch.cat(goal[judged::2], 1))
    a, b = torch.cat(lifted, 1), torch.cat(target, 1)
    return compare(layer, a, b)


def compare(layer: str, lifted: Tensor, target: Tensor) -> Fidelity:
    """Correlation and relative error of (C, n) features."""
    a, b = lifted - lifted.mean(1, keepdim=True), target - target.mean(1, keepdim=True)
    correlation = (a * b).sum() / (a.norm() * b.norm() + 1e-12)
    return Fidelity(layer, float(correlation), float((lifted - target).norm() / (b.norm() + 1e-12)))


@torch.no_grad()
def own_lifts(teacher: Teacher, genuine: Teacher, images: Sequence[Tensor]) -> list[Fidelity]:
    """How well a teacher's own lifts agree with another's features, nothing fitted."""
    pairs = [
        _positions(*({k: v[0] for k, v in one.features(image[None]).items()} for one in (teacher, genuine)))
        for image in images
    ]
    return [
        compare(layer, torch.cat([a[layer] for a, _ in pairs], 1), torch.cat([b[layer] for _, b in pairs], 1))
        for layer in teacher.layers
        if layer in genuine.layers
    ]


@dataclass(frozen=True)
class Activity:
    """One layer over all pictures: its channels, those that are dead, and its channels' mean activations."""

    layer: str
    channels: int
    dead: int
    mean: float
    least: float
    most: float


@torch.no_grad()
def activity(network: FeatureNetwork, images: Sequence[Tensor]) -> list[Activity]:
    """Largest and mean activation of every channel of every layer."""
    largest: dict[str, Tensor] = {}
    total: dict[str, Tensor] = {}
    for image in images:
        for layer, feature in features_of(network, image, network.layers).items():
            top, mean = feature.amax((1, 2)), feature.mean((1, 2)) / len(images)
            largest[layer] = torch.maximum(largest.get(layer, top), top)
            total[layer] = total.get(layer, torch.zeros_like(mean)) + mean
    return [
        Activity(layer, len(top), int((top < DEAD).sum()), *_spread(total[layer])) for layer, top in largest.items()
    ]


def _spread(means: Tensor) -> tuple[float, float, float]:
    return float(means.mean()), float(means.min()), float(means.max())


def synthesize(network: FeatureNetwork, texture: Tensor, layers: Sequence[str], iterations: int, seed: int) -> Tensor:
    """A texture from noise by matching Gram matrices (Gatys et al. 2015), each relative to the texture's own."""
    with torch.no_grad():
        targets = {k: gram(v[None])[0] for k, v in features_of(network, texture, layers).items()}
    x = torch.rand(texture.shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [x],
        max_iter=iterations,
        max_eval=iterations * EVALUATIONS,
        history_size=20,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = features_of(network, x, layers)
        terms = [(gram(found[k][None])[0] - g).square().sum() / g.square().sum() for k, g in targets.items()]
        total = torch.stack(terms).sum() * 1e3
        torch.autograd.backward(total)
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return x.detach().clamp(0, 1)


def fine_energy(image: Tensor) -> float:
    """Energy of (3, H, W) above half the Nyquist frequency, per pixel."""
    height, width = image.shape[1:]
    spectrum = torch.fft.fft2(image - image.mean((1, 2), keepdim=True)).abs().square()
    y, x = torch.fft.fftfreq(height).abs()[:, None], torch.fft.fftfreq(width).abs()
    return float(spectrum[:, torch.maximum(x, y) > 0.25].sum() / (height * width) ** 2)


def speckle(network: FeatureNetwork, textures: Sequence[Tensor], layers: Sequence[str], iterations: int) -> float:
    """Mean over textures of the synthesis' fine energy relative to the texture's own; 1 is perfect."""
    ratios = [fine_energy(synthesize(network, one, layers, iterations, 0)) / fine_energy(one) for one in textures]
    return sum(ratios) / len(ratios)


def seconds_to(network: FeatureNetwork, layer: str, side: int, repeats: int) -> list[float]:
    """Forward and backward from a random picture to a layer, each time by itself."""
    found = []
    for _ in range(repeats):
        image = (torch.rand(3, side, side) * network.layout.pixel_scale).requires_grad_()
        started = time.perf_counter()
        torch.autograd.backward(network(image, [layer])[layer].square().mean())
        found.append(time.perf_counter() - started)
    return found


def timing(network: FeatureNetwork, layer: str, side: int, repeats: int = 5) -> tuple[float, float]:
    """Median seconds to a layer, of the network and of a full-width VGG-19 of random weights, in turn."""
    wide = random_network(0, 64, GATYS, VGG19_BLOCKS)
    own, full = [], []
    for _ in range(repeats + 1):
        own += seconds_to(network, layer, side, 1)
        full += seconds_to(wide, layer, side, 1)
    return _median(own[1:]), _median(full[1:])


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def evaluate_features(arguments: argparse.Namespace) -> int:
    """Print the figures as Markdown tables.

    Raises:
        PainterlyError: before anything long, for a network, teacher or painting that will not do.
    """
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    network = NetworkShelf().get(arguments.weights)
    genuine, lifted = full(arguments.teacher), compressed(arguments.deep_teacher)
    narrow = full(arguments.deep_teacher).network
    images = paintings(arguments.paintings, arguments.size)
    least = max(one.smallest_side() for one in (network, genuine.network, narrow))
    for path, image in zip(numbered(arguments.paintings, FEWEST), images, strict=True):
        wide_enough(path, min(image.shape[1:]), least)
    _print_fidelity(network, genuine, lifted, narrow, images)
    _print_activity((network, narrow, genuine.network), images)
    _print_speckle((network, narrow, genuine.network), [centre(image, 128) for image in images[1::9]])
    _print_timing(network)
    return 0


def _print_fidelity(
    network: FeatureNetwork, genuine: Teacher, lifted: Teacher, narrow: FeatureNetwork, images: Sequence[Tensor]
) -> None:
    print("Correlation / relative error on paintings.\n")
    print("| layer | judged → genuine | judged → compressed's lifts | compressed → genuine | its lifts → genuine |")
    print("|---|---|---|---|---|")
    columns = (
        fidelity(network, genuine, images),
        fidelity(network, lifted, images),
        fidelity(narrow, genuine, images),
        own_lifts(lifted, genuine, images),
    )
    for layer in LAYERS:
        print(f"| {layer} | " + " | ".join(_cell(column, layer) for column in columns) + " |", flush=True)


def _print_activity(networks: Sequence[FeatureNetwork], images: Sequence[Tensor]) -> None:
    print("\n| network | layer | channels | dead | mean activation | least channel's | most active channel's |")
    print("|---|---|---|---|---|---|---|")
    for network in networks:
        for row in activity(network, images):
            figures = f"{row.mean:.2f} | {row.least:.2f} | {row.most:.2f}"
            print(f"| {network.name} | {row.layer} | {row.channels} | {row.dead} | {figures} |", flush=True)


def _print_speckle(networks: Sequence[FeatureNetwork], textures: Sequence[Tensor]) -> None:
    print("\nFine energy of a texture synthesis, relative to the texture's own.\n")
    print("| network | style relu1_1 to relu3_1 | relu1_1 to relu4_1 |\n|---|---|---|")
    for network in networks:
        cells = [_speckle_cell(network, textures, LAYERS[:depth]) for depth in (3, 4)]
        print(f"| {network.name} | {' | '.join(cells)} |", flush=True)


def _speckle_cell(network: FeatureNetwork, textures: Sequence[Tensor], layers: tuple[str, ...]) -> str:
    if network.available(layers) != layers:
        return "–"
    return f"{speckle(network, textures, layers, ITERATIONS):.2f}"


def _print_timing(network: FeatureNetwork) -> None:
    layer = network.available(LAYERS[:4])[-1]
    print(f"\nSeconds forward and backward to {layer}, in turn.\n")
    print("| side | judged | full VGG-19 | ratio |\n|---|---|---|---|")
    for side in (256, 512):
        own, wide = timing(network, layer, side)
        print(f"| {side} | {own:.3f} | {wide:.3f} | {wide / own:.1f} |", flush=True)


def centre(image: Tensor, side: int) -> Tensor:
    """The middle of a picture, at most ``side`` pixels a side."""
    height, width = image.shape[1:]
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    return image[:, top : top + side, left : left + side]


def _cell(rows: Sequence[Fidelity], layer: str) -> str:
    found = [row for row in rows if row.layer == layer]
    return f"{found[0].correlation:.3f} / {found[0].error:.3f}" if found else "–"
