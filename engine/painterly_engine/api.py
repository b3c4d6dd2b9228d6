"""What other programs call: pictures in, a picture of the same kind out. Loads torch at the first call, not before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

P = TypeVar("P", bound="Image.Image | NDArray[Any]")
"""A Pillow picture of any mode, read as the command line reads its file (upright, 8 bits), or an array (H, W) or
(H, W, C) of uint8, uint16 or float32 (1 for white)."""
Told = Callable[[str, float], None]
"""(what is being done, how much of that is done: 0 to 1); may raise to stop."""


def harmonize(
    painting: P,
    pasted: Image.Image | NDArray[Any],
    mask: Image.Image | NDArray[Any] | None = None,
    *,
    at: tuple[int, int] | None = None,
    scale: float = 1.0,
    loose_mask: Image.Image | NDArray[Any] | None = None,
    style: Image.Image | NDArray[Any] | None = None,
    style_mask: Image.Image | NDArray[Any] | None = None,
    progress: Told | None = None,
    **parameters: Any,
) -> P:
    """Make an object look painted.

    Args:
        painting: without the object, RGB.
        pasted: with a mask, the painting with the object in it; without one, the object alone, cut out (its
            transparency is its outline; 8 bits), which is then pasted ``at`` a place in the painting, at a ``scale``.
        mask: white where the object is, of the painting's size; of one colour and partly transparent, its opacity.
        at: of the object's top left corner, (x, y) in pixels; centred if not given.
        loose_mask: where pixels may change; computed if not given.
        style: what is imitated, of any size; the painting if not given.
        style_mask: white where that may be imitated; everywhere if not given.
        progress: is told.
        parameters: of ``painterly_protocol.request.Parameters``: preset, size, iterations, strength, detail, …

    Returns:
        The painting with the harmonized object; outside the loose mask its own pixels, bit for bit.
        A Pillow picture has the painting's colour profile, as ``info["icc_profile"]``.

    Raises:
        PainterlyError: with a sentence and an advice, for all that the caller can mend.
    """
    from painterly_engine import calls

    given = calls.Given(painting, pasted, mask, at, scale, loose_mask, style, style_mask)
    return calls.like(painting, calls.harmonized(given, progress, parameters))


def stylize(
    content: P,
    style: Image.Image | NDArray[Any] | Sequence[Image.Image | NDArray[Any]],
    method: str = "global",
    *,
    mask: Image.Image | NDArray[Any] | None = None,
    weights: str = "auto",
    size: int | None = None,
    style_scale: float = 1.0,
    progress: Told | None = None,
    **options: Any,
) -> P:
    """Paint a picture in the manner of others.

    Args:
        content: what is painted, RGB.
        style: a painting, or several.
        method: "global", "local", "multi-style" or "adain".
        mask: white where to paint, of the content's size; "local" needs it.
        weights: the feature network.
        size: the content's longest side to work at.
        style_scale: of the strokes.
        progress: is told.
        options: of the method: the attributes in ``painterly_engine.stylizing.method``: iterations, ratio,
            content_layer, alpha, …; of "multi-style" and "adain", ``style_weights``, one a painting.

    Returns:
        A picture of the content's size; outside the mask its own pixels, bit for bit.

    Raises:
        PainterlyError: with a sentence and an advice, for all that the caller can mend.
    """
    from painterly_engine import calls

    made = calls.stylized(content, style, method, mask, weights, size, style_scale, progress, options)
    return calls.like(content, made)
