"""From what a user calls a network to the network, kept warm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from painterly_engine.network import fetch, store
from painterly_engine.network.features import VGG16_BLOCKS, VGG19_BLOCKS, FeatureNetwork, random_network
from painterly_engine.network.layouts import LAYOUTS
from painterly_engine.network.naming import AUTO, RANDOM
from painterly_protocol.errors import ErrorCode, PainterlyError

AS_WIDE_AS_VGG = {"random-vgg16": VGG16_BLOCKS, "random-vgg19": VGG19_BLOCKS}
"""Networks with random weights, as good as the real ones for timing."""


@dataclass(frozen=True)
class Listed:
    """A network by name, for ``painterly weights list``."""

    name: str
    stored: bool
    size: int
    source: str
    sha256: str
    licence: str


def describe() -> tuple[Listed, ...]:
    """Every network that has a name: the built-in, the fetched, the ones that could be fetched."""
    return tuple(_listed(name) for name in (*store.BUILT_IN, *fetch.PUBLISHED))


def _listed(name: str) -> Listed:
    published = fetch.PUBLISHED.get(name)
    if not store.is_stored(name):
        return Listed(
            name, False, 0, published.address if published else "", "", published.licence if published else ""
        )
    size = (store.home_of(name) / f"{name}.safetensors").stat().st_size
    try:
        passport = store.passport_of(name)
    except PainterlyError:
        return Listed(name, True, size, "damaged", "", "")
    return Listed(name, True, size, passport.source, passport.sha256, passport.licence)


def fetch_by_name(name: str, progress: fetch.Progress = fetch.ignore_progress) -> store.Passport:
    """Download a published network (``painterly weights fetch NAME``).

    Raises:
        PainterlyError: BAD_REQUEST for a name nobody publishes; else as ``fetch.fetch``.
    """
    return fetch.fetch(fetchable(name), progress)


def fetchable(name: str) -> fetch.Published:
    """
    Raises:
        PainterlyError: BAD_REQUEST for a name nobody publishes.
    """
    if name not in fetch.PUBLISHED:
        raise _unknown(f"There is no network {name} to fetch.", fetch.PUBLISHED)
    return fetch.PUBLISHED[name]


def known(name: str) -> str:
    """The name of a network or of another file of the package, as it was given: it becomes a file's name.

    Raises:
        PainterlyError: BAD_REQUEST for any other.
    """
    names = (*store.SHIPPED, *fetch.PUBLISHED)
    if name not in names:
        raise _unknown(f"There is no network {name}.", names)
    return name


def _unknown(sentence: str, names: Iterable[str]) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, f"Known are: {', '.join(names)}.")


def resolve(weights: str) -> str:
    """What "auto" means today: the VGG-19 that was fetched, else the built-in network."""
    if weights != AUTO:
        return weights
    return "vgg19" if store.is_stored("vgg19") else store.BUILT_IN[0]


def digest(weights: str) -> str:
    """What tells the network behind a name or path from every other: its file's sha256, as its passport has it.

    Raises:
        PainterlyError: WEIGHTS_MISSING, WEIGHTS_CORRUPT, UNREADABLE_FILE.
    """
    name = resolve(weights)
    if name == RANDOM:
        return RANDOM
    if _is_name(name):
        return store.passport_of(name).sha256
    layout, path = _split(name)
    try:
        return f"{layout}:{store.file_sha256(path.expanduser())}"
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE, f"The network {path} cannot be read: {error.strerror}.", "Check the name."
        ) from error


class NetworkShelf:
    """Networks by the user's name for them; the last one asked for stays loaded.

    Args:
        device: where the network's weights go.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._warm: tuple[object, FeatureNetwork] | None = None

    def get(self, weights: str) -> FeatureNetwork:
        """The network for "auto", a name, "random" or one of ``AS_WIDE_AS_VGG``, a path, or ``LAYOUT:PATH``
        (``layouts.LAYOUTS``).

        Raises:
            PainterlyError: WEIGHTS_MISSING, WEIGHTS_CORRUPT or UNREADABLE_FILE, each with advice.
        """
        key = _identity(resolve(weights))
        if self._warm is None or self._warm[0] != key:
            self._warm = None  # let go of the old one first: two VGGs may be more than the memory holds
            self._warm = (key, _load(resolve(weights)).eval().requires_grad_(False).to(self.device))
        return self._warm[1]


def _identity(weights: str) -> object:
    """Changes when the file behind the name does."""
    file = store.home_of(weights) / f"{weights}.safetensors" if _is_name(weights) else _split(weights)[1]
    try:
        stat = file.stat()
    except OSError:
        return weights
    return weights, stat.st_mtime_ns, stat.st_size


def _is_name(weights: str) -> bool:
    return weights in store.BUILT_IN or weights in fetch.PUBLISHED


def _split(weights: str) -> tuple[str, Path]:
    layout, colon, path = weights.partition(":")
    return (layout, Path(path)) if colon and layout in LAYOUTS else ("", Path(weights))


def _load(weights: str) -> FeatureNetwork:
    if weights == RANDOM:
        network = random_network()
        network.name = "random (untrained, for tests only)"
        return network
    if weights in AS_WIDE_AS_VGG:
        network = random_network(width=64, blocks=AS_WIDE_AS_VGG[weights])
        network.name = f"{weights} (untrained, for timing only)"
        return network
    if _is_name(weights):
        return store.load_stored(weights)
    layout, path = _split(weights)
    return store.load_path(path.expanduser(), layout)
