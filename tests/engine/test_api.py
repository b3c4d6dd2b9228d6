"""``from painterly_engine import harmonize, stylize``: pictures of any kind in, the same kind out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from painterly_engine import harmonize, stylize
from painterly_protocol.errors import PainterlyError

QUICK: dict[str, Any] = {"preset": "draft", "size": 64, "iterations": 2, "weights": "slim"}


def painting(kind: str = "uint8") -> np.ndarray:
    white = 1 if kind == "float32" else np.iinfo(kind).max
    return (np.random.default_rng(1).random((90, 120, 3)) * white).astype(kind)


def disc() -> np.ndarray:
    y, x = np.mgrid[:90, :120]
    return np.hypot(y - 45, x - 60) < 14


def composite(kind: str = "uint8") -> np.ndarray:
    array = painting(kind)
    array[disc()] = array.max() // 3 if kind != "float32" else 0.3
    return array


def test_importing_it_is_cheap() -> None:
    code = "import sys, painterly_engine; sys.exit(bool({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_arrays_are_harmonized_and_stay_what_they_are(kind: str) -> None:
    told: list[tuple[str, float]] = []
    before = painting(kind)
    result = harmonize(before, composite(kind), disc(), progress=lambda what, part: told.append((what, part)), **QUICK)
    assert result.dtype == before.dtype and result.shape == before.shape
    assert np.array_equal(result[:20], before[:20]) and (result != before)[disc()].mean() > 0.8
    assert np.array_equal(before, painting(kind))
    assert told[0] == ("loading", 0.0) and all(0 <= part <= 1 for _, part in told)


def test_a_cut_out_is_pasted_and_harmonized() -> None:
    cutout = Image.fromarray(np.full((20, 24, 3), (200, 40, 30), np.uint8))
    cutout.putalpha(Image.fromarray((np.indices((20, 24)).sum(0) % 44 > 4).astype(np.uint8) * 255))
    result = harmonize(Image.fromarray(painting()), cutout, at=(50, 30), **QUICK)
    assert isinstance(result, Image.Image) and result.size == (120, 90)
    changed = (np.asarray(result) != painting()).any(2)
    assert changed[32:48, 52:72].mean() > 0.8 and not changed[:10].any() and not changed[:, :30].any()


def test_another_picture_or_a_part_of_it_is_imitated() -> None:
    style = np.zeros((70, 110, 3), np.uint8)
    style[:, :55, 2], style[:, 55:, 0] = painting()[:70, :55, 0], painting()[:70, :55, 1]  # half blue, half red
    blue = np.zeros((70, 110), bool)
    blue[:, :50] = True
    settings = {**QUICK, "method": "adain", "strength": 1.0}
    own, mixed, bluish = (
        harmonize(painting(), composite(), disc(), **pictures, **settings)[disc()].mean(0)
        for pictures in ({}, {"style": style}, {"style": Image.fromarray(style), "style_mask": blue})
    )
    assert bluish[2] - bluish[0] > mixed[2] - mixed[0] + 20 and mixed[1] < own[1] - 20


def test_pictures_are_stylized_and_come_back_as_they_came() -> None:
    content, style = Image.fromarray(painting()), Image.fromarray(painting()[::-1])
    assert isinstance(stylize(content, style, size=48, iterations=2, weights="slim"), Image.Image)
    mixed = stylize(painting("uint16"), [style, painting()], "adain", alpha=0.5, style_weights=(2, 1), mask=disc())
    assert mixed.dtype == np.uint16 and np.array_equal(mixed[:20], painting("uint16")[:20])


def changed(result: Any, before: np.ndarray) -> np.ndarray:
    return np.asarray((np.asarray(result) != before).any(2))


def test_a_mask_is_read_as_the_command_line_reads_it(tmp_path: Path) -> None:
    """White with its shape in the alpha; grey of 16 bits; of a camera held upright."""
    mask, quarter = disc().astype(np.uint8) * 255, disc().astype(np.uint16) * 16448
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(mask).copy()).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.dstack([np.full_like(mask, 255)] * 3 + [mask])).save(tmp_path / "alpha.png")
    Image.fromarray(quarter).save(tmp_path / "quarter.png")
    Image.fromarray((quarter // 257).astype(np.uint8)).save(tmp_path / "eight.png")
    names = ("turned", "alpha", "quarter", "eight")
    turned, alpha, quarter_found, eight = (
        np.asarray(harmonize(painting(), composite(), Image.open(tmp_path / f"{name}.png"), preset="instant"))
        for name in names
    )
    plain = np.asarray(harmonize(painting(), composite(), mask, preset="instant"))
    assert np.array_equal(alpha, plain) and np.array_equal(turned, plain)
    assert np.array_equal(quarter_found, eight) and not np.array_equal(eight, plain)
    for white, kind in ((255, np.uint8), (65535, np.uint16), (1, np.float32)):
        drawn = np.dstack([np.full(disc().shape, white)] * 3 + [disc() * white]).astype(kind)
        assert np.array_equal(harmonize(painting(), composite(), drawn, preset="instant"), plain)
    opaque = np.dstack([disc()] * 3 + [np.ones_like(disc())]).astype(np.uint8) * 255
    assert np.array_equal(harmonize(painting(), composite(), opaque, preset="instant"), plain)


def test_a_picture_stands_upright_and_keeps_its_colour_profile(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(np.rot90(painting()).copy()).save(tmp_path / "turned.png", exif=exif, icc_profile=profile)
    made = harmonize(Image.open(tmp_path / "turned.png"), Image.fromarray(composite()), disc(), preset="instant")
    assert made.size == (120, 90) and not changed(made, painting())[:20].any()
    made.save(tmp_path / "made.png")
    assert Image.open(tmp_path / "made.png").info["icc_profile"] == profile
    content = Image.open(tmp_path / "turned.png")
    styled = stylize(content, painting(), "adain", size=64)
    assert styled.size == (120, 90) and styled.info["icc_profile"] == profile
    grey = Image.fromarray(np.arange(90 * 120, dtype=np.uint16).reshape(90, 120) * 6)
    grey.info["icc_profile"] = bytes(16) + b"GRAY" + bytes(100)
    whole = stylize(grey, painting(), "adain", size=64, mask=disc())
    assert "icc_profile" not in whole.info, "it is RGB now"
    assert np.array_equal(np.asarray(whole)[:20, :, 0], np.rint(np.asarray(grey)[:20] / 257))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: harmonize(painting(), composite()), "no transparency"),
        (lambda: harmonize(painting(), composite(), disc(), at=(3, 4)), "has its place"),
        (lambda: harmonize(painting(), composite(), disc(), colour=3), "knows no colour"),
        (lambda: harmonize(painting(), composite(), disc(), style_mask=~disc() & disc()), "style mask is empty"),
        (lambda: harmonize(painting(), composite(), disc(), style=painting()[0, 0]), "style has the shape"),
        (lambda: harmonize(painting(), composite(), disc()[:50]), "mask is 120×50"),
        (lambda: harmonize(painting().astype(np.int64), composite(), disc()), "samples of int64"),
        (lambda: harmonize(painting()[0, 0], composite(), disc()), "shape"),
        (lambda: harmonize(painting(), composite(), Image.new("F", (120, 90))), "mask has samples of 32 bits"),
        (lambda: stylize(Image.new("I", (9, 9)), painting(), "adain"), "content has samples of 32 bits"),
        (lambda: stylize(painting(), [], "adain"), "no painting"),
        (lambda: stylize(painting(), painting(), "cubist"), "no method"),
        (lambda: stylize(painting(), painting(), alpha=0.3), "knows no alpha"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(call: Any, words: str) -> None:
    with pytest.raises(PainterlyError, match=words):
        call()
