"""The whole post-process against the formulas with exhaustive search, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from painterly_engine.finishing import finish as steps
from painterly_engine.finishing.colour import lab_to_rgb, rgb_to_lab
from painterly_engine.finishing.finish import finish
from painterly_engine.finishing.guided import guided_filter


def slow_blur(plane: np.ndarray, sigma: float) -> np.ndarray:
    kernel = np.array([[np.exp(-(dy * dy + dx * dx) / (2 * sigma**2)) for dx in range(-3, 4)] for dy in range(-3, 4)])
    kernel /= kernel.sum()
    padded = np.pad(plane, 3)
    blurred = np.zeros_like(plane)
    for y, x in np.ndindex(*plane.shape):
        blurred[y, x] = (padded[y : y + 7, x : x + 7] * kernel).sum()
    return blurred


def slow_mask(tight: np.ndarray) -> np.ndarray:
    blurred = slow_blur(tight, 3.0)
    for place in np.ndindex(*blurred.shape):
        if blurred[place] > 0.01:
            blurred[place] = 1.0
        elif blurred[place] < 0.01:
            blurred[place] = 0.0
    return slow_blur(blurred, 3.0)


def slow_base(image: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Exhaustive search over all patches and the mean vote, whole values."""
    _, h, w = image.shape
    _, h2, w2 = target.shape
    total, count = np.zeros(image.shape), np.zeros((h, w))
    for y, x in np.ndindex(h - 6, w - 6):
        patch = image[:, y : y + 7, x : x + 7]
        best, place = np.inf, (0, 0)
        for v, u in np.ndindex(h2 - 6, w2 - 6):
            distance = ((patch - target[:, v : v + 7, u : u + 7]) ** 2).sum()
            if distance < best:
                best, place = distance, (v, u)
        total[:, y : y + 7, x : x + 7] += target[:, place[0] : place[0] + 7, place[1] : place[1] + 7]
        count[y : y + 7, x : x + 7] += 1
    return np.round(total / count)


def slow_finish(result: Tensor, painting: Tensor, composite: Tensor, tight: Tensor) -> np.ndarray:
    mask = slow_mask(tight.double().numpy())
    lab = rgb_to_lab(result)
    lab[1:] = guided_filter(lab[1:], composite, 2, 0.01)
    smooth = lab_to_rgb(lab)
    smooth_bytes = np.floor(smooth.double().numpy() * 255 + 1e-3)
    base = slow_base(smooth_bytes, np.round(painting.double().numpy() * 255)) / 255
    detail = np.stack([plane - slow_blur(plane, 1.0) for plane in smooth.double().numpy()])
    return np.clip((base + detail) * mask + painting.double().numpy() * (1 - mask), 0, 1)


def pictures(seed: int, h: int, w: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A result, a painting, a composite in steps of 1/255, and a soft-edged round mask."""
    random = torch.Generator().manual_seed(seed)
    result, painting, composite = torch.randint(256, (3, 3, h, w), generator=random).float() / 255
    ys, xs = torch.meshgrid(torch.arange(h) - h / 2, torch.arange(w) - w / 2, indexing="ij")
    return result, painting, composite, (4 - (ys**2 + xs**2).sqrt()).clamp(0, 1)


@pytest.mark.parametrize(("h", "w"), [(20, 22), (22, 17)])
def test_every_pixel_is_the_formulas(h: int, w: int) -> None:
    images = pictures(1, h, w)
    got = finish(*images, seed=3).over(images[1]).numpy()
    # A value on a byte's edge may truncate either way in float32; that moves a base by one step, not by more.
    assert np.abs(got - slow_finish(*images)).max() < 1e-3


@pytest.mark.parametrize("place", [(10, 9), (0, 0), (19, 5)])
def test_the_soft_mask_is_the_formulas_at_borders_too(place: tuple[int, int]) -> None:
    tight = torch.zeros(20, 18)
    tight[place] = 0.7
    tight[12, 3] = 0.2
    assert np.allclose(steps.soft_mask(tight).numpy(), slow_mask(tight.double().numpy()), atol=1e-5)


def test_an_empty_mask_gives_the_painting_back() -> None:
    result, painting, composite, _ = pictures(2, 30, 26)
    assert torch.equal(finish(result, painting, composite, torch.zeros(30, 26), seed=0).over(painting), painting)


def test_where_the_soft_mask_ends_the_painting_begins() -> None:
    result, painting, composite, tight = pictures(3, 40, 44)
    finished = finish(result, painting, composite, tight, seed=0).over(painting)
    outside = steps.soft_mask(tight) == 0
    assert outside.any()
    assert torch.equal(finished[:, outside], painting[:, outside])
    reach = F.max_pool2d((tight > 0).float()[None], 13, 1, 6)[0] == 0
    assert outside[reach].all()


def test_a_full_mask_and_one_pixel_high_pictures() -> None:
    result, painting, composite, _ = pictures(4, 1, 30)
    finished = finish(result, painting, composite, torch.ones(1, 30), seed=0).over(painting)
    assert finished.shape == (3, 1, 30)
    assert finished.isfinite().all()
    assert finished.amin() >= 0 and finished.amax() <= 1


def test_constant_pictures() -> None:
    # Every patch of the painting is the painting's colour; the detail of a constant is nothing, but for the borders.
    grey, dark = torch.full((3, 32, 32), 0.6), torch.full((3, 32, 32), 51 / 255)
    finished = finish(grey, dark, grey, pictures(5, 32, 32)[3], seed=0).over(dark)
    assert torch.allclose(finished, dark, atol=1e-5)


def test_the_same_seed_gives_the_same_picture() -> None:
    images = pictures(6, 48, 48)
    assert torch.equal(finish(*images, seed=5).picture, finish(*images, seed=5).picture)


def test_bytes_survive_and_others_are_truncated() -> None:
    whole = torch.arange(256.0)
    assert torch.equal(steps.to_bytes(whole / 255), whole)
    assert steps.to_bytes(torch.tensor([0.999, -0.2, 1.3, 1.9 / 255])).tolist() == [254, 0, 255, 1]


def test_progress_ends_at_one_and_can_stop() -> None:
    images = pictures(7, 30, 30)
    seen: list[float] = []
    finish(*images, seed=0, report=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1

    class CancelledError(Exception):
        pass

    def stop(_fraction: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        finish(*images, seed=0, report=stop)
