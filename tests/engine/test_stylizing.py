"""The field's other methods, each tested for what defines it, at tiny sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from painterly_engine.first_look import decoders_of
from painterly_engine.network.features import FeatureNetwork, random_network
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT, Observer
from painterly_engine.repaint.support import largest_around
from painterly_engine.resample import resize
from painterly_engine.stylizing import terms
from painterly_engine.stylizing.adain import restated, stylize_adain
from painterly_engine.stylizing.descent import descend, start
from painterly_engine.stylizing.local import _mixed as local_part
from painterly_engine.stylizing.local import softened
from painterly_engine.stylizing.method import STYLE_LAYERS, Adain, Local, Several, Walk, Wanted, Whole, make
from painterly_engine.stylizing.picture import stylize_picture
from painterly_engine.stylizing.several import summed
from painterly_engine.stylizing.sight import see
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Phase
from support.passes import Recorder

HEIGHT, WIDTH = 56, 72
QUICK = Walk(iterations=12)


def picture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """(3, H, W) float64: noise on a slope."""
    generator = torch.Generator().manual_seed(seed)
    slope = torch.linspace(0, 1, width, dtype=torch.float64).expand(3, height, width)
    return 0.5 * slope + 0.5 * torch.rand(3, height, width, generator=generator, dtype=torch.float64)


def samples(seed: int, kind: str = "uint8") -> np.ndarray:
    white = 1.0 if kind == "float32" else float(np.iinfo(kind).max)
    return (picture(seed).permute(1, 2, 0).numpy() * white).astype(kind)


def disc() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (np.hypot(y - 25, x - 30) < 9).astype(np.uint8) * 255


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    return random_network(seed=1, width=4).double()


@pytest.fixture(scope="module")
def shelf() -> NetworkShelf:
    return NetworkShelf()


class Losses(Observer):
    def __init__(self) -> None:
        self.totals: list[float] = []

    def report(
        self,
        phase: Phase,  # noqa: ARG002
        fraction: float,  # noqa: ARG002
        *,
        iteration: int = 0,  # noqa: ARG002
        iterations: int = 0,  # noqa: ARG002
        losses: Mapping[str, float] | None = None,
    ) -> None:
        if losses:
            self.totals.append(sum(losses.values()))


# ---------------------------------------------------------------- terms


def test_paintings_averaged_are_the_gram_matrix_of_all_their_positions_together(network: FeatureNetwork) -> None:
    both = [see(picture(seed), network, STYLE_LAYERS) for seed in (1, 2)]
    found = summed([one.grams(STYLE_LAYERS) for one in both], [0.5, 0.5])
    for layer in STYLE_LAYERS:
        together = torch.cat([one.features[layer] for one in both], 2)
        expected = terms.gram_matrix(together, torch.ones_like(together[0]))
        torch.testing.assert_close(found[layer], expected)


def test_several_add_up_as_documented(network: FeatureNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "mean" shares weights out, "sum" takes them as they are, "losses" adds the paintings' own losses."""
    from painterly_engine.stylizing import several

    content, first, second = (see(picture(seed), network, STYLE_LAYERS) for seed in (3, 1, 2))
    targets: list[Mapping[str, Tensor]] = []
    monkeypatch.setattr(several, "style", lambda target, covers: targets.append(target) or terms.style(target, covers))
    for combine in ("mean", "sum", "losses"):
        made = several._styles(content, [first, second], Several(combine=combine, weights=(3.0, 1.0)))
        assert sum(term.weight for term in made) == pytest.approx(1.0)
    mean, total, *own = targets
    for layer in STYLE_LAYERS:
        torch.testing.assert_close(total[layer], 4 * mean[layer])
        torch.testing.assert_close(mean[layer], 0.75 * own[0][layer] + 0.25 * own[1][layer])


def test_correlation_is_blind_to_gain_and_offset_and_squares_are_not() -> None:
    generator = torch.Generator().manual_seed(4)
    features, other = (torch.rand(5, 7, 9, generator=generator, dtype=torch.float64) for _ in range(2))
    cover = torch.rand(7, 9, generator=generator, dtype=torch.float64)
    offsets = torch.arange(5.0, dtype=torch.float64).view(5, 1, 1)
    assert float(terms.uncorrelated(2.5 * features + offsets, features, cover)) == pytest.approx(0, abs=1e-12)
    assert float(terms.uncorrelated(-features, features, cover)) == pytest.approx(2)
    against_other = terms.uncorrelated(other, features, cover)
    assert float(terms.uncorrelated(0.3 * other - offsets, features, cover)) == pytest.approx(float(against_other))
    assert 0.5 < float(against_other) < 1.5
    assert float(terms.squared(features, features, cover)) == 0 < float(terms.squared(2 * features, features, cover))


