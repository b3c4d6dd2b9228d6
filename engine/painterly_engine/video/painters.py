"""What paints one frame of a video, given what the frame before has become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from painterly_engine.arrays import Array, to_pixels
from painterly_engine.first_look import NETWORK, decoders_of
from painterly_engine.instant.manner import Manner, study
from painterly_engine.instant.moments import Moments, moments
from painterly_engine.instant.repaint import instant_harmonize
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.pictures.files import Bytes
from painterly_engine.presets import Repaint
from painterly_engine.progress import SILENT
from painterly_engine.repaint.objective import Objective, Pictures, Weights
from painterly_engine.repaint.repaint import Afresh, repaint
from painterly_engine.repaint.scales import Level
from painterly_engine.repaint.telling import Telling
from painterly_engine.repaint.wishes import Wishes
from painterly_engine.resample import fit_longest, resize
from painterly_engine.shrinking import style_overview
from painterly_engine.stylization import choose_stylization
from painterly_engine.surroundings import canvas_of, change_of
from painterly_engine.tensors import to_tensor
from painterly_engine.window import Box
from painterly_protocol.request import HarmonizeRequest

CALM = 0.12
"""How far the object's statistics follow those of each new frame."""
STEADY = 30.0
"""Weight of the mean square difference to the frame before, where that is sure."""


@dataclass(frozen=True)
class Before:
    """The frame before, carried to where its pixels are now.

    Attributes:
        picture: (H, W, 3) float32 in [0, 1], as painted.
        sure: (H, W) in [0, 1], how much of it may be relied on.
    """

    picture: Array
    sure: Array


State = Mapping[str, Tensor]


class Painter(Protocol):
    """Paints a shot's frames one after the other.

    Attributes:
        about: what it paints with, for the user.
    """

    about: str

    def paint(self, frame: Bytes, mask: Bytes, before: Before | None) -> Array:
        """A frame (H, W, 3), painted under the mask (H, W): (H, W, 3) float32 in [0, 1]. ``before`` is None for the
        first of a shot, and where nothing shall depend on it."""
        ...

    def state(self) -> State:
        """What it remembers of the shot."""
        ...

    def remember(self, state: State) -> None:
        """Go on from there; from nothing at a new shot."""
        ...


class FeedForward:
    """``adain``: one pass through the network and its decoders.

    Args:
        painting: (H, W, 3), whose manner is carried over.
        size: longest side of the frames that is worked at, in pixels.
        strength, detail: as in ``instant_harmonize``.
        shelf: gives the network.
    """

    def __init__(self, painting: Bytes, size: int, strength: float, detail: float, shelf: NetworkShelf) -> None:
        self._network = shelf.get(NETWORK)
        self.about = f"network {self._network.name}"
        self._decoders = decoders_of(self._network, shelf.device)
        self._size, self._strength, self._detail, self._device = size, strength, detail, shelf.device
        self._manner = self._studied(painting)
        self._known: dict[str, Moments] = {}

    @torch.no_grad()
    def paint(self, frame: Bytes, mask: Bytes, before: Before | None) -> Array:
        """As ``Painter.paint``; it needs nothing of the picture before."""
        if before is None:
            self._known = {}
        own, cover = to_tensor(frame, "frame", self._device), _plane(mask, self._device)
        size = _fitted(frame, self._size)
        small = resize(own, size)
        found = instant_harmonize(
            small,
            resize(cover, size),
            self._manner,
            self._network,
            self._decoders,
            strength=self._strength,
            detail=self._detail,
            measure=self._calmly,
        )
        whole = own.shape[1], own.shape[2]
        # What the working size could not show is the frame's own still.
        painted = (resize(found, whole) + own - resize(small, whole)).clamp(0, 1)
        return _array(torch.lerp(own, painted, cover))

    def state(self) -> State:
        found: dict[str, Tensor] = {}
        for what, known in self._known.items():
            found |= {f"{what}.mean": known.mean, f"{what}.covariance": known.covariance}
        return found

    def remember(self, state: State) -> None:
        names = {name.rpartition(".")[0] for name in state}
        self._known = {
            what: Moments(*(state[f"{what}.{part}"].to(self._device) for part in ("mean", "covariance")))
            for what in names
        }

    def _calmly(self, what: str, features: Tensor, weight: Tensor) -> Moments:
        """A running mean of the frames' moments: a map that jumps from frame to frame is seen as flicker."""
        now = moments(features, weight)
        if what in self._known:
            known = self._known[what]
            now = Moments(torch.lerp(known.mean, now.mean, CALM), torch.lerp(known.covariance, now.covariance, CALM))
        self._known[what] = now
        return now

    @torch.no_grad()
    def _studied(self, painting: Bytes) -> Manner:
        whole = to_tensor(painting, "painting", self._device)
        whole = resize(whole, _fitted(painting, self._size))
        everywhere = torch.ones(whole.shape[1:], device=self._device)
        return study(whole, whole, torch.zeros_like(everywhere), self._network)


