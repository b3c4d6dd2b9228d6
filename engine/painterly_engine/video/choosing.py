"""The painter that a video's command asks for."""

from __future__ import annotations

import argparse
import hashlib
import json

from painterly_engine import __version__, device
from painterly_engine.batch.ledger import network_key
from painterly_engine.network.naming import network_name
from painterly_engine.pictures.files import Bytes
from painterly_engine.presets import Repaint, effective
from painterly_engine.video.painters import FeedForward, Painter, Repainting
from painterly_protocol.request import Parameters


def painter_of(arguments: argparse.Namespace, painting: Bytes) -> tuple[Painter, str]:
    """And all that it does depends on, as text."""
    shelf = device.shelf(arguments.device)
    weights = network_name(arguments.weights)
    told: dict[str, object] = {
        "engine": __version__,
        "painting": hashlib.sha256(painting.tobytes()).hexdigest(),
        "method": arguments.method,
        "detail": arguments.detail,
    }
    painter: Painter
    if arguments.method == "adain":
        # An object shall be known again; a whole frame at half strength is a photograph in other colours.
        strength, size = _or(arguments.strength, 1.0 if arguments.masks is None else 0.5), arguments.size or 640
        painter = FeedForward(painting, size, strength, arguments.detail, shelf)
        told |= {"strength": strength, "size": size, "network": network_key(Parameters(preset="instant"))}
    else:
        strength = _or(arguments.strength, 0.5)
        asked = Parameters(arguments.preset, arguments.size, arguments.iterations, weights=weights)
        settings = effective(asked)
        assert isinstance(settings, Repaint)
        painter = Repainting(painting, settings, strength, arguments.detail, weights, shelf)
        told |= {"strength": strength, "settings": repr(settings), "network": network_key(asked)}
    return painter, json.dumps(told, sort_keys=True)


def _or(value: float | None, usual: float) -> float:
    return usual if value is None else value
