"""A small record with something of every kind in it, made without running anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from painterly_engine.report.record import Figure, LossPoint, Record, Stage

HEIGHT, WIDTH = 160, 240
OBJECT = (slice(60, 110), slice(90, 150))  # y 60 to 110, x 90 to 150
SEA, PASTED, PAINTED = (40, 90, 160), (220, 40, 30), (240, 200, 60)
SCENE_COLOURS = {"pasted": PASTED, "harmonized": PAINTED}


def canvas(colour: tuple[int, int, int]) -> np.ndarray:
    """A blue painting with a box of the colour in it."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = SEA
    picture[OBJECT] = colour
    return picture


def a_record(name: str = "cup", **changes: Any) -> Record:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[OBJECT] = 255
    y, x = np.meshgrid((np.arange(8) + 0.5) / 8, (np.arange(12) + 0.5) / 12, indexing="ij")
    losses = [LossPoint("pass-one", i, {"style": 1e4 / i, "content": 3.0 * i, "idle": 0.0}) for i in (1, 11, 21)]
    record = Record(
        name=name,
        created="2026-01-02T03:04:05+01:00",
        parameters={"preset": "draft", "size": None, "seed": 7},
        about={
            "network": {"name": "tiny", "layers": ["relu1_1"]},
            "working_size": [120, 80],
            "seconds": {"pass-one": 1.25, "pass-two": 2.0},
            "warnings": ["Beware of <b>dogs</b>."],
            "notes": [],
        },
        figures=[Figure("seam", "One is seamless.", 1.5, 1.0625), Figure("depth", "There is none.", None, None)],
        losses=losses,
        stages=[
            Stage("loose mask", mask),
            Stage("first pass", canvas((0, 160, 0))[::2, ::2].copy()),
            Stage("matches at relu4_1", np.stack([y, x]).astype(np.float32)),
        ],
        painting=canvas(SEA),
        composite=canvas(PASTED),
        mask=mask,
        result=canvas(PAINTED),
    )
    return replace(record, **changes)