class Repainting:
    """``two-pass``: our own method (docs/method.md), each frame setting out from the one before.

    Args:
        painting: (H, W, 3), which is imitated.
        settings: of a shot's first frame; the following ones need half of the iterations.
        wishes: the stylization in them is that of no painting yet, where it is 0.
        weights: the network's name.
        shelf: gives the network.
    """

    def __init__(
        self, painting: Bytes, settings: Repaint, strength: float, detail: float, weights: str, shelf: NetworkShelf
    ) -> None:
        self._painting, self._settings, self._shelf = to_pixels(painting), settings, shelf
        self._network = shelf.get(weights)
        seen = style_overview(painting, None, shelf.device)
        stylization = choose_stylization(None, seen)
        self._wishes = Wishes(stylization.value, strength, detail)
        self.about = f"network {self._network.name}, stylization {stylization.value:g}: {stylization.reason}"

    def paint(self, frame: Bytes, mask: Bytes, before: Before | None) -> Array:
        """As ``Painter.paint``."""
        pixels = to_pixels(frame)
        request = HarmonizeRequest(pixels, pixels, to_pixels(mask), style=self._painting)
        canvas = canvas_of(request, self._shelf.device)
        outset, settings = Afresh(), self._settings
        if before is not None:
            outset = Following(before, canvas.around, self._shelf.device)
            settings = replace(settings, iterations=max(1, settings.iterations // 2), turns=1)
        wishes = replace(self._wishes, size=canvas.object_size)
        found = repaint(canvas, self._network, settings, wishes, Telling(SILENT, canvas), outset)
        change = change_of(canvas, found, {})
        whole: Array = frame.astype(np.float32) / 255
        picture = change.picture()
        whole[change.y : change.y + picture.shape[0], change.x : change.x + picture.shape[1]] = (
            picture.astype(np.float32) / 255
        )
        return whole

    def state(self) -> State:
        return {}

    def remember(self, state: State) -> None:
        """It knows nothing but the picture before."""


class Following(Afresh):
    """A frame that follows another: it sets out from that one, and is held to it where it is sure."""

    def __init__(self, before: Before, around: Box, device: torch.device) -> None:
        picture = torch.from_numpy(np.ascontiguousarray(before.picture)).permute(2, 0, 1).to(device)
        self._picture = around.of(picture)
        self._sure = around.of(torch.from_numpy(before.sure).to(device))

    def start(self, usual: Tensor, level: Level) -> Tensor:
        picture, sure = self._at(level.size)
        return torch.lerp(usual, picture, sure)

    def objective(self, pictures: Pictures, network: FeatureNetwork, weights: Weights) -> Objective:
        size = pictures.support.shape[0], pictures.support.shape[1]
        return _Held(pictures, network, weights, *self._at(size))

    def _at(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return resize(self._picture, size), resize(self._sure, size)


class _Held(Objective):
    """With one part more: how far the picture has gone from the one before."""

    def __init__(
        self, pictures: Pictures, network: FeatureNetwork, weights: Weights, before: Tensor, sure: Tensor
    ) -> None:
        super().__init__(pictures, network, weights)
        self._before, self._held = before, sure * pictures.support

    def __call__(self, picture: Tensor) -> dict[str, Tensor]:
        off = ((picture - self._before).square().mean(0) * self._held).sum() / (self.pictures.support.sum() + 1e-6)
        return {**super().__call__(picture), "steadiness": STEADY * off}


def _fitted(picture: Bytes, longest: int) -> tuple[int, int]:
    height, width = picture.shape[:2]
    return fit_longest(height, width, min(longest, max(height, width)))


def _plane(mask: Bytes, device: torch.device) -> Tensor:
    return torch.from_numpy(mask.astype(np.float32) / 255).to(device)


def _array(picture: Tensor) -> Array:
    return np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy())
