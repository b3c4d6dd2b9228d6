from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from painterly_engine.arrays import to_array, to_pixels, white
from painterly_engine.tensors import interleaved, to_tensor
from painterly_protocol.errors import ErrorCode, PainterlyError


@given(
    st.sampled_from(["uint8", "uint16", "float32"]).flatmap(
        lambda kind: arrays.arrays(kind, st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3])))
    )
)
def test_pixels_and_back_is_the_same_array(array: np.ndarray) -> None:
    assert np.array_equal(to_array(to_pixels(array)), array, equal_nan=array.dtype.kind == "f")


def test_a_mask_gains_its_channel() -> None:
    assert to_array(to_pixels(np.zeros((2, 3), np.uint8))).shape == (2, 3, 1)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_white_becomes_one(kind: str) -> None:
    array = np.full((2, 3, 3), white(np.zeros(1, kind)), kind)
    given = array.copy()
    assert torch.equal(to_tensor(array, "painting"), torch.ones(3, 2, 3))
    assert np.array_equal(array, given)


def test_planes_keep_their_places() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    planes = to_tensor(array, "painting")
    assert planes[2, 1, 3] == pytest.approx(23 / 255)
    assert to_tensor(array[..., :1], "mask").shape == (2, 4)
    assert torch.equal(interleaved(array, "painting"), planes)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(bad: float) -> None:
    array = np.zeros((2, 2, 3), np.float32)
    array[1, 1, 1] = bad
    with pytest.raises(PainterlyError, match="painting") as caught:
        to_tensor(array, "painting")
    assert caught.value.code is ErrorCode.BAD_REQUEST
