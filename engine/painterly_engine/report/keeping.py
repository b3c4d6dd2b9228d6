"""From a job that has just run in this process to its record on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from painterly_engine.arrays import to_array
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.pictures.files import Bytes
from painterly_engine.report import record
from painterly_engine.report.figures import measure
from painterly_engine.report.recorder import Recorder
from painterly_protocol.request import HarmonizeRequest


def keep(
    folder: Path,
    request: HarmonizeRequest,
    result: Bytes,
    about: Mapping[str, Any],
    recorder: Recorder,
    profile: bytes | None = None,
) -> None:
    """Measure the result and write everything into a new folder.

    Args:
        request: with pictures of 8 bits.
        result: (H, W, 3), the painting with the result in it.
        about: the result's metadata.
        recorder: listened to the job.
        profile: the painting's colour profile.

    Raises:
        PainterlyError: as ``record.save``.
    """
    painting, composite = to_array(request.painting), to_array(request.composite)
    mask = to_array(request.mask)[..., 0]
    network = NetworkShelf().get(request.parameters.weights)
    record.save(
        record.Record(
            name=folder.name,
            created=datetime.now().astimezone().isoformat(timespec="seconds"),
            parameters=asdict(request.parameters),
            about=about,
            figures=measure(painting, composite, result, mask, recorder.stages, network),
            losses=recorder.losses,
            stages=recorder.stages,
            painting=painting,
            composite=composite,
            mask=mask,
            result=result,
            profile=profile,
        ),
        folder,
    )
