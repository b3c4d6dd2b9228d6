"""The work behind ``api``: from Pillow pictures and arrays to jobs, and back to the kind that came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from painterly_engine.api import Told
from painterly_engine.arrays import Array, to_array, to_pixels
from painterly_engine.device import careful, choose
from painterly_engine.job import run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.pictures.files import mask_of, profile_of, rgb_of, rgba_of, upright
from painterly_engine.pictures.placement import Pasted, paste
from painterly_engine.progress import SILENT, Observer
from painterly_engine.soundness import check_losses
from painterly_engine.stylizing.method import make
from painterly_engine.stylizing.picture import stylize_picture
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Phase
from painterly_protocol.request import HarmonizeRequest, Parameters

Picture = Image.Image | Array
P = TypeVar("P", bound=Picture)
KINDS = ("uint8", "uint16", "float32")


@dataclass(frozen=True)
class Given:
    """The pictures that ``api.harmonize`` is given."""

    painting: Picture
    pasted: Picture
    mask: Picture | None
    at: tuple[int, int] | None
    scale: float
    loose_mask: Picture | None
    style: Picture | None
    style_mask: Picture | None


def harmonized(given: Given, progress: Told | None, parameters: Mapping[str, Any]) -> Array:
    """(H, W, 3) of the painting's type; as ``api.harmonize``."""
    request = _request(given, _parameters(parameters))
    with careful():
        outcome = run_request(request, _shelf(str(choose())), _observer(progress))
    whole: Array = to_array(request.painting).copy()
    picture = to_array(outcome.picture)
    whole[outcome.y : outcome.y + picture.shape[0], outcome.x : outcome.x + picture.shape[1]] = picture
    return whole


def stylized(
    content: Picture,
    style: Picture | Sequence[Picture],
    method: str,
    mask: Picture | None,
    weights: str,
    size: int | None,
    style_scale: float,
    progress: Told | None,
    options: Mapping[str, Any],
) -> Array:
    """(H, W, 3) of the content's type; as ``api.stylize``."""
    paintings = [style] if isinstance(style, Image.Image | np.ndarray) else list(style)
    named = {"weights" if name == "style_weights" else name: value for name, value in options.items()}
    with careful():
        return stylize_picture(
            _rgb(content, "content"),
            [_rgb(painting, "painting") for painting in paintings],
            make(method, named),
            _shelf(str(choose())),
            mask=None if mask is None else _plane(mask),
            weights=weights,
            size=size,
            style_scale=style_scale,
            observer=_observer(progress),
        )


def like(original: P, made: Array) -> P:
    """The array as what the original was; a picture with its colour profile."""
    if not isinstance(original, Image.Image):
        return made  # type: ignore[return-value]
    picture = Image.fromarray(made)
    profile = profile_of(original)
    if profile is not None:
        picture.info["icc_profile"] = profile
    return picture  # type: ignore[return-value]


@lru_cache(maxsize=1)
def _shelf(device: str) -> NetworkShelf:
    """Kept, so that the network stays warm from call to call."""
    return NetworkShelf(device)


class _Told(Observer):
    def __init__(self, progress: Told) -> None:
        self.progress = progress

    def report(
        self,
        phase: Phase,
        fraction: float,
        *,
        iteration: int = 0,  # noqa: ARG002 - the observer's signature
        iterations: int = 0,  # noqa: ARG002
        losses: Mapping[str, float] | None = None,
    ) -> None:
        check_losses(losses or {})
        self.progress(phase.value, fraction)


def _observer(progress: Told | None) -> Observer:
    return SILENT if progress is None else _Told(progress)


def _request(given: Given, parameters: Parameters) -> HarmonizeRequest:
    ground = _rgb(given.painting, "painting")
    if given.mask is None:
        together = _pasted(ground, given.pasted, given.at, given.scale)
    elif given.at is None and given.scale == 1.0:
        together = Pasted(_rgb(given.pasted, "composite"), _plane(given.mask))
    else:
        raise _bad("In a composite the object has its place.", "Leave out at and scale, or the mask.")
    loose, lends = (None if mask is None else to_pixels(_plane(mask)) for mask in (given.loose_mask, given.style_mask))
    return HarmonizeRequest(
        painting=to_pixels(ground),
        composite=to_pixels(together.composite),
        mask=to_pixels(together.mask),
        loose_mask=loose,
        parameters=parameters,
        style=None if given.style is None else to_pixels(_rgb(given.style, "style")),
        style_mask=lends,
    )


def _parameters(given: Mapping[str, Any]) -> Parameters:
    known = [one.name for one in fields(Parameters)]
    for name in given:
        if name not in known:
            raise _bad(f"harmonize knows no {name}.", f"It knows {', '.join(known)}.")
    return Parameters(**given)


def _pasted(painting: Array, pasted: Picture, at: tuple[int, int] | None, scale: float) -> Pasted:
    cutout = rgba_of(upright(pasted, "The object")).pixels if isinstance(pasted, Image.Image) else pasted
    if cutout.ndim != 3 or cutout.shape[2] != 4 or cutout[..., 3].min() == 255:
        raise _bad("The object has no transparency, so its outline is unknown.", "Cut it out, or give a mask.")
    if painting.dtype != np.uint8 or cutout.dtype != np.uint8:
        raise _bad("An object is pasted with 8 bits only.", "Paste it yourself, and give the composite and a mask.")
    return paste(painting, cutout, at, scale)


def _rgb(picture: Picture, name: str) -> Array:
    """(H, W, 3)."""
    if isinstance(picture, Image.Image):
        return rgb_of(upright(picture, f"The {name}")).pixels
    array = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture
    if array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise _bad(f"The {name} has the shape {picture.shape}.", "Give (height, width, 3).")
    _check_kind(array, name)
    return np.ascontiguousarray(array[..., :3])


def _plane(mask: Picture) -> Array:
    """(H, W)."""
    if isinstance(mask, Image.Image):
        return mask_of(upright(mask, "The mask"))
    plane = mask.astype(np.uint8) * 255 if mask.dtype == np.bool_ else mask
    if plane.ndim not in (2, 3) or 0 in plane.shape:
        raise _bad(f"The mask has the shape {mask.shape}.", "Give (height, width).")
    _check_kind(plane, "mask")
    if plane.ndim == 3:
        plane = plane[..., -1] if _lies_in_alpha(plane) else plane[..., 0]
    return np.ascontiguousarray(plane)


def _lies_in_alpha(mask: Array) -> bool:
    """As in ``mask_of``: whether (H, W, C) is transparent somewhere, and its colours are all alike."""
    white = 1 if mask.dtype == np.float32 else np.iinfo(mask.dtype).max
    return mask.shape[2] in (2, 4) and mask[..., -1].min() < white and not np.ptp(mask[..., :-1], axis=(0, 1)).any()


def _check_kind(array: Array, name: str) -> None:
    if array.dtype.name not in KINDS:
        raise _bad(f"The {name} has samples of {array.dtype.name}.", f"Give {', '.join(KINDS)}.")


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
