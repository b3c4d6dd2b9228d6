"""The results on the way as pictures: what lies where."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from painterly_engine.report.close_up import close_up
from painterly_engine.report.gallery import fields_section, masks_section
from painterly_engine.report.record import Stage
from support.records import HEIGHT, OBJECT, PASTED, SEA, WIDTH, a_record

CELL = 10  # px of the painting


def pictures(html: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/\w+;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int) for data in found]


def test_a_close_up_of_a_field_shows_the_same_positions_on_both_sides() -> None:
    """A painting of flat cells, each of its own colour, and a field that takes everything from one of them."""
    rows, columns = HEIGHT // CELL, WIDTH // CELL
    cells = np.random.default_rng(3).integers(0, 255, (rows, columns, 3), np.uint8)
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    field = np.stack([y, x]).astype(np.float32)
    place = (OBJECT[0].start // CELL, OBJECT[1].start // CELL)
    field[:, place[0], place[1]] = 0.01
    painting = cells.repeat(CELL, 0).repeat(CELL, 1)
    record = a_record(painting=painting, stages=[Stage("f", field)])
    close = close_up(record.mask)
    assert close is not None
    _, _, colours, fetched = pictures(fields_section(record, close))
    top, left = close[0] // CELL, close[2] // CELL
    wide, high = -(-close[3] // CELL) - left, -(-close[1] // CELL) - top
    assert colours.shape == (high, wide, 3)
    size = fetched.shape[0] // high
    centres = fetched[size // 2 :: size, size // 2 :: size][:high, :wide]
    expected = cells[top : top + high, left : left + wide].astype(int)
    expected[place[0] - top, place[1] - left] = cells[0, 0]
    assert np.abs(centres - expected).max() <= 24  # JPEG between cells of any colours


def test_a_mask_shows_the_composite_inside_and_grey_outside() -> None:
    tight, imitated = pictures(masks_section(a_record(stages=[
        Stage("tight mask", a_record().mask), Stage("imitated places", np.full((4, 6), 255, np.uint8)),
    ])))  # fmt: skip
    middle = tight[(OBJECT[0].start + OBJECT[0].stop) // 2, (OBJECT[1].start + OBJECT[1].stop) // 2]
    assert np.abs(middle - PASTED).max() <= 6
    assert np.abs(tight[5, 5] - 118).max() < np.abs(np.array(SEA) - 118).max() / 2
    assert np.abs(imitated - SEA).max() <= 6
