from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from painterly_engine.pictures.placement import paste
from painterly_protocol.errors import PainterlyError


def cutout(height: int, width: int, alpha: int = 255) -> np.ndarray:
    picture = np.full((height, width, 4), 200, np.uint8)
    picture[..., 3] = alpha
    picture[0, 0, 3] = 0
    return picture


PAINTING = np.full((6, 8, 3), 100, np.uint8)


def test_opaque_pixels_replace_and_clear_ones_do_not() -> None:
    pasted = paste(PAINTING, cutout(2, 3), (4, 1), 1.0)
    assert (pasted.composite[1, 4] == 100).all() and pasted.mask[1, 4] == 0
    assert (pasted.composite[2, 4:7] == 200).all() and (pasted.mask[2, 4:7] == 255).all()
    assert pasted.mask.astype(int).sum() == 5 * 255
    assert (PAINTING == 100).all()


def test_half_transparent_pixels_mix() -> None:
    pasted = paste(PAINTING, cutout(2, 2, alpha=51), (0, 0), 1.0)
    assert pasted.composite[1, 1].tolist() == [120, 120, 120] and pasted.mask[1, 1] == 51


@given(st.integers(-2, 7), st.integers(-1, 5))
def test_parts_outside_the_canvas_are_cut_off(x: int, y: int) -> None:
    pasted = paste(PAINTING, cutout(2, 3), (x, y), 1.0)
    whole = np.zeros((20, 20), np.uint8)
    whole[y + 5 : y + 7, x + 5 : x + 8] = cutout(2, 3)[..., 3]
    assert np.array_equal(pasted.mask, whole[5:11, 5:13])


def test_without_a_place_the_object_is_centred() -> None:
    rows, columns = np.nonzero(paste(PAINTING, cutout(2, 4), None, 1.0).mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 3, 2, 5)


def test_scaling_keeps_hidden_colours_out_of_the_edge() -> None:
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[2:6, 2:6] = (0, 0, 250, 255)
    picture[picture[..., 3] == 0] = (255, 0, 0, 0)
    pasted = paste(np.zeros((4, 4, 3), np.uint8), picture, (0, 0), 0.5)
    assert pasted.composite[..., 0].max() <= 3
    assert pasted.mask[1:3, 1:3].min() > 200


@pytest.mark.parametrize(("at", "scale"), [((8, 0), 1.0), ((0, -2), 1.0), (None, 0.01), (None, 1e6)])
def test_what_cannot_be_pasted_is_refused(at: tuple[int, int] | None, scale: float) -> None:
    with pytest.raises(PainterlyError):
        paste(PAINTING, cutout(2, 3), at, scale)
