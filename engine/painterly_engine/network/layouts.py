"""Which network a file of weights holds: told from its keys, its digest and the size of its first filters.

Four families are recognised:

* ``features.N.weight`` or ``N.weight`` with a 3×3 convolution at 0: torchvision's numbering (relu and pool count).
  Torchvision's own ImageNet weights and the original Caffe ones (converted by J. Johnson) share these keys and also the
  size of their numbers, so the files that their authors published are told apart by the digits of their SHA-256.
  Any other such file is torchvision's, unless its first filters are so small that they can only be meant for pixels of
  0 to 255 (``RAW_PIXEL_RMS``), which is Caffe's convention. A prefix settles a doubt: ``caffe:PATH``.
* ``conv1_1.weight``: Caffe's names, Caffe's colours.
* ``0.weight`` of 1×1 and 3×3 convolutions from 2 on: Gatys's normalised VGG as ``nn.Sequential``, in which the
  reflect padding counts as a module.
* ``conv0``, ``conv11``, …: the compressed VGG-19 of Collaborative Distillation; its ``_aux`` lifts are not features of
  the network and are left out.

Files of our own are safetensors whose metadata says all this (``store.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from painterly_engine.network.features import CAFFE, GATYS, POOL, TORCHVISION, FeatureNetwork, Layout, vgg_steps
from painterly_protocol.errors import ErrorCode, PainterlyError

Convolutions = dict[str, tuple[Tensor, Tensor]]
State = Mapping[str, Tensor]

SLIM = replace(TORCHVISION, name="slim", padding="reflect", ceil_pool=True, content_pull=5.0)
"""Our own built-in network: torchvision's colours, padding and pooling as in the teacher it was distilled from. Content
pulls five times as hard: from relu4_1, through filters of its own, a gradient of the published weight moves a picture
so much less that more of the object would be given up than with VGG (docs/slim-network.md)."""

COMPRESSED = replace(GATYS, name="compressed", ceil_pool=False, activation_gain=20.0)
"""Five times as loud as Gatys's: its mean activations are 4, 11, 6, 2 and 5 from relu1_1 to relu5_1. On two pairs 20
gave the style of genuine VGG or better where 100 fell short of it."""

LAYOUTS = {layout.name: layout for layout in (CAFFE, TORCHVISION, GATYS, SLIM, COMPRESSED)}

CAFFE_DIGESTS = ("d01eb7cb", "00b39a1b")
"""First digits of the SHA-256 of J. Johnson's conversions, vgg19-d01eb7cb.pth and vgg16-00b39a1b.pth."""

RAW_PIXEL_RMS = 0.02
"""First filters below this root mean square expect pixels of 0 to 255. Filters trained on inputs of unit variance have
about 0.1 to 0.3; the same divided by the 58 grey levels of ImageNet's standard deviation, or normalised as Gatys does
to a mean activation of 1, have at most a few thousandths."""

ADVICE = "Use torchvision's or Caffe's VGG-16 or VGG-19, Gatys's normalised one, or 'painterly weights fetch vgg19'."


@dataclass(frozen=True)
class Recognised:
    """A chain of convolutions and what it was made for."""

    convolutions: Convolutions
    steps: tuple[str, ...]
    layout: Layout

    def network(self, name: str, sha256: str = "") -> FeatureNetwork:
        """The feature network; ``name`` and ``sha256`` go into a result's metadata."""
        return FeatureNetwork(self.convolutions, self.steps, self.layout, name, sha256)


def recognise(state: Mapping[str, object], sha256: str = "", layout: str = "") -> Recognised:
    """Find the convolutions in a state dict.

    Args:
        state: as saved, possibly nested under "state_dict" or "model", possibly with further tensors (a classifier).
        sha256: of the file, hexadecimal, to know the published ones by.
        layout: the user's word, one of ``LAYOUTS``; overrides what would be guessed.

    Raises:
        PainterlyError: UNREADABLE_FILE where no known chain of convolutions is found.
    """
    tensors = _unwrap(state)
    for fits, read in _READERS:
        if fits(tensors):
            found = read(tensors, sha256)
            chosen = LAYOUTS[layout] if layout else found.layout
            return replace(found, layout=chosen)
    raise _unknown(f"its keys begin {', '.join(sorted(tensors)[:3]) or 'with nothing'}")


def _unknown(why: str) -> PainterlyError:
    return PainterlyError(ErrorCode.UNREADABLE_FILE, f"The weights are of no known layout: {why}.", ADVICE)


def _unwrap(state: Mapping[str, object]) -> dict[str, Tensor]:
    """Tensors by key, without the wrappings that training code leaves."""
    for wrapping in ("state_dict", "model"):
        inner = state.get(wrapping)
        if isinstance(inner, Mapping):
            return _unwrap(inner)
    return {re.sub(r"^module\.", "", key): value for key, value in state.items() if isinstance(value, Tensor)}


def _convolution(state: State, prefix: str) -> tuple[Tensor, Tensor]:
    weight = state[f"{prefix}.weight"]
    bias = state.get(f"{prefix}.bias")
    if bias is None or bias.shape != weight.shape[:1]:
        raise _unknown(f"{prefix} has no bias with a number for each of its filters")
    return weight.detach().float().contiguous(), bias.detach().float().contiguous()


def _chain(
    state: State, prefixes: Sequence[str], names: Sequence[str], steps: tuple[str, ...], layout: Layout
) -> Recognised:
    if not names or [step for step in steps if step != POOL] != list(names):
        raise _unknown(f"its convolutions, {', '.join(prefixes) or 'none at all'}, make no chain")
    convolutions = {name: _convolution(state, prefix) for name, prefix in zip(names, prefixes, strict=True)}
    channels = 3
    for name, (weight, _) in convolutions.items():
        if weight.shape[1:] != (channels, 3, 3):
            raise _unknown(f"{name} has filters of {tuple(weight.shape[1:])} where {(channels, 3, 3)} would follow")
        channels = weight.shape[0]
    return Recognised(convolutions, steps, layout)


