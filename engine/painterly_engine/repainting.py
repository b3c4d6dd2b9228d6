"""Our own method as a job: from a request to the repainted object."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from painterly_engine.arrays import Array, to_array
from painterly_engine.change import Change, lay_over
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.presets import Repaint
from painterly_engine.progress import Observer
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.memory import affordable, free_memory, smaller
from painterly_engine.repaint.objective import CONTENT_LAYER
from painterly_engine.repaint.repaint import Wishes, repaint
from painterly_engine.repaint.telling import Telling
from painterly_engine.shortage import is_out_of_memory
from painterly_engine.stylization import Stylization, choose_stylization
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import HarmonizeRequest


def run_repaint(
    request: HarmonizeRequest, network: FeatureNetwork, settings: Repaint, device: torch.device, observer: Observer
) -> Change:
    """
    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST, NOT_FINITE.
    """
    painting, composite, mask = (to_array(one) for one in (request.painting, request.composite, request.mask))
    allowed = None if request.loose_mask is None else to_array(request.loose_mask)
    if not (mask > 0).any():
        raise PainterlyError(
            ErrorCode.EMPTY_MASK, "The mask is empty: there is no object to harmonize.", "Select the object."
        )
    canvas = Canvas(painting, composite, mask, allowed, device)
    parameters = request.parameters
    stylization = choose_stylization(parameters.stylization, canvas.overview())
    wishes = Wishes(stylization.value, parameters.strength, parameters.detail, parameters.seed)
    settings, remark = affordable(settings, canvas.around, canvas.size, network, free_memory(device))
    try:
        found = repaint(canvas, network, settings, wishes, Telling(observer, canvas))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error) or len(settings.sides) == 1:
            raise
        settings, remark = smaller(settings)
    else:
        return _change(canvas, painting, found, settings, wishes, stylization, [*_notes(network), *remark])
    found = repaint(canvas, network, settings, wishes, Telling(observer, canvas))  # once: what failed is freed by now
    return _change(canvas, painting, found, settings, wishes, stylization, [*_notes(network), *remark])


def _change(
    canvas: Canvas,
    painting: Array,
    found: Tensor,
    settings: Repaint,
    wishes: Wishes,
    stylization: Stylization,
    notes: list[str],
) -> Change:
    around = canvas.around
    change = lay_over(
        painting[around.top : around.bottom, around.left : around.right],
        found.permute(1, 2, 0).cpu().numpy(),
        canvas.support.cpu().numpy(),
    )
    own = max(around.size)
    finest = min(settings.size, own) / own
    change.about.update(
        working_size=[round(around.size[1] * finest), round(around.size[0] * finest)],
        iterations=settings.iterations,
        stylization={"value": stylization.value, "reason": stylization.reason},
        strength=wishes.strength,
        detail=wishes.detail,
        notes=notes,
    )
    return replace(change, x=change.x + around.left, y=change.y + around.top)


def _notes(network: FeatureNetwork) -> list[str]:
    """What the user should know of the network's limits."""
    if CONTENT_LAYER in network.layers:
        return []
    return [
        f"This network ends at {network.layers[-1]}: the object's content is kept by {network.deepest(CONTENT_LAYER)}."
    ]