@pytest.mark.parametrize("kind", ["mse", "ncc"])
def test_every_term_has_a_real_gradient(network: FeatureNetwork, kind: str) -> None:
    wanted = Wanted(content_loss=kind, ratio=1.0, variation=0.5)
    layers = terms.layers_read(wanted, network)
    content, painting = see(picture(5), network, layers), see(picture(6), network, layers)
    parts = [
        terms.Term("style", 1.0, terms.style(painting.grams(wanted.style_layers), content.covers)),
        *terms.besides_style(content, [painting], wanted),
    ]
    objective = terms.Objective(network, layers, parts)
    here = picture(7).requires_grad_()
    losses = objective(here)
    assert losses.keys() == {"style", "content", "variation"}
    for loss in losses.values():
        (slope,) = torch.autograd.grad(loss, here, retain_graph=True)
        along = torch.randn(here.shape, generator=torch.Generator().manual_seed(8), dtype=torch.float64) * 1e-6
        name = next(n for n, value in losses.items() if value is loss)
        change = objective(here.detach() + along)[name] - objective(here.detach() - along)[name]
        assert float(change) == pytest.approx(2 * float((slope * along).sum()), rel=1e-3)


def test_histograms_pull_towards_values_of_equal_rank(network: FeatureNetwork) -> None:
    wanted = Wanted(histogram=1.0)
    layers = terms.layers_read(wanted, network)
    content, painting = see(picture(5), network, layers), see(picture(6), network, layers)
    loss = terms.histogram(content, [painting], "relu1_1")
    louder = {layer: 2 * found for layer, found in painting.features.items()}
    assert float(loss(painting.features, painting.picture)) < 1e-3
    assert float(loss(louder, painting.picture)) == pytest.approx(1, abs=0.1)


# ---------------------------------------------------------------- methods


