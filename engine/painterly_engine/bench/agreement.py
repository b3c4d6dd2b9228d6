"""The same job once more, with fewer bits in its products, and on the CPU: what that saves, and what it changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from painterly_engine.arrays import Array, to_array
from painterly_engine.bench import scenes
from painterly_engine.bench.trial import Trial
from painterly_engine.job import run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT
from painterly_engine.report.figures import measure
from painterly_protocol.request import HarmonizeRequest, Parameters

USUAL, AGAIN, ON_CPU = "float32", "float32 again", "float32 on the CPU"


class HalfConvolutions(TorchFunctionMode):
    """Has the network's convolutions take and give bfloat16, forwards and back; all else stays as it is."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.conv2d or tuple(args[1].shape[2:]) != (3, 3):
            return func(*args, **(kwargs or {}))
        return func(*(tensor.bfloat16() for tensor in args), **(kwargs or {})).float()


@contextmanager
def tf32(products: bool) -> Iterator[None]:
    """In convolutions, and in matrix products too or not."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32, matmul.allow_tf32 = True, products
    try:
        yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before


MANNERS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    USUAL: nullcontext,
    AGAIN: nullcontext,
    "TF32 in convolutions": partial(tf32, False),
    "TF32 everywhere": partial(tf32, True),
    "bfloat16 in convolutions": HalfConvolutions,
}


def measure_agreement(trial: Trial, shelf: NetworkShelf, on_cpu: bool) -> dict[str, Any]:
    """The trial's job in every manner, on the shelf's device; and on the CPU, where that does not take too long.

    Returns:
        For each manner its seconds, how far samples are from the first manner's, of 255, on average and at most, where
        the object is; whether all bytes are the same; and the figures that a report shows of it.
    """
    parameters = Parameters(
        preset=trial.preset, size=trial.size, iterations=trial.iterations, stylization=5.0, weights=trial.weights
    )
    asked = scenes.request(trial.height, trial.width, trial.object_side, parameters, rough=trial.rough)
    run_request(asked, shelf, SILENT)  # loads network and kernels
    found: dict[str, Any] = {}
    usual: Array | None = None
    for name, manner in MANNERS.items():
        with manner():
            picture, seconds = _painted(asked, shelf)
        usual = picture if usual is None else usual
        found[name] = _told(asked, picture, usual, seconds, shelf)
    if on_cpu and usual is not None:
        picture, seconds = _painted(asked, NetworkShelf("cpu"))
        found[ON_CPU] = _told(asked, picture, usual, seconds, shelf)
    return {"trial": asdict(trial), "device": str(shelf.device), "manners": found}


def _painted(asked: HarmonizeRequest, shelf: NetworkShelf) -> tuple[Array, float]:
    """(H, W, 3) uint8, and seconds."""
    started = time.perf_counter()
    done = run_request(asked, shelf, SILENT)
    seconds = time.perf_counter() - started
    whole, part = to_array(asked.painting).copy(), to_array(done.picture)
    whole[done.y : done.y + part.shape[0], done.x : done.x + part.shape[1]] = part
    return whole, seconds


def _told(
    asked: HarmonizeRequest, picture: Array, usual: Array, seconds: float, shelf: NetworkShelf
) -> dict[str, object]:
    painting, composite, mask = (to_array(one) for one in (asked.painting, asked.composite, asked.mask))
    off = np.abs(picture.astype(np.int16) - usual)[mask[..., 0] > 0]
    network = shelf.get(asked.parameters.weights)
    figures = measure(painting, composite, picture, mask[..., 0], [], network)
    return {
        "seconds": seconds,
        "mean_off": float(off.mean()),
        "most_off": int(off.max()),
        "same_bytes": bool((picture == usual).all()),
        "figures": {figure.name: figure.result for figure in figures},
    }
