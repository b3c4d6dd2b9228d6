"""From a request to the canvas that our own methods work on, and from what they made of it back to the painting."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from painterly_engine.arrays import to_array
from painterly_engine.change import Change, lay_over
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.style import style_of
from painterly_protocol.request import HarmonizeRequest


def canvas_of(request: HarmonizeRequest, device: torch.device) -> Canvas:
    """
    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST.
    """
    painting, composite, mask = (to_array(one) for one in (request.painting, request.composite, request.mask))
    allowed = None if request.loose_mask is None else to_array(request.loose_mask)
    return Canvas(painting, composite, mask, allowed, device, style_of(request))


def change_of(canvas: Canvas, found: Tensor, about: dict[str, object]) -> Change:
    """The painting with what was found (3, h, w) for the object's surroundings laid over it as far as it shows.

    Raises:
        PainterlyError: EMPTY_MASK when nothing shows, NOT_FINITE.
    """
    around = canvas.around
    change = lay_over(
        canvas.painting[around.top : around.bottom, around.left : around.right],
        found.permute(1, 2, 0).cpu().numpy(),
        canvas.support.cpu().numpy(),
    )
    return replace(change, x=change.x + around.left, y=change.y + around.top, about=about)
