"""One function of the picture: its gradient, what it is relative to, and that descending goes down."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pytest
import torch

from painterly_engine.network.features import GATYS, random_network
from painterly_engine.repaint.colours import COARSER, Opponent
from painterly_engine.repaint.descent import descend, go_down
from painterly_engine.repaint.neighbours import Distance, Vocabulary, patches
from painterly_engine.repaint.objective import Objective, Pictures, Weights
from painterly_engine.repaint.strokes import Strokes

WEIGHTS = Weights(1.0, 1.0, 0.3, 0.2)


def ignore(_fraction: float) -> None:
    pass


def pictures(size: int = 48, seed: int = 0) -> Pictures:
    generator = torch.Generator().manual_seed(seed)
    context = torch.rand(3, 64, 72, generator=generator)
    ground = context[:, :size, :size].clone()
    shows = torch.zeros(size, size)
    shows[12:36, 12:36] = 1
    composite = ground.clone()
    composite[:, 12:36, 12:36] = torch.tensor([0.9, 0.3, 0.1]).view(3, 1, 1)
    return Pictures(context, ground, composite, shows)


def objective(scene: Pictures, weights: Weights = WEIGHTS) -> Objective:
    found = Objective(scene, random_network(1, 4, GATYS), weights)
    found.aim(scene.composite, ignore)
    return found


def total(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(parts.values())).sum()


def test_no_accepted_step_goes_up() -> None:
    scene = pictures()
    aimed = objective(scene)
    seen: list[float] = []
    found = descend(aimed, scene.composite, 30, lambda _, parts: seen.append(float(total(dict(parts)))))
    end = float(total(aimed(found)))
    assert end == pytest.approx(min(seen), rel=1e-3) and end < 0.6 * seen[0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_step_that_does_not_go_down_is_not_taken(bad: float) -> None:
    """Rosenbrock's valley, with a wall beside it; the steps are shortened until they go down again."""
    seen: list[tuple[float, torch.Tensor]] = []

    def evaluate(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        at = x.clone().requires_grad_()
        value = (100 * (at[1:] - at[:-1].square()).square() + (1 - at[:-1]).square()).sum()
        (gradient,) = torch.autograd.grad(value, at)
        value = torch.where(at.max() > 1.2, bad, value).detach()
        seen.append((float(value), x.clone()))
        return value, gradient

    end, *_ = go_down(evaluate, torch.linspace(-1, 1, 6, dtype=torch.float64), 120)
    values = [value for value, _ in seen]
    assert any(not late <= early for early, late in pairwise(values)), "no step was refused"
    lowest, at = min((pair for pair in seen if math.isfinite(pair[0])), key=lambda pair: pair[0])
    assert torch.equal(end, at) and lowest < 1e-3 * values[0]


def test_its_gradient_is_its_own() -> None:
    """Against central differences, in float64: the published gradients fail this."""
    scene = pictures(32)
    double = Pictures(*(tensor.double() for tensor in (scene.context, scene.ground, scene.composite, scene.support)))
    aimed = Objective(double, random_network(1, 4, GATYS).double(), WEIGHTS)
    aimed.aim(double.composite, ignore)
    at = (0.2 + 0.6 * torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(5))).double().requires_grad_()
    (gradient,) = torch.autograd.grad(total(aimed(at)), at)
    along = torch.randn(at.shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    step = 1e-6
    with torch.no_grad():
        slope = (total(aimed(at + step * along)) - total(aimed(at - step * along))) / (2 * step)
    assert float(slope) == pytest.approx(float((gradient * along).sum()), rel=1e-4)


def test_only_what_shows_counts() -> None:
    scene = pictures()
    aimed = objective(scene)
    hidden = torch.where(scene.support > 0, scene.composite, torch.full_like(scene.composite, 0.5))
    first, second = (float(total(aimed(picture))) for picture in (scene.composite, hidden))
    assert first == pytest.approx(second, rel=1e-6)


def test_the_composite_loses_no_content() -> None:
    scene = pictures()
    parts = objective(scene)(scene.composite)
    assert float(parts["content"]) == 0 and float(parts["style"]) > 0.1 and float(parts["patches"]) > 0.01
    assert float(parts["shading"]) == pytest.approx(0, abs=1e-4)


def test_light_and_shade_count_whatever_the_colours_and_strokes() -> None:
    """Strokes are finer than what is compared; colours, and how light and how rich in contrast it is, are left free."""
    scene = pictures()
    rows = torch.arange(48).view(-1, 1)
    shaded = scene.composite.clone()
    shaded[:, 12:36, 12:36] *= torch.linspace(0.2, 1, 24)
    scene = dataclasses.replace(scene, composite=shaded)
    aimed = objective(scene)

    def lost(picture: torch.Tensor) -> float:
        return float(aimed(picture)["shading"]) / WEIGHTS.shading

    recoloured = 0.2 + 0.5 * shaded.mean(0) + torch.tensor([-0.1, 0.2, -0.1]).view(3, 1, 1)
    strokes = shaded + 0.1 * (-1.0) ** (rows + rows.T)
    assert lost(recoloured) < 0.03 and lost(strokes) < 0.03  # nothing but what the outline mixes with its surroundings
    assert lost(shaded.flip(2)) > 1 and lost(torch.full_like(shaded, float(shaded.mean()))) > 0.5


def test_a_piece_of_the_painting_is_like_its_patches() -> None:
    scene = pictures()
    same = Pictures(scene.context, scene.ground, scene.ground, scene.support)
    parts = objective(same)(same.composite)
    assert float(parts["patches"]) < 1e-4


def test_the_nearest_patch_is_nearly_as_near_as_can_be() -> None:
    """Of features that hang together from place to place and channel to channel, as a network's do."""
    generator = torch.Generator().manual_seed(2)
    mixture = torch.randn(32, 12, generator=generator)
    causes = (torch.randn(12, side + 4, side + 4, generator=generator) for side in (30, 12))
    fields = (torch.nn.functional.avg_pool2d(cause[None], 5, 1)[0] for cause in causes)
    features, others = (torch.einsum("fc,chw->fhw", mixture, field).relu() for field in fields)
    vocabulary = Vocabulary(features)
    own = vocabulary.directions(features, torch.arange(900))
    wanted = vocabulary.directions(others, torch.arange(144))
    found = vocabulary.nearest(wanted, ignore)
    best = (wanted @ own.T).amax(1)
    assert float((best - (wanted * own[found]).sum(1)).mean()) < 0.005


def test_patches_are_found_again() -> None:
    features = torch.rand(16, 20, 20, generator=torch.Generator().manual_seed(2))
    positions = torch.tensor([0, 45, 399])
    vocabulary = Vocabulary(features)
    assert vocabulary.nearest(vocabulary.directions(features, positions), ignore).tolist() == positions.tolist()


def test_distance_is_that_of_patches_and_so_is_its_gradient() -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(5, 7, 9, generator=generator, dtype=torch.float64)
    positions = torch.tensor([0, 8, 30, 31, 54, 62])  # corners among them
    other = torch.randn(5, 7, 9, generator=generator, dtype=torch.float64)
    wanted = patches(other, positions)
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    for one in (features.clone().requires_grad_(), features.clone().requires_grad_()):
        first = not found
        squares = (
            Distance(positions, (7, 9), wanted)(one) if first else (patches(one, positions) - wanted).square().sum(1)
        )
        found.append((squares.detach(), torch.autograd.grad(squares.square().sum(), one)[0]))
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain)
    assert Distance(positions, (7, 9), wanted)(other).tolist() == [0] * 6


