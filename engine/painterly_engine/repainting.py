"""Our own method as a job: from a request to the repainted object."""

from __future__ import annotations

import torch

from painterly_engine.change import Change
from painterly_engine.headroom import free_memory
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.presets import Repaint
from painterly_engine.progress import Observer
from painterly_engine.repaint.memory import affordable, smaller
from painterly_engine.repaint.objective import CONTENT_LAYERS
from painterly_engine.repaint.repaint import repaint
from painterly_engine.repaint.scales import working_size
from painterly_engine.repaint.telling import Telling
from painterly_engine.repaint.wishes import Wishes
from painterly_engine.shortage import too_much, with_less
from painterly_engine.stylization import choose_stylization
from painterly_engine.surroundings import canvas_of, change_of
from painterly_protocol.request import HarmonizeRequest


def run_repaint(
    request: HarmonizeRequest, network: FeatureNetwork, settings: Repaint, device: torch.device, observer: Observer
) -> Change:
    """Where there is too little memory for the size asked for, a smaller one is used and a warning says so.

    Raises:
        PainterlyError: EMPTY_MASK, BAD_REQUEST, NOT_FINITE.
    """
    canvas, parameters = canvas_of(request, device), request.parameters
    stylization = choose_stylization(parameters.stylization, canvas.style_overview())
    wishes = Wishes(stylization.value, parameters.strength, parameters.detail, parameters.seed, canvas.object_size)
    less = affordable(settings, canvas.around, canvas.size, network, free_memory(device), canvas.part)
    found, used = with_less(
        lambda plan: repaint(canvas, network, plan, wishes, Telling(observer, canvas)), less, smaller(less)
    )
    size, asked = working_size(canvas.around, used.size), working_size(canvas.around, settings.size)
    about: dict[str, object] = {
        "working_size": size,
        "iterations": used.iterations,
        "stylization": {"value": stylization.value, "reason": stylization.reason},
        "strength": wishes.strength,
        "detail": wishes.detail,
        "notes": _notes(network),
    }
    change = change_of(canvas, found, about)
    if size != asked:
        change.warnings.append(too_much(max(asked), max(size)))
    return change


def _notes(network: FeatureNetwork) -> list[str]:
    """What the user should know of the network's limits."""
    last = CONTENT_LAYERS[-1]
    if last in network.layers:
        return []
    return [f"This network ends at {network.layers[-1]}: the object's content is kept by {network.deepest(last)}."]
