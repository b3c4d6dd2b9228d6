"""The parts that training is made of, each against what it must be equal to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from painterly_engine.instant import decoder
from painterly_engine.network import store
from painterly_engine.network.features import TORCHVISION, VGG19_BLOCKS, random_network
from painterly_engine.network.layouts import Recognised
from painterly_engine.training import decoders, evaluate, pictures, teachers
from painterly_engine.training.batches import batch_features
from painterly_engine.training.crops import Crops
from painterly_engine.training.distill import gram, learning_rate, least_squares_lift
from painterly_engine.training.sharpen import LOUDNESS, fine_filters, sharpen
from painterly_engine.training.student import Student, rescale
from painterly_engine.training.teachers import LAYERS, Teacher
from painterly_protocol.errors import ErrorCode, PainterlyError


@pytest.mark.parametrize("maker", sorted(set(pictures.MAKERS), key=lambda maker: maker.__name__))
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_made_pictures_are_pictures(maker: object, seed: int) -> None:
    picture = maker(np.random.default_rng(seed), 48)  # type: ignore[operator]
    assert picture.shape == (48, 48, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1 and picture.std() > 0.005
    again = maker(np.random.default_rng(seed), 48)  # type: ignore[operator]
    assert np.array_equal(picture, again)


def test_strokes_change_a_picture_but_keep_its_colours() -> None:
    base = pictures.clouds(np.random.default_rng(0), 64)
    painted = pictures.strokes(np.random.default_rng(1), base)
    assert painted.shape == base.shape and not np.array_equal(painted, base)
    assert np.abs(painted.mean((0, 1)) - base.mean((0, 1))).max() < 0.1


def test_spectral_noise_falls_with_its_slope() -> None:
    noise = pictures.spectral_noise(np.random.default_rng(3), 256, 1.0)[..., 0]
    assert abs(float(noise.mean())) < 1e-4 and abs(float(noise.std()) - 1) < 1e-3
    power = np.abs(np.fft.fft2(noise)) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    low = power[(frequency > 0.02) & (frequency < 0.03)].mean()
    high = power[(frequency > 0.2) & (frequency < 0.3)].mean()
    assert 50 < low / high < 200  # amplitude 1/f: power falls a hundredfold over a decade


def gallery() -> list[np.ndarray]:
    return [pictures.leaves(np.random.default_rng(i), 80) for i in range(3)]


def test_crops_are_reproducible_and_in_range() -> None:
    crops = Crops(gallery(), 32)
    twins = crops.with_twins(np.random.default_rng(5), 10, 6)
    assert twins.shape == (16, 3, 32, 32) and twins.dtype == torch.float32
    assert float(twins.min()) >= 0 and float(twins.max()) <= 1
    assert torch.equal(twins, crops.with_twins(np.random.default_rng(5), 10, 6))
    differences = (twins[10:] - twins[:6]).abs().mean((1, 2, 3))
    assert bool((differences > 0).all()) and float(differences.max()) < 0.2


@pytest.mark.parametrize("blocks", [VGG19_BLOCKS, (2, 2, 3)])
def test_batches_give_what_single_pictures_give(blocks: tuple[int, ...]) -> None:
    network = random_network(0, 4, TORCHVISION, blocks)
    images = torch.rand(3, 3, 37, 33)
    batch = batch_features(network, images, ["relu1_2", "relu3_1"])
    for i, image in enumerate(images):
        single = network(image * 255, ["relu1_2", "relu3_1"])
        for layer, feature in single.items():
            torch.testing.assert_close(batch[layer][i], feature, rtol=1e-4, atol=1e-5)


def trained_a_little() -> Student:
    """A student whose running statistics and gains are not what they start as."""
    torch.manual_seed(0)
    student = Student(torch.Generator().manual_seed(3))
    for norm in student.norms.values():
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias, 0, 0.3)
    student(torch.rand(4, 3, 48, 48))
    return student


def test_the_folded_network_computes_what_the_student_does() -> None:
    student = trained_a_little().eval()
    image = torch.rand(3, 40, 56)
    network = student.fold().network("slim")
    assert network.layers[-1] == "relu5_1" and network.layout.name == "slim"
    with torch.no_grad():
        expected = student(image[None])
    found = network(image * 255, network.layers)
    for layer, feature in found.items():
        torch.testing.assert_close(feature, expected[layer][0], rtol=1e-3, atol=1e-4)


def test_rescaling_divides_each_channel_and_changes_nothing_else() -> None:
    folded = trained_a_little().fold()
    means = {layer: torch.rand(len(bias)) + 0.2 for layer, (_, bias) in folded.convolutions.items()}
    image = torch.rand(3, 40, 56) * 255
    before, after = folded.network("a"), rescale(folded, means).network("b")
    for layer in before.layers:
        scaled = before(image, [layer])[layer] / means[layer].view(-1, 1, 1)
        torch.testing.assert_close(after(image, [layer])[layer], scaled, rtol=2e-3, atol=1e-4)


def test_sharpening_adds_channels_that_see_what_alternates_and_changes_no_other() -> None:
    folded = trained_a_little().fold()
    crops = Crops(gallery(), 32)
    sharp = sharpen(folded, crops, np.random.default_rng(0), batches=2)
    before, after = folded.network("a"), sharp.network("b")
    image = torch.rand(3, 40, 56) * 255
    found = after(image, after.layers)
    torch.testing.assert_close(found["relu1_1"][:-3], before(image, ["relu1_1"])["relu1_1"])
    for layer in before.layers[1:]:
        torch.testing.assert_close(found[layer], before(image, [layer])[layer])
    for flat in (torch.zeros(3, 8, 8), torch.full((3, 8, 8), 255.0)):
        assert float(after(flat, ["relu1_1"])["relu1_1"][-3:].max()) < 1e-3
    checks = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * torch.tensor([255.0, 0, 0]).view(3, 1, 1)
    red, green, blue = after(checks, ["relu1_1"])["relu1_1"][-3:]
    assert float(red.max()) > 1 and float(torch.maximum(green, blue).max()) < 1e-3
    rng = np.random.default_rng(0)
    images = torch.cat([crops.draw(rng, 16) for _ in range(2)])
    means = torch.stack([after(one * 255, ["relu1_1"])["relu1_1"][-3:] for one in images]).mean((0, 2, 3))
    # the reflected edge, which the channels' means leave out, makes a small difference
    torch.testing.assert_close(means, torch.full((3,), LOUDNESS), rtol=0.05, atol=0)
    assert torch.equal(fine_filters().sum((1, 2, 3)), torch.zeros(3))


def test_the_lift_is_numpys_least_squares() -> None:
    torch.manual_seed(1)
    x, y = torch.randn(2, 5, 7, 6), torch.randn(2, 3, 7, 6)
    matrix, bias = least_squares_lift(x, y, ridge=0.0)
    flat = x.transpose(0, 1).flatten(1).T.double().numpy()
    design = np.concatenate([flat, np.ones((len(flat), 1))], 1)
    expected = np.linalg.lstsq(design, y.transpose(0, 1).flatten(1).T.double().numpy(), rcond=None)[0]
    np.testing.assert_allclose(matrix.numpy(), expected[:5].T, atol=1e-5)
    np.testing.assert_allclose(bias.numpy(), expected[5], atol=1e-5)


def test_gram_by_double_loop() -> None:
    features = torch.randn(1, 3, 2, 4)
    expected = torch.zeros(3, 3)
    for i in range(3):
        for j in range(3):
            expected[i, j] = (features[0, i] * features[0, j]).sum() / 8
    torch.testing.assert_close(gram(features)[0], expected)


@given(st.integers(2, 5000), st.integers(0, 100))
@settings(deadline=None)
def test_the_learning_rate_rises_then_falls_to_nothing(steps: int, percent: int) -> None:
    assert 0 <= learning_rate(steps * percent // 100, steps) <= 1
    assert learning_rate(steps, steps) == pytest.approx(0, abs=1e-12)


def test_decoders_give_pictures_of_the_right_size_and_survive_being_saved(tmp_path: Path) -> None:
    network = trained_a_little().fold().network("slim")
    made = {layer: decoder.decoder_for(network, layer) for layer in decoders.DECODED}
    features = network(torch.rand(3, 32, 48) * 255, decoders.DECODED)
    file = tmp_path / "d.safetensors"
    save_file(decoder.decoder_tensors(made), file)
    loaded = decoder.load_decoders(file, network)
    for layer in decoders.DECODED:
        given_back = made[layer](features[layer][None])
        assert given_back.shape == (1, 3, 32, 48)
        torch.testing.assert_close(loaded[layer](features[layer][None]), given_back, rtol=1e-2, atol=1e-2)


def test_full_teachers_need_no_other_and_short_ones_do(tmp_path: Path) -> None:
    deep, short = random_network(0, 2, TORCHVISION, VGG19_BLOCKS), random_network(0, 2, TORCHVISION, (2, 2, 1))
    for name, network in (("deep", deep), ("short", short)):
        convolutions = {
            layer: (network.get_buffer(f"{layer}_weight"), network.get_buffer(f"{layer}_bias"))
            for layer in network.layers
        }
        store.save(tmp_path / f"{name}.safetensors", Recognised(convolutions, network.steps, TORCHVISION))
    assert [teacher.layers for teacher in teachers.panel(tmp_path / "deep.safetensors", None)] == [LAYERS]
    with pytest.raises(PainterlyError) as caught:
        teachers.panel(tmp_path / "short.safetensors", None)
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING


def test_the_panel_of_the_reference_weights(shared: Path) -> None:
    weights = shared / "weights"
    first, second = teachers.panel(weights / "vgg19_normalised_to_relu3_1.pth", weights / "slim_vgg19_teacher.pth")
    assert first.layers == LAYERS[:3] and second.layers == LAYERS[3:]
    assert teachers.licence((first, second)) == store.passport_of("slim").licence
    assert teachers.licence((first,)) == "MIT; distilled from VGG-19 (CC BY 4.0)"
    assert f"{first.network.name} {first.network.sha256}, {second.network.name}" in store.passport_of("slim").notes
    found = second.features(torch.rand(1, 3, 48, 48))
    assert found["relu4_1"].shape == (1, 512, 6, 6) and found["relu5_1"].shape == (1, 512, 3, 3)
    with pytest.raises(PainterlyError):
        teachers.compressed(weights / "vgg19_normalised_to_relu3_1.pth")


def images(count: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(9)
    return [torch.rand(3, 32, 40, generator=generator) for _ in range(count)]


def test_a_network_agrees_fully_with_itself_and_not_with_another() -> None:
    network, other = random_network(0, 8), random_network(1, 2)
    teacher = Teacher(network, ("relu1_1", "relu2_1"), {})
    for row in evaluate.fidelity(network, teacher, images()):
        assert row.correlation > 0.9999 and row.error < 0.01
    for row in evaluate.fidelity(other, teacher, images()):
        assert row.correlation < 0.99
    for row in evaluate.own_lifts(teacher, teacher, images()):
        assert row.correlation == pytest.approx(1, abs=1e-4) and row.error == pytest.approx(0, abs=1e-5)


def test_dead_channels_are_counted() -> None:
    network = random_network(0, 4)
    network.get_buffer("relu1_1_bias")[2] = -1e9
    first = evaluate.activity(network, images())[0]
    assert (first.layer, first.channels, first.dead, first.least) == ("relu1_1", 4, 1, 0.0)


def test_fine_energy_of_known_pictures() -> None:
    checks = (torch.arange(16)[:, None] + torch.arange(16)) % 2
    assert evaluate.fine_energy(checks.float().expand(3, 16, 16)) == pytest.approx(0.75)  # variance ¼ in three colours
    coarse = torch.sin(torch.arange(32) * 2 * torch.pi / 16).expand(3, 32, 32)
    assert evaluate.fine_energy(coarse) == pytest.approx(0, abs=1e-9)


def test_texture_synthesis_comes_closer() -> None:
    network, texture = random_network(0, 4), images(1)[0]

    def distance(image: Tensor) -> float:
        found, goal = (network(one * 256, ["relu1_1"])["relu1_1"][None] for one in (image, texture))
        return float((gram(found) - gram(goal)).norm() / gram(goal).norm())

    start = torch.rand(texture.shape, generator=torch.Generator().manual_seed(0))
    made = evaluate.synthesize(network, texture, ["relu1_1"], 15, 0)
    assert distance(made) < 0.5 * distance(start)


def test_speckle_has_a_column_for_each_depth_that_a_network_reaches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluate, "speckle", lambda *given: float(len(given[2])))
    short, deep = random_network(0, 2, TORCHVISION, (2, 2, 1)), random_network(0, 2, TORCHVISION, (2, 2, 3, 1))
    short.name, deep.name = "short", "deep"
    evaluate._print_speckle((short, deep), images(1))
    assert capsys.readouterr().out.splitlines()[-2:] == ["| short | 3.00 | – |", "| deep | 3.00 | 4.00 |"]


def test_speckle_is_what_a_synthesis_has_more_of_than_its_texture() -> None:
    network, textures = random_network(0, 4), images(2)
    made = [evaluate.synthesize(network, texture, LAYERS[:2], 3, 0) for texture in textures]
    ratios = [evaluate.fine_energy(a) / evaluate.fine_energy(b) for a, b in zip(made, textures, strict=True)]
    assert evaluate.speckle(network, textures, LAYERS[:2], 3) == pytest.approx(sum(ratios) / 2)