@pytest.mark.parametrize(
    "method",
    [
        Whole(walk=QUICK),
        Whole(Wanted(histogram=0.1), QUICK),
        Whole(Wanted(content_loss="ncc", content_layer="relu5_1", style_layers=("relu2_1", "relu3_1")), QUICK),
        Whole(walk=Walk(iterations=12, noise=0.7, pooling="average")),
        Whole(walk=Walk(iterations=12, optimizer="adam")),
        Several(walk=QUICK, combine="losses", weights=(2.0, 1.0)),
        Several(walk=QUICK),
        Local(walk=QUICK),
    ],
    ids=["plain", "histogram", "ncc", "noise-average", "adam", "losses", "mean", "local"],
)
def test_the_loss_decreases(shelf: NetworkShelf, method: Any) -> None:
    heard = Losses()
    paintings = [samples(2), samples(9)] if isinstance(method, Several) else [samples(2)]
    found = stylize_picture(samples(1) // 2, paintings, method, shelf, mask=disc(), weights="slim", observer=heard)
    assert len(heard.totals) == 12 and heard.totals[-1] < 0.8 * heard.totals[0]
    assert found.shape == (HEIGHT, WIDTH, 3) and found.dtype == np.uint8


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_it_takes_all_its_iterations_even_where_nothing_is_left_to_win(optimizer: str) -> None:
    """A loss that stays the same for a moment ends no run: films and tables have as many looks as were asked for."""
    heard = Recorder()
    walk = Walk(iterations=40, optimizer=optimizer)
    outset, goal = picture(1), picture(2)
    found = descend(
        lambda now: {"off": ((now - goal).square().mean() - 0.02).clamp(min=0)},
        outset,
        walk,
        heard,
        lambda shown: shown,
    )
    assert heard.iterations == list(range(1, 41)) and heard.losses[-1]["off"] == 0
    assert found.isfinite().all() and float((found - goal).square().mean()) <= 0.02


def test_the_same_seed_gives_the_same_picture(shelf: NetworkShelf) -> None:
    first, again, other = (
        stylize_picture(samples(1), [samples(2)], Whole(walk=Walk(3, 0.5, seed=seed)), shelf, weights="slim")
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_noise_ratio_is_the_share_of_noise() -> None:
    content = picture(1)
    assert torch.equal(start(content, Walk(noise=0.0)), content)
    noise = start(content, Walk(noise=1.0))
    assert not torch.equal(noise, content)
    torch.testing.assert_close(start(content, Walk(noise=0.7)), 0.3 * content + 0.7 * noise)


def test_less_content_is_kept_at_a_smaller_ratio(shelf: NetworkShelf) -> None:
    much, little = (
        stylize_picture(
            samples(1), [samples(2) // 3], Whole(Wanted(ratio=ratio), Walk(iterations=20)), shelf, weights="slim"
        )
        for ratio in (10.0, 1e-4)
    )
    assert np.abs(much.astype(int) - samples(1)).mean() < np.abs(little.astype(int) - samples(1)).mean()


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("method", [Local(walk=Walk(iterations=3)), Adain()])
def test_nothing_changes_away_from_the_mask_bit_for_bit(shelf: NetworkShelf, kind: str, method: Any) -> None:
    content, mask = samples(1, kind), disc()
    found = stylize_picture(content, [samples(2, kind)], method, shelf, mask=mask, weights="slim")
    away = largest_around(torch.from_numpy(mask / 255.0), 9).numpy() == 0  # 3 px grown, the edge softened over 5 more
    assert found.dtype == content.dtype and away.any()
    assert np.array_equal(found[away], content[away])
    assert (found != content)[mask > 0].mean() > 0.7  # some samples stay what they were by chance


def test_a_mask_grows_by_a_disc_and_softens() -> None:
    point = torch.zeros(21, 21)
    point[10, 10] = 1
    grown = largest_around(point, 3)
    y, x = np.mgrid[:21, :21] - 10
    assert np.array_equal(grown.numpy() > 0, np.hypot(y, x) <= 3)
    assert torch.equal(largest_around(point, 0), point) and torch.equal(softened(point, 0), point)
    soft = softened(grown, 1.5)
    assert 0 < float(soft[10, 14]) < float(soft[10, 11]) <= 1 and float(soft[0, 0]) == 0


def test_local_looks_closely_and_shows_all(shelf: NetworkShelf) -> None:
    """Of a large content it works on the mask's surroundings, at the size asked for; who watches sees the whole."""
    large, mask = np.random.default_rng(3).integers(0, 255, (300, 600, 3), np.uint8), np.zeros((300, 600), np.uint8)
    mask[140:150, 500:510] = 255
    heard = Recorder()
    found = stylize_picture(
        large, [large], Local(walk=Walk(iterations=2)), shelf, mask=mask, weights="slim", size=69, observer=heard
    )
    away = np.ones((300, 600), bool)
    away[120:170, 480:530] = False
    assert np.array_equal(found[away], large[away]) and (found != large)[142:148, 502:508].mean() > 0.5
    size = (150, 300)  # the mask with 64 pixels around is what is worked on, at half its size
    expected = resize(torch.from_numpy(large.transpose(2, 0, 1) / np.float32(255)), size)
    assert heard.pictures[-1].shape == (3, *size)
    torch.testing.assert_close(heard.pictures[-1][:, :, :200], expected[:, :, :200])


def test_local_mixes_the_gram_matrices_of_here_and_everywhere(network: FeatureNetwork) -> None:
    painting, place = picture(2), torch.from_numpy(disc() / 255.0)
    everywhere = see(painting, network, STYLE_LAYERS).grams(STYLE_LAYERS)
    seen = see(painting, network, STYLE_LAYERS, place)
    here, none, half = (local_part(everywhere, seen, Local(local_share=share)) for share in (1.0, 0.0, 0.5))
    for layer in STYLE_LAYERS:
        torch.testing.assert_close(here[layer], seen.grams(STYLE_LAYERS)[layer])
        torch.testing.assert_close(none[layer], everywhere[layer])
        torch.testing.assert_close(half[layer], (here[layer] + everywhere[layer]) / 2)
        assert not torch.allclose(here[layer], everywhere[layer])


# ---------------------------------------------------------------- adain


def test_restated_features_have_the_paintings_mean_and_deviation() -> None:
    generator = torch.Generator().manual_seed(4)
    features, painting = (
        torch.rand(6, *size, generator=generator).square() * scale for size, scale in (((9, 11), 3), ((7, 5), 0.5))
    )
    found = restated(features, painting)
    torch.testing.assert_close(found.mean((1, 2)), painting.mean((1, 2)), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.std((1, 2), correction=0), painting.std((1, 2), correction=0), atol=1e-3, rtol=0)
    cover = torch.zeros(9, 11)
    cover[2:6, 3:9] = 1
    inside = restated(features, painting, cover)[:, 2:6, 3:9]
    torch.testing.assert_close(inside.mean((1, 2)), painting.mean((1, 2)), atol=1e-3, rtol=0)


@pytest.mark.parametrize("layer", ["relu3_1", "relu4_1"])
def test_alpha_0_returns_the_content(shelf: NetworkShelf, layer: str) -> None:
    slim = shelf.get("slim")
    content = picture(1).float()
    same = stylize_adain(content, [picture(2).float()], slim, decoders_of(slim, shelf.device), Adain(0.0, layer))
    assert torch.equal(same, content)
    large = np.repeat(np.repeat(samples(1), 4, 0), 4, 1)
    assert np.array_equal(stylize_picture(large, [samples(2)], Adain(0.0, layer), shelf, size=64), large)


def test_alpha_leads_from_the_content_to_the_painting(shelf: NetworkShelf) -> None:
    dark = samples(2) // 8
    means = [stylize_picture(samples(1), [dark], Adain(alpha), shelf).mean() for alpha in (0.0, 0.5, 1.0)]
    assert means[0] > means[1] + 5 > means[2] + 10


# ---------------------------------------------------------------- edges


def test_average_pooling_averages_and_shares_the_filters(network: FeatureNetwork) -> None:
    averaging = network.pooled_by("average")
    assert averaging.get_buffer("relu3_1_weight").data_ptr() == network.get_buffer("relu3_1_weight").data_ptr()
    deep, first = ({network.layers[2]}, {network.layers[1]})
    own = network(picture(1), first)[network.layers[1]]
    pooled = torch.nn.functional.avg_pool2d(own[None], 2, ceil_mode=True)[0]
    torch.testing.assert_close(averaging._convolve(pooled[None], network.layers[2])[0], averaging(picture(1), deep)[
        network.layers[2]
    ])  # fmt: skip
    assert torch.equal(network.pooled_by("max")(picture(1), deep)[network.layers[2]], network(picture(1), deep)[
        network.layers[2]
    ])  # fmt: skip


def test_methods_are_made_from_names_and_plain_values() -> None:
    made = make("local", {"content_layer": "5_1", "style_layers": "conv1_1, 2_1", "dilation": 7, "seed": 3})
    assert made == Local(Wanted(content_layer="relu5_1", style_layers=("relu1_1", "relu2_1")), Walk(seed=3), dilation=7)
    assert make("adain", {"layer": "4_1", "weights": [1, 2]}) == Adain(1.0, "relu4_1", (1, 2))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("cubist", {}, "no method 'cubist'"),
        ("global", {"alpha": 0.5}, "knows no alpha"),
        ("adain", {"alpha": float("nan")}, "alpha of nan"),
        ("global", {"iterations": 0}, "0 iterations"),
        ("global", {"noise": 1.5}, "noise ratio"),
        ("global", {"pooling": "median"}, "no pooling"),
        ("multi-style", {"weights": (0.0, 0.0)}, "weights"),
        ("local", {"local_share": -1}, "local Gram"),
    ],
)
def test_values_that_cannot_be_used_get_a_sentence(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(PainterlyError, match=words) as caught:
        make(name, options)
    assert caught.value.code is ErrorCode.BAD_REQUEST and caught.value.advice


@pytest.mark.parametrize(
    ("method", "changed", "code"),
    [
        (Whole(), {"paintings": 0}, ErrorCode.BAD_REQUEST),
        (Whole(), {"paintings": 2}, ErrorCode.BAD_REQUEST),
        (Local(), {}, ErrorCode.BAD_REQUEST),
        (Local(), {"mask": np.zeros((HEIGHT, WIDTH), np.uint8)}, ErrorCode.EMPTY_MASK),
        (Local(), {"mask": np.ones((3, 4), np.uint8)}, ErrorCode.SIZE_MISMATCH),
        (Whole(Wanted(content_layer="relu5_4")), {}, ErrorCode.BAD_REQUEST),
        (Several(weights=(1.0, 2.0, 3.0)), {"paintings": 2}, ErrorCode.BAD_REQUEST),
        (Adain(), {"size": 5}, ErrorCode.BAD_REQUEST),
        (Adain(), {"style_scale": 0}, ErrorCode.BAD_REQUEST),
    ],
)
def test_pictures_that_do_not_fit_get_a_sentence(
    shelf: NetworkShelf, method: Any, changed: dict[str, Any], code: ErrorCode
) -> None:
    paintings = [samples(2)] * changed.pop("paintings", 1)
    with pytest.raises(PainterlyError) as caught:
        stylize_picture(samples(1), paintings, method, shelf, weights="slim", observer=SILENT, **changed)
    assert caught.value.code is code


def test_a_thin_and_a_tiny_picture_are_stylized_too(shelf: NetworkShelf) -> None:
    for size in ((3, 90), (1, 1), (200, 2)):
        content = np.full((*size, 3), 90, np.uint8)
        for method in (Whole(walk=Walk(iterations=2)), Adain()):
            assert stylize_picture(content, [samples(2)], method, shelf, weights="slim", size=64).shape == (*size, 3)
