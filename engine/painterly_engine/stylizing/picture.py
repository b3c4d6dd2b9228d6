"""From pictures of any size and sample type to the stylized one, by whatever method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from painterly_engine.arrays import Array
from painterly_engine.change import lay_over
from painterly_engine.first_look import NETWORK, decoders_of
from painterly_engine.iterating import for_iterating
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT, Observer
from painterly_engine.resample import resize
from painterly_engine.stylizing.adain import stylize_adain
from painterly_engine.stylizing.local import stylize_local
from painterly_engine.stylizing.method import Adain, Local, Method, Several, Whole
from painterly_engine.stylizing.placing import InPlace, Paintings, fitted_size, looked_at, small_mask
from painterly_engine.stylizing.several import stylize_by_several
from painterly_engine.stylizing.whole import stylize_whole
from painterly_engine.tensors import to_tensor
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Phase
from painterly_protocol.request import MAX_SIZE, MIN_SIZE

OPTIMISED_SIZE, FORWARD_SIZE = 512, 1024


@dataclass(frozen=True)
class Subject:
    """What is to be stylized, at working size.

    Attributes:
        content: (3, H, W) RGB in [0, 1].
        paintings: (3, H', W') each.
        mask: (H, W) in [0, 1], where; None for all of it.
        here: (3, H, W), the painting where the content is; None where it has no such place.
    """

    content: Tensor
    paintings: Sequence[Tensor]
    mask: Tensor | None = None
    here: Tensor | None = None


def stylize_picture(
    content: Array,
    paintings: Sequence[Array],
    method: Method,
    shelf: NetworkShelf,
    *,
    mask: Array | None = None,
    weights: str = "auto",
    size: int | None = None,
    style_scale: float = 1.0,
    observer: Observer = SILENT,
) -> Array:
    """
    Args:
        content: (H, W, 3), uint8, uint16 or float32.
        paintings: (H', W', 3) each; ``Whole`` and ``Local`` take one.
        mask: (H, W) or (H, W, 1), where to stylize; needed for ``Local``.
        weights: the feature network by the user's name; ``Adain`` knows the built-in only.
        size: the longest side to work at, of the content, with ``Local`` of the mask's surroundings; nothing is
            enlarged. 512, or 1024 for ``Adain``.
        style_scale: size of the paintings, and so of their strokes, against the content's.
        observer: is told of the progress; whatever it raises ends the work.

    Returns:
        (H, W, 3) of the content's type; outside the mask its own samples, bit for bit.

    Raises:
        PainterlyError: EMPTY_MASK, SIZE_MISMATCH, BAD_REQUEST, NOT_FINITE, or what loading the weights raises.
    """
    _check(content, paintings, mask, method, size, style_scale)
    observer.report(Phase.LOADING, 0.0)
    network = prepared(method, shelf, weights)
    observer.report(Phase.PREPARING, 0.0)
    longest = size or (FORWARD_SIZE if isinstance(method, Adain) else OPTIMISED_SIZE)
    box = looked_at(content, mask, closely=isinstance(method, Local))
    part = content[box.top : box.bottom, box.left : box.right]
    own = to_tensor(part, "content", shelf.device)
    small = resize(own, fitted_size(own, longest, network))
    shown = small_mask(mask, box, small)
    pictures = Paintings(style_scale, longest, network, shelf.device)
    if isinstance(method, Local):
        subject = Subject(small, *pictures.around(paintings[0], content, box, small, shown))
        observer = InPlace(observer, to_tensor(content, "content", shelf.device), box, small)
    else:
        subject = Subject(small, [pictures.whole(one) for one in paintings], shown)
    found, shows = run_method(subject, method, network, observer)
    observer.report(Phase.FINISHING, 0.0)
    result: Array = content.copy()
    result[box.top : box.bottom, box.left : box.right] = _at_own_size(part, own, small, found, shows, method)
    return result


def prepared(method: Method, shelf: NetworkShelf, weights: str) -> FeatureNetwork:
    """The network as the method wants it."""
    if isinstance(method, Adain):
        return shelf.get(NETWORK)
    return for_iterating(shelf.get(weights)).pooled_by(method.walk.pooling)


def run_method(
    subject: Subject, method: Method, network: FeatureNetwork, observer: Observer
) -> tuple[Tensor, Tensor | None]:
    """At working size.

    Returns:
        (3, H, W) in [0, 1], and (H, W), how much of it shows; None where all does.
    """
    content, paintings, mask = subject.content, subject.paintings, subject.mask
    if isinstance(method, Local):
        assert mask is not None, "checked before anything is loaded"
        return stylize_local(content, paintings[0], mask, network, method, observer, here=subject.here)
    if isinstance(method, Whole):
        return stylize_whole(content, paintings[0], network, method, observer), mask
    if isinstance(method, Several):
        return stylize_by_several(content, paintings, network, method, observer), mask
    found = stylize_adain(content, paintings, network, decoders_of(network, content.device), method, mask)
    observer.picture(lambda: found)
    return found, mask


def _at_own_size(
    content: Array, own: Tensor, small: Tensor, found: Tensor, shows: Tensor | None, method: Method
) -> Array:
    """Brought up smoothly; of an alpha below 1 what the working size could not show is the content's own still."""
    size = (own.shape[1], own.shape[2])
    if found.shape != own.shape:
        found = resize(found, size)
        if isinstance(method, Adain):
            found = found + (1 - method.alpha) * (own - resize(small, size))
    amount = np.ones(size, np.float32) if shows is None else resize(shows, size).cpu().numpy()
    change = lay_over(content, found.permute(1, 2, 0).cpu().numpy(), amount)
    whole: Array = content.copy()
    part = change.picture()
    whole[change.y : change.y + part.shape[0], change.x : change.x + part.shape[1]] = part
    return whole


def _check(
    content: Array, paintings: Sequence[Array], mask: Array | None, method: Method, size: int | None, scale: float
) -> None:
    if not paintings:
        raise _bad("There is no painting to imitate.", "Give at least one.")
    if len(paintings) > 1 and isinstance(method, Whole | Local):
        raise _bad("This method imitates one painting.", "Give one, or choose multi-style or adain.")
    if isinstance(method, Local) and mask is None:
        raise _bad("The method local needs a mask.", "Give one, or choose global.")
    if mask is not None and mask.shape[:2] != content.shape[:2]:
        raise PainterlyError(
            ErrorCode.SIZE_MISMATCH,
            f"The mask is {mask.shape[1]}×{mask.shape[0]} px, the content {content.shape[1]}×{content.shape[0]} px.",
            "Give a mask of the content's size.",
        )
    if mask is not None and not mask.any():
        raise PainterlyError(ErrorCode.EMPTY_MASK, "The mask is empty: nothing is to be stylized.", "Paint it white.")
    if size is not None and not MIN_SIZE <= size <= MAX_SIZE:
        raise _bad(f"A working size of {size} px cannot be used.", f"Choose {MIN_SIZE} to {MAX_SIZE}.")
    if not 0.05 <= scale <= 20:
        raise _bad(f"A style scale of {scale:g} cannot be used.", "Choose a number from 0.05 to 20.")


def _bad(sentence: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, sentence, advice)