def test_colours_and_lightness_give_the_picture_back() -> None:
    picture = torch.rand(3, 37, 50, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(Opponent(picture).picture(), picture, atol=1e-6)


def test_fine_coloured_noise_cannot_arise() -> None:
    """Whatever moves the variables, neighbours' colours move together."""
    paint = Opponent(torch.full((3, 64, 64), 0.5))
    with torch.no_grad():
        paint.colours += torch.randn(paint.colours.shape, generator=torch.Generator().manual_seed(4))
        picture = paint.picture()
    colours = picture - picture.mean(0)
    steps = (colours[:, :, 1:] - colours[:, :, :-1]).square().mean().sqrt()
    assert float(steps) < float(colours.std()) * math.sqrt(2) / COARSER * 1.5


def test_strokes_are_the_paintings_own() -> None:
    generator = torch.Generator().manual_seed(7)
    context = (torch.rand(3, 40, 40, generator=generator) > 0.5).float()
    wanted = torch.zeros(24, 24, dtype=torch.bool)
    wanted[4:20, 4:20] = True
    piece = context[:, 10:34, 5:29].clone()
    strokes = Strokes(context, (24, 24), 0)
    laid = strokes.lay((piece + 0.02 * torch.randn(piece.shape, generator=generator)).clamp(0, 1), wanted, ignore)
    assert torch.allclose(laid[:, wanted], piece[:, wanted], atol=1e-5)
    again = strokes.lay(piece, wanted, ignore)
    assert torch.equal(again, Strokes(context, (24, 24), 0).lay(piece, wanted, ignore))
