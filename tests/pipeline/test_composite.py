"""Objects placed in a painting, and the files that ``painterly composite`` makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from painterly_engine.cli.main import main
from painterly_engine.masks import loose_mask as published_loose_mask
from painterly_engine.pictures.arrangement import Placement, arrange, grown, loose_mask
from painterly_engine.pictures.placement import paste
from painterly_protocol.errors import PainterlyError

PAINTING = np.full((60, 80, 3), 100, np.uint8)


def bar(height: int = 12, width: int = 30) -> np.ndarray:
    """Red at the left, blue at the right, one clear row around; what is hidden there is green."""
    picture = np.zeros((height + 2, width + 2, 4), np.uint8)
    picture[..., :3] = (0, 255, 0)
    picture[1:-1, 1 : 1 + width // 2] = (250, 0, 0, 255)
    picture[1:-1, 1 + width // 2 : -1] = (0, 0, 250, 255)
    return picture


def test_a_plain_placement_is_what_harmonize_pastes() -> None:
    ours, theirs = arrange(PAINTING, [(bar(), Placement((5, 7), 1.5))]), paste(PAINTING, bar(), (5, 7), 1.5)
    assert np.array_equal(ours.composite, theirs.composite) and np.array_equal(ours.mask, theirs.mask)


def test_a_flipped_object_faces_the_other_way() -> None:
    pasted = arrange(PAINTING, [(bar(), Placement((0, 0), flip=True))])
    assert pasted.composite[6, 3].tolist() == [0, 0, 250] and pasted.composite[6, 28].tolist() == [250, 0, 0]


def test_rotation_is_counterclockwise_and_keeps_the_middle_and_the_edge_clean() -> None:
    pasted = arrange(PAINTING, [(bar(), Placement((20, 20), rotate=90))])
    rows, columns = np.nonzero(pasted.mask > 127)
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (30, 12)
    assert abs((rows.min() + rows.max()) / 2 - 26.5) <= 1 and abs((columns.min() + columns.max()) / 2 - 35.5) <= 1
    assert pasted.composite[rows.max() - 2, 35, 0] == 250, "the left end has gone down"
    slanted = arrange(np.zeros_like(PAINTING), [(bar(), Placement((20, 20), rotate=30))])
    assert slanted.composite[..., 1].max() <= 6, "hidden green has come out"
    assert abs(slanted.mask.astype(float).sum() / 255 - 12 * 30) < 12


def test_later_objects_lie_over_earlier_ones_and_share_one_mask() -> None:
    half = bar()
    half[..., 3] //= 2
    pasted = arrange(PAINTING, [(bar(), Placement((10, 10))), (half, Placement((20, 10)))])
    assert pasted.composite[15, 15].tolist() == [250, 0, 0]
    assert pasted.mask[15, 25] == 255 and pasted.mask[15, 45] == 127
    twice = arrange(PAINTING, [(half, Placement((10, 10)))] * 2)
    assert twice.mask[15, 15] == pytest.approx(255 * (1 - (128 / 255) ** 2), abs=1)


def test_feather_fades_inwards_only() -> None:
    hard, soft = (arrange(PAINTING, [(bar(20, 40), Placement((10, 10), feather=f))]) for f in (0, 8))
    assert (soft.mask <= hard.mask).all() and soft.mask[21, 31] > 250
    profile = soft.mask[12:21, 31].astype(int)
    assert (np.diff(profile) >= 0).all() and profile[0] < 40 and ((profile > 20) & (profile < 235)).sum() >= 3
    assert soft.composite[..., 1].max() <= 100, "hidden green has come out"


def test_growth_widens_the_mask_only_and_its_opposite_cuts_the_edge() -> None:
    plain, wide, narrow = (arrange(PAINTING, [(bar(), Placement((20, 20), grow=g))]) for g in (0, 4, -3))
    assert np.array_equal(wide.composite, plain.composite)
    assert wide.mask[27, 17] == 255 and wide.mask[27, 16] == 0 and wide.mask[18, 18] == 0, "a disc, not a square"
    assert (narrow.mask > 0).sum() == (12 - 6) * (30 - 6)
    assert (narrow.composite[21:24, 21:51] == 100).all()


@given(st.integers(0, 9), st.integers(0, 2**32))
@settings(max_examples=20)
def test_growing_is_the_largest_value_of_a_disc(by: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.integers(0, 255, (17, 23)) * (rng.random((17, 23)) < 0.05)).astype(np.uint8)
    y, x = np.mgrid[:17, :23]
    expected = np.array([[mask[np.hypot(y - i, x - j) <= by].max() for j in range(23)] for i in range(17)])
    assert np.array_equal(grown(mask, by), expected)


def test_the_loose_mask_is_the_published_one_at_its_own_size() -> None:
    y, x = np.mgrid[:500, :700]
    tight = np.where(np.hypot(y - 250, x - 300) < 90, 255, 0).astype(np.uint8)
    published = published_loose_mask(torch.from_numpy(tight).float() / 255).numpy() > 0
    assert ((loose_mask(tight) > 0) != published).mean() < 1e-4
    double = tight.repeat(2, 0).repeat(2, 1)
    assert ((loose_mask(double) > 0)[::2, ::2] != published).mean() < 2e-3


@pytest.mark.parametrize(
    "placement",
    [{"scale": 0}, {"scale": float("nan")}, {"rotate": float("inf")}, {"feather": -1}, {"grow": 1000}],
)
def test_a_placement_that_makes_no_sense_gets_a_sentence(placement: dict[str, float]) -> None:
    with pytest.raises(PainterlyError, match="cannot be used"):
        Placement(**placement)  # type: ignore[arg-type]


@pytest.mark.parametrize("placement", [Placement(scale=1e6), Placement(grow=-9), Placement((900, 0))])
def test_nothing_left_gets_a_sentence(placement: Placement) -> None:
    with pytest.raises(PainterlyError):
        arrange(PAINTING, [(bar(), placement)])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(PAINTING).save(tmp_path / "sea.png", icc_profile=profile)
    Image.fromarray(bar()).save(tmp_path / "bar.png")
    return tmp_path


def test_the_command_writes_what_batch_reads(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["composite", "--painting", f"{files}/sea.png", "--object", f"{files}/bar.png", "--at", "-5,7", "--flip"]
    given += ["--object", f"{files}/bar.png", "--rotate", "-45", "--feather", "2"]
    assert main([*given, "-o", f"{files}/one/"]) == 0
    assert main([*given, "-o", f"{files}/all/one"]) == 0
    names = ["composite.png", "mask.png", "mask_loose.png", "painting.png"]
    assert sorted(path.name for path in (files / "one").iterdir()) == names
    assert sorted(path.name for path in (files / "all").iterdir()) == [f"one_{name}" for name in names]
    composite = Image.open(files / "one/composite.png")
    assert composite.info["icc_profile"] and composite.size == (80, 60)
    mask, loose = (np.asarray(Image.open(files / f"one/{name}.png")) for name in ("mask", "mask_loose"))
    assert (loose[mask > 0] == 255).all() and (loose > 0).sum() > (mask > 0).sum()
    assert str(files / "one/mask.png") in capsys.readouterr().out


def test_the_command_writes_over_nothing_it_reads(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, source in {"painting": "sea", "mask": "bar"}.items():
        (files / f"{name}.png").write_bytes((files / f"{source}.png").read_bytes())
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    there = ["composite", "--painting", f"{files}/painting.png", "-o", f"{files}/"]
    assert main([*there, "--object", f"{files}/mask.png"]) == 1
    assert "written over" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before
    (files / "mask.png").unlink()
    assert main([*there, "--object", f"{files}/bar.png"]) == 0
    assert (files / "painting.png").read_bytes() == before["painting.png"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "at least one --object"),
        (["--object", "{f}/sea.png"], "no transparency"),
        (["--object", "{f}/none.png"], "none.png"),
        (["--object", "{f}/bar.png", "--grow", "-50"], "Nothing is left"),
    ],
)
def test_bad_input_gets_a_sentence(
    files: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    filled = [option.format(f=files) for option in options]
    assert main(["composite", "--painting", f"{files}/sea.png", *filled, "-o", f"{files}/out/"]) == 1
    assert words in capsys.readouterr().err


def test_an_option_without_its_object_is_wrong_usage(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["composite", "--painting", f"{files}/sea.png", "--scale", "2", "-o", f"{files}/out"])
    assert "--object before --scale" in capsys.readouterr().err
