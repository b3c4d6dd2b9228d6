"""Pictures in a page: of a sane size, and fields in colours that tell places apart."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from painterly_engine.report.close_up import close_up, crop, middle
from painterly_engine.report.images import Inlined, field_colours, field_picture, inline_drawing, inline_photograph

rng = np.random.default_rng(2)


def decoded(inlined: Inlined) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(inlined.address.partition("base64,")[2])))


def identity(height: int, width: int) -> np.ndarray:
    y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    return np.stack([y, x]).astype(np.float32)


def test_large_photographs_are_shrunk_small_ones_kept() -> None:
    large = inline_photograph(rng.integers(0, 255, (300, 900, 3), np.uint8), 400)
    assert (large.width, large.height) == (400, 133) == decoded(large).size and not large.coarse
    small = inline_photograph(np.full((30, 40, 3), (200, 30, 90), np.uint8), 400)
    assert (small.width, small.height) == (40, 30)
    assert np.abs(np.asarray(decoded(small)).astype(int) - (200, 30, 90)).max() <= 3


def test_photographs_keep_their_profile() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decoded(inline_photograph(np.zeros((8, 8, 3), np.uint8), 9, profile)).info["icc_profile"] == profile


def test_drawings_are_kept_sample_for_sample() -> None:
    samples = rng.integers(0, 255, (20, 30, 3), np.uint8)
    drawing = inline_drawing(samples, 400)
    assert np.array_equal(np.asarray(decoded(drawing)), samples) and drawing.coarse


def test_every_place_has_a_colour_of_its_own() -> None:
    colours = field_colours(identity(12, 12)).reshape(-1, 3).astype(int)
    distances = np.abs(colours[:, None] - colours[None]).sum(2) + 999 * np.eye(len(colours), dtype=int)
    assert distances.min() >= 6
    ends = field_colours(np.array([[[-1, 0, 1, 2]], [[-1, 0, 1, 2]]], np.float32))[0]
    assert np.array_equal(ends[0], ends[1]) and np.array_equal(ends[2], ends[3])


def test_a_field_fetches_pieces_of_the_painting() -> None:
    painting = rng.integers(0, 255, (48, 64, 3), np.uint8)
    assert np.array_equal(field_picture(identity(12, 16), painting, 64), painting)
    swapped = identity(12, 16)
    swapped[:, 0, 0], swapped[:, 11, 15] = swapped[:, 11, 15].copy(), swapped[:, 0, 0].copy()
    fetched = field_picture(swapped, painting, 64)
    assert np.array_equal(fetched[:4, :4], painting[44:, 60:]) and np.array_equal(fetched[44:, 60:], painting[:4, :4])
    assert np.array_equal(fetched[4:44], painting[4:44])
    coarse = field_picture(identity(48, 64), painting, 10)
    assert np.array_equal(coarse, painting)


def test_a_close_up_holds_the_object_with_air_around_it() -> None:
    mask = np.zeros((200, 300), np.uint8)
    mask[40:80, 100:150] = 255
    top, bottom, left, right = close_up(mask) or pytest.fail("no close-up")
    assert 0 <= top < 40 and 80 < bottom <= 120 and 50 < left < 100 and 150 < right < 200
    assert middle(mask) == pytest.approx(125 / 3)


@pytest.mark.parametrize("value", [0, 255])
def test_no_close_up_of_nothing_or_everything(value: int) -> None:
    mask = np.full((20, 30), value, np.uint8)
    assert close_up(mask) is None and middle(mask) == 50


def test_crops_of_pictures_of_other_sizes_show_the_same() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[50:100, 75:150] = 255
    box = (50, 100, 75, 150)
    assert (crop(picture, box, (200, 300)) == 255).all()
    half = crop(picture[::2, ::2].copy(), box, (200, 300))
    assert half.shape == (25, 38, 3) and half.mean() > 250
