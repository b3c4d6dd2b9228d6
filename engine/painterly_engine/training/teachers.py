"""The networks that are imitated, and which of their features at which layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from painterly_engine.network.features import FeatureNetwork
from painterly_engine.network.layouts import COMPRESSED
from painterly_engine.network.store import load_path
from painterly_engine.training.batches import batch_features
from painterly_protocol.errors import ErrorCode, PainterlyError

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
Lifts = dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Teacher:
    """One network's features at some layers, widened by 1×1 lifts where it has them."""

    network: FeatureNetwork
    layers: tuple[str, ...]
    lifts: Lifts

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """(N, C, h, w) by layer for (N, 3, H, W) RGB in [0, 1]."""
        found = batch_features(self.network, images, self.layers)
        return {layer: self._lift(layer, feature) for layer, feature in found.items()}

    def to(self, device: torch.device) -> Teacher:
        """The same on another device."""
        lifts = {layer: (weight.to(device), bias.to(device)) for layer, (weight, bias) in self.lifts.items()}
        return Teacher(self.network.to(device), self.layers, lifts)

    def _lift(self, layer: str, feature: Tensor) -> Tensor:
        if layer not in self.lifts:
            return feature
        return F.relu(F.conv2d(feature, *self.lifts[layer]))


def full(path: Path) -> Teacher:
    """A VGG in any layout, as deep as it goes."""
    network = load_path(path)
    network.name = path.stem  # as passports have had it from the beginning, whatever results call a user's file
    return Teacher(network, network.available(LAYERS), {})


def compressed(path: Path, layers: tuple[str, ...] = LAYERS) -> Teacher:
    """The 16-times compressed VGG-19 of Collaborative Distillation with its lifts (``convNN_aux``) to VGG's width.

    Raises:
        PainterlyError: as ``load_path``; UNREADABLE_FILE also where the file has no such lifts.
    """
    network = load_path(path)
    network.name = "compressed"
    state = _state(path)
    keys = {layer: f"conv{layer[4]}{layer[6]}_aux" for layer in layers}
    needed = {f"{key}.{part}" for key in keys.values() for part in ("weight", "bias")}
    if not needed <= set(state) or network.available(layers) != layers:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"{path} is no compressed VGG-19 with lifts.", "Use slim_vgg19_teacher.pth."
        )
    lifts = {layer: (state[f"{key}.weight"].float(), state[f"{key}.bias"].float()) for layer, key in keys.items()}
    return Teacher(network, layers, lifts)


def _state(path: Path) -> Mapping[str, Tensor]:
    """All tensors of a file that ``load_path`` could read, the lifts too, which it leaves out."""
    if path.suffix == ".safetensors":
        return load_file(path)
    saved = cast(Mapping[str, Any], torch.load(path, map_location="cpu", weights_only=True))
    inner = saved.get("model")
    return inner if isinstance(inner, Mapping) else saved


def panel(main: Path, deep: Path | None) -> tuple[Teacher, ...]:
    """The main teacher, and for the layers that it lacks the compressed one.

    Raises:
        PainterlyError: WEIGHTS_MISSING where a layer is left without a teacher.
    """
    first = full(main)
    missing = tuple(layer for layer in LAYERS if layer not in first.layers)
    if not missing:
        return (first,)
    if deep is None:
        raise PainterlyError(
            ErrorCode.WEIGHTS_MISSING,
            f"{main} has no {', '.join(missing)}.",
            "Give a whole VGG-19, or the compressed one for the deep layers with --deep-teacher.",
        )
    return first, compressed(deep, missing)


def licence(panel: Sequence[Teacher]) -> str:
    """Of a network that these teachers taught."""
    owed = [
        "Collaborative Distillation's compressed VGG-19 (MIT)"
        if teacher.network.layout.name == COMPRESSED.name
        else "VGG-19 (CC BY 4.0)"
        for teacher in panel
    ]
    return f"MIT; distilled from {' and '.join(owed)}"
