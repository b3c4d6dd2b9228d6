"""τ by number, by genre, or estimated from the painting."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from painterly_engine import stylization
from painterly_engine.network import store
from painterly_engine.network.features import random_network
from painterly_engine.shrinking import style_overview
from painterly_engine.stylization import GENRES, Model, choose_stylization, nearest_class, parse_stylization
from painterly_protocol.errors import ErrorCode, PainterlyError


@pytest.mark.parametrize(("text", "value"), [("5", 5.0), (" 2.5 ", 2.5), ("1e1", 10.0), ("0.1", 0.1)])
def test_numbers(text: str, value: float) -> None:
    assert parse_stylization(text) == value


@pytest.mark.parametrize(
    ("text", "genre"),
    [
        ("Baroque", "baroque"),
        ("POST-IMPRESSIONISM", "post-impressionism"),
        ("high_renaissance", "high renaissance"),
        ("Post Impressionism", "post-impressionism"),
        ("post_impressionism", "post-impressionism"),
        ("HighRenaissance", "high renaissance"),
        ("Mannerism (Late Renaissance)", "mannerism"),
    ],
)
def test_genres_in_any_case(text: str, genre: str) -> None:
    assert parse_stylization(text) == genre


def test_every_genre_of_the_published_paintings_is_known_by_its_full_name(shared: Path) -> None:
    labels = json.loads((shared / "paintings" / "stylization.json").read_text(encoding="utf-8"))
    assert {parse_stylization(label["genre"]) for label in labels.values()} <= set(GENRES)


def test_auto() -> None:
    assert parse_stylization(" Auto ") == "auto"


@pytest.mark.parametrize("text", ["", "dada-ish", "0", "-1", "nan", "inf", "101", "5 5", "5 (five)", "(baroque)"])
def test_anything_else_is_refused_with_the_genres(text: str) -> None:
    with pytest.raises(PainterlyError) as caught:
        parse_stylization(text)
    assert caught.value.code is ErrorCode.BAD_REQUEST and "cubism" in caught.value.advice


@given(st.text(max_size=20))
def test_any_text_is_a_number_a_genre_auto_or_refused(text: str) -> None:
    try:
        parsed = parse_stylization(text)
    except PainterlyError as error:
        assert error.code is ErrorCode.BAD_REQUEST
    else:
        assert parsed == "auto" or parsed in GENRES or (isinstance(parsed, float) and 0 < parsed <= 100)


@pytest.mark.parametrize(
    ("value", "level"), [(1.0, 1), (2.2, 1), (2.3, 5), (5.0, 5), (7.0, 5), (7.1, 10), (10.0, 10), (0.1, 1), (99.0, 10)]
)
def test_the_nearest_level_is_on_a_logarithmic_scale(value: float, level: float) -> None:
    assert nearest_class(value) == level  # the borders are √5 and √50


def test_a_number_and_a_genre_are_taken_at_their_word() -> None:
    painting = torch.rand(3, 20, 20)
    assert choose_stylization(3.5, painting).value == 3.5
    chosen = choose_stylization("Cubism", painting)
    assert chosen.value == 10.0 and "cubism" in chosen.reason


def by_hand(model: Model, statistics: list[float]) -> float:
    """Σ_j c_j √(2/m) cos(Σ_i z_i P_ij √2 / width + φ_j), number by number."""
    m = len(model.coefficients)
    random = np.random.RandomState(model.seed)
    projection, phase = random.standard_normal((len(statistics), m)), random.uniform(0, 2 * math.pi, m)
    total = model.intercept
    for j in range(m):
        angle = float(phase[j])
        for i, value in enumerate(statistics):
            standardised = (value - float(model.mean[i])) / float(model.deviation[i])
            angle += standardised * float(projection[i, j]) * math.sqrt(2) / model.width
        total += float(model.coefficients[j]) * math.sqrt(2 / m) * math.cos(angle)
    return min(10.0, max(1.0, math.exp(total)))


def model(d: int, m: int = 5) -> Model:
    torch.manual_seed(2)
    return Model(
        ("relu1_1",), 32, torch.randn(d), torch.rand(d) + 0.5, torch.randn(m, dtype=torch.float64), 1.0, 7, 1.5
    )


def test_the_estimate_is_the_formula() -> None:
    values = [0.3, -1.0, 2.0]
    assert model(3).estimate(torch.tensor(values)) == pytest.approx(by_hand(model(3), values), rel=1e-5)


def test_waves_approximate_the_gaussian_kernel() -> None:
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    waves = stylization.fourier(x, 20_000, 1.3, 0)
    kernel = torch.exp(-(torch.cdist(x, x).double() ** 2) / 1.3**2)
    torch.testing.assert_close(waves @ waves.T, kernel, rtol=0, atol=0.03)


def test_statistics_by_hand() -> None:
    network, painting = random_network(0, 2), torch.rand(3, 24, 32)
    found = stylization.painting_statistics(painting, network, ("relu2_1",), 32)
    feature = network(painting * 256, ["relu2_1"])["relu2_1"]
    expected = [math.log(float(c.mean()) + 0.01) for c in feature] + [math.log(float(c.std()) + 0.01) for c in feature]
    torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize("position", [5, 100, 3000, -1, None])
def test_a_damaged_or_missing_estimator_is_refused_with_the_command_that_repairs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, position: int | None
) -> None:
    """One flipped bit anywhere, or no file at all."""
    package = tmp_path / "weights"
    shutil.copytree(store.built_in_dir(), package)
    file = package / "stylization.safetensors"
    if position is None:
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[position] ^= 0x40
        file.write_bytes(content)
    monkeypatch.setattr(store, "built_in_dir", lambda: package)
    with pytest.raises(PainterlyError) as caught:
        choose_stylization(None, torch.rand(3, 64, 64))
    assert caught.value.code is (ErrorCode.WEIGHTS_MISSING if position is None else ErrorCode.WEIGHTS_CORRUPT)
    assert str(file) in str(caught.value) and caught.value.advice == store.repair_built_in()
    assert choose_stylization("baroque", torch.rand(3, 64, 64)).value == 1.0


def test_a_painting_too_narrow_to_judge_gets_the_default() -> None:
    chosen = choose_stylization(None, torch.rand(3, 2, 200))
    assert chosen.value == stylization.DEFAULT and "narrow" in chosen.reason


def test_no_statistics_are_too_far_off() -> None:
    wild = dataclasses.replace(model(3), coefficients=torch.full((5,), 1e300, dtype=torch.float64))
    assert {wild.estimate(torch.tensor([x, 0.0, 0.0])) for x in range(9)} == {1.0, 10.0}


def seen(file: Path) -> torch.Tensor:
    """A painting as every job judges it."""
    return style_overview(np.asarray(Image.open(file).convert("RGB")), None, torch.device("cpu"))


def test_an_example_is_estimated_as_it_was_when_the_coefficients_shipped() -> None:
    terrace = Path(__file__).parents[2] / "examples" / "terrace.jpg"
    assert choose_stylization(None, seen(terrace)).value == pytest.approx(2.46, abs=0.05)


def test_the_paintings_it_was_fitted_to_are_nearest_their_own_levels(shared: Path) -> None:
    labels = json.loads((shared / "paintings" / "stylization.json").read_text(encoding="utf-8"))
    right = 0
    for name, label in labels.items():
        estimated = choose_stylization(None, seen(shared / "paintings" / f"{name}.jpg")).value
        right += nearest_class(estimated) == nearest_class(label["stylization_weight"])
    assert right >= 32


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.safetensors"
    file.write_bytes(b"no")
    with pytest.raises(PainterlyError) as caught:
        stylization.load_model(file)
    assert caught.value.code is ErrorCode.WEIGHTS_CORRUPT and caught.value.advice == store.repair_built_in()


def test_auto_estimates_within_the_published_range_whatever_the_size() -> None:
    for size in ((40, 30), (300, 500)):
        chosen = choose_stylization("auto", torch.rand(3, *size))
        assert 1 <= chosen.value <= 10 and "estimated" in chosen.reason


def test_the_same_painting_is_estimated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next job often has the same painting; another one, or the same turned, is looked at anew."""
    counted: list[tuple[int, ...]] = []
    real = stylization.painting_statistics

    def counting(painting: torch.Tensor, *others: object) -> torch.Tensor:
        counted.append(tuple(painting.shape))
        return real(painting, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(stylization, "painting_statistics", counting)
    painting = torch.rand(3, 40, 64, generator=torch.Generator().manual_seed(11))
    first, again = (choose_stylization(None, one) for one in (painting, painting.clone()))
    assert first == again and len(counted) == 1
    choose_stylization(None, painting.reshape(3, 64, 40))
    choose_stylization(None, painting.flip(1))
    assert len(counted) == 3
