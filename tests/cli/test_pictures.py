from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from painterly_engine.pictures.files import Picture, check_writable, read_mask, read_rgb, read_rgba, write
from painterly_protocol.errors import ErrorCode, PainterlyError


def test_a_written_picture_reads_back_with_its_profile(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    write(tmp_path / "a.png", Picture(pixels, profile))
    again = read_rgb(tmp_path / "a.png")
    assert np.array_equal(again.pixels, pixels) and again.profile == profile
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_camera_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("RGB", (6, 2)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_rgb(tmp_path / "turned.jpg").pixels.shape == (6, 2, 3)


def test_grey_and_palette_pictures_become_rgb(tmp_path: Path) -> None:
    Image.new("L", (3, 2), 7).save(tmp_path / "grey.png")
    assert (read_rgb(tmp_path / "grey.png").pixels == 7).all()
    Image.new("P", (3, 2)).save(tmp_path / "palette.png")
    assert read_rgba(tmp_path / "palette.png").pixels.shape == (2, 3, 4)


def test_masks_of_every_kind(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 65535]], np.uint16)).save(tmp_path / "deep.png")
    assert read_mask(tmp_path / "deep.png").tolist() == [[0, 255]]
    drawn = np.zeros((1, 2, 4), np.uint8)
    drawn[0, 1, 3] = 90
    Image.fromarray(drawn).save(tmp_path / "alpha.png")
    assert read_mask(tmp_path / "alpha.png").tolist() == [[0, 90]]
    Image.new("RGBA", (2, 1), "black").save(tmp_path / "black.png")
    assert read_mask(tmp_path / "black.png").tolist() == [[0, 0]], "nothing of it is transparent"
    Image.new("RGB", (2, 1), "white").save(tmp_path / "white.png")
    assert read_mask(tmp_path / "white.png").tolist() == [[255, 255]]


def test_sixteen_bits_of_grey_are_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 1000, 30000, 65535]], np.uint16)).save(tmp_path / "deep.png")
    deep = read_rgb(tmp_path / "deep.png")
    assert deep.pixels[0, :, 0].tolist() == [0, 4, 117, 255] and "8 bits" in deep.notes[0]
    assert not read_rgb_of(Image.new("RGB", (2, 2)), tmp_path).notes


def read_rgb_of(image: Image.Image, folder: Path, **options: object) -> Picture:
    image.save(folder / "saved.png", **options)
    return read_rgb(folder / "saved.png")


def test_lost_transparency_is_told(tmp_path: Path) -> None:
    assert "transparency" in read_rgb_of(Image.new("RGBA", (2, 2)), tmp_path).notes[0]


def test_samples_without_a_white_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "float.tif")
    for read in (read_rgb, read_rgba, read_mask):
        with pytest.raises(PainterlyError, match="32 bits"):
            read(tmp_path / "float.tif")


def test_only_a_profile_of_rgb_is_kept(tmp_path: Path) -> None:
    grey = bytes(16) + b"GRAY" + bytes(108)
    assert read_rgb_of(Image.new("L", (2, 2)), tmp_path, icc_profile=grey).profile is None


def test_a_palette_mask_with_transparency_gives_its_alpha(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 255, 255] * 2)
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png", transparency=0)
    assert read_mask(tmp_path / "palette.png").tolist() == [[0, 255]]


def test_more_pixels_than_can_be_sent_are_refused_unread(tmp_path: Path) -> None:
    Image.new("1", (30_000, 20_000)).save(tmp_path / "huge.png")
    with pytest.raises(PainterlyError, match="600 million"):
        read_rgb(tmp_path / "huge.png")


@pytest.mark.parametrize("content", [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(30)])
def test_unreadable_files_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "odd.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PainterlyError, match=r"odd\.png") as caught:
        read_rgb(path)
    assert caught.value.code is ErrorCode.UNREADABLE_FILE


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "old.png"
    target.write_bytes(b"old")
    with pytest.raises(PainterlyError):
        write(target, Picture(np.zeros((0, 0, 3), np.uint8)))
    assert target.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["noformat", "a.xyz", "no/such/folder.png"])
def test_unwritable_results_are_refused_before_the_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(PainterlyError):
        check_writable(tmp_path / name)
    check_writable(tmp_path / "fine.png")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_place_of_the_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(PainterlyError, match="is a folder"):
        check_writable(tmp_path / "folder.png")
