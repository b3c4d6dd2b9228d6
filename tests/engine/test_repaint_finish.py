"""The surface at the painting's own size: one band or many, it is the same, and takes no more memory on the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from painterly_engine.progress import SILENT
from painterly_engine.repaint import finish as finishing
from painterly_engine.repaint.canvas import Canvas
from painterly_engine.repaint.finish import finish
from painterly_engine.repaint.telling import Telling
from painterly_engine.repaint.wishes import Wishes

SIZE = (150, 220)


def _scene() -> tuple[Canvas, torch.Tensor]:
    generator = np.random.default_rng(3)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    painting = np.stack([128 + 90 * np.sin(rows / 3 + n + columns / 17) for n in range(3)], 2)
    painting = (painting + generator.normal(0, 12, painting.shape)).clip(0, 255).astype(np.uint8)
    disc = np.hypot(rows - 75, columns - 110) < 62
    composite = np.where(disc[..., None], np.uint8(200), painting)
    canvas = Canvas(painting, composite, (255 * disc[..., None]).astype(np.uint8), None, torch.device("cpu"))
    picture = torch.rand(3, *canvas.around.size, generator=torch.Generator().manual_seed(4))
    return canvas, picture


@pytest.mark.parametrize("detail", [0.3, 0.9])
@pytest.mark.parametrize("pixels", [1, 1500, 9000])
def test_no_edge_between_bands(monkeypatch: pytest.MonkeyPatch, pixels: int, detail: float) -> None:
    """Even where a band is a single row."""
    canvas, picture = _scene()
    wishes = Wishes(stylization=5.0, detail=detail)
    whole = finish(canvas, picture, wishes, Telling(SILENT, canvas))
    monkeypatch.setattr(finishing, "BAND", pixels)
    assert len(list(finishing._bands(canvas.around.size))) > 1
    banded = finish(canvas, picture, wishes, Telling(SILENT, canvas))
    assert float((banded - whole).abs().max()) < 1e-4


def test_an_objects_progress_through_the_bands_only_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    canvas, picture = _scene()
    told: list[float] = []
    telling = Telling(SILENT, canvas)
    monkeypatch.setattr(telling, "finishing", told.append)
    monkeypatch.setattr(finishing, "BAND", 6000)
    finish(canvas, picture, Wishes(stylization=5.0), telling)
    assert told == sorted(told) and told[0] == 0.0 < told[1] < 1 and told[-1] == 1.0