def _numbered(state: State, pattern: str) -> dict[int, str]:
    """Module number to key prefix, of the 3×3 convolutions whose weight matches."""
    found = {}
    for key, value in state.items():
        match = re.fullmatch(pattern + r"(\d+)\.weight", key)
        if match and value.dim() == 4 and value.shape[2:] == (3, 3):
            found[int(match[1])] = key.removesuffix(".weight")
    return dict(sorted(found.items()))


def _blocks(numbers: Sequence[int], within: int) -> tuple[int, ...]:
    """Convolutions per block: modules count up by ``within`` inside a block and by one more across a pool."""
    blocks = [1]
    for before, after in pairwise(numbers):
        if after - before not in (within, within + 1):
            raise _unknown(f"modules {before} and {after} do not follow each other as in a VGG")
        if after - before == within:
            blocks[-1] += 1
        else:
            blocks.append(1)
    return tuple(blocks)


def _read_numbered(state: State, pattern: str, within: int, layout: Layout) -> Recognised:
    modules = _numbered(state, pattern)
    if not modules:
        raise _unknown("it has no 3×3 convolutions")
    steps = vgg_steps(_blocks(list(modules), within))
    return _chain(state, list(modules.values()), [s for s in steps if s.startswith("relu")], steps, layout)


# Torchvision's numbering: convolution, relu, convolution, relu, pool.


def _torchvision_pattern(state: State) -> str:
    return r"features\." if any(key.startswith("features.") for key in state) else ""


def _is_torchvision(state: State) -> bool:
    return next(iter(_numbered(state, _torchvision_pattern(state))), -1) == 0


def _read_torchvision(state: State, sha256: str) -> Recognised:
    if any(key.endswith("running_mean") for key in state):
        raise _unknown("it has batch normalisation")
    found = _read_numbered(state, _torchvision_pattern(state), 2, TORCHVISION)
    first = found.convolutions["relu1_1"][0]
    raw = sha256.startswith(CAFFE_DIGESTS) or float(first.square().mean().sqrt()) < RAW_PIXEL_RMS
    return replace(found, layout=CAFFE) if raw else found


# Caffe's names.


def _is_named(state: State) -> bool:
    return "conv1_1.weight" in state


def _read_named(state: State, sha256: str) -> Recognised:  # noqa: ARG001 - one signature for all readers
    keys = sorted(key for key in state if re.fullmatch(r"conv[1-5]_[1-4]\.weight", key))
    prefixes = [key.removesuffix(".weight") for key in keys]
    counts = [sum(prefix.startswith(f"conv{block}_") for prefix in prefixes) for block in range(1, 6)]
    steps = vgg_steps([count for count in counts if count])
    return _chain(state, prefixes, [prefix.replace("conv", "relu") for prefix in prefixes], steps, CAFFE)


# Gatys's normalised network as nn.Sequential: colours, then pad, convolution, relu.


def _is_gatys(state: State) -> bool:
    return "0.weight" in state and state["0.weight"].shape == (3, 3, 1, 1)


def _read_gatys(state: State, sha256: str) -> Recognised:  # noqa: ARG001
    return _fold_colours(_read_numbered(state, "", 3, GATYS), *_convolution(state, "0"))


# The compressed network of Collaborative Distillation.


def _is_compressed(state: State) -> bool:
    return {"conv0.weight", "conv11.weight"} <= set(state)


def _read_compressed(state: State, sha256: str) -> Recognised:  # noqa: ARG001
    prefixes = sorted(key.removesuffix(".weight") for key in state if re.fullmatch(r"conv[1-5][1-4]\.weight", key))
    names = [f"relu{prefix[4]}_{prefix[5]}" for prefix in prefixes]
    counts = [sum(name.startswith(f"relu{block}_") for name in names) for block in range(1, 6)]
    steps = vgg_steps([count for count in counts if count])
    return _fold_colours(_chain(state, prefixes, names, steps, COMPRESSED), *_convolution(state, "conv0"))


def _fold_colours(found: Recognised, weight: Tensor, bias: Tensor) -> Recognised:
    """Replace a 1×1 convolution of RGB in [0, 1] by the layout's colours, or else fold it into conv1_1.

    Exact with reflect padding, which commutes with a map of each pixel by itself.
    """
    layout = found.layout
    usual = torch.eye(3)[list(layout.order)] * layout.pixel_scale
    matrix = weight[:, :, 0, 0]
    if torch.equal(matrix, usual) and torch.allclose(bias, -torch.tensor(layout.mean), atol=1e-3):
        return found
    first, first_bias = found.convolutions["relu1_1"]
    folded = torch.einsum("ocyx,ci->oiyx", first, matrix / layout.pixel_scale).contiguous()
    folded_bias = first_bias + first.sum((2, 3)) @ bias
    plain = replace(layout, order=(0, 1, 2), mean=(0.0, 0.0, 0.0))
    return Recognised({**found.convolutions, "relu1_1": (folded, folded_bias)}, found.steps, plain)


Reader = tuple[Callable[[State], bool], Callable[[State, str], Recognised]]
_READERS: tuple[Reader, ...] = (
    (_is_gatys, _read_gatys),
    (_is_named, _read_named),
    (_is_compressed, _read_compressed),
    (_is_torchvision, _read_torchvision),
)
