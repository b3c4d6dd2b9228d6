"""Our own method as a job: from a request to the repainted object."""

from __future__ import annotations

from dataclasses import replace

import torch

from painterly_engine.arrays import to_array
from painterly_engine.change import Change, lay_over
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.presets import Repaint
from painterly_engine.progress import Observer
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.memory import affordable, free_memory
from painterly_engine.repaint.objective import CONTENT_LAYER
from painterly_engine.repaint.repaint import Wishes, repaint
from painterly_engine.repaint.telling import Telling
from painterly_engine.stylization import choose_stylization
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.request import HarmonizeRequest


def _notes(network: FeatureNetwork) -> list[str]:
    """What the user should know of the network's limits."""
    if CONTENT_LAYER in network.layers:
        return []
    return [
        f"This network ends at {network.layers[-1]}: the object's content is kept by {network.deepest(CONTENT_LAYER)}."
    ]


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
    telling = Telling(observer, canvas)
    parameters = request.parameters
    stylization = choose_stylization(parameters.stylization, telling.painting)
    wishes = Wishes(stylization.value, parameters.strength, parameters.detail, parameters.seed)
    settings, remark = affordable(settings, canvas.around, canvas.size, network, free_memory(device))
    found = repaint(canvas, network, settings, wishes, telling)
    around = canvas.around
    change = lay_over(
        painting[around.top : around.bottom, around.left : around.right],
        found.permute(1, 2, 0).cpu().numpy(),
        canvas.support.cpu().numpy(),
    )
    change.about.update(
        working_size=telling.finest,
        iterations=settings.iterations,
        stylization={"value": stylization.value, "reason": stylization.reason},
        strength=parameters.strength,
        detail=parameters.detail,
        notes=[*_notes(network), *([remark] if remark else [])],
    )
    return replace(change, x=change.x + around.left, y=change.y + around.top)
