"""Each layout's features against an independent torch.nn.Sequential that reads the same state dict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from painterly_engine.network.features import CAFFE, GATYS, TORCHVISION
from painterly_engine.network.layouts import COMPRESSED, SLIM, recognise
from painterly_protocol.errors import ErrorCode, PainterlyError

WIDTHS = (4, 5, 6, 7, 8)
ALL = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def chain(
    blocks: tuple[int, ...], convolution: Callable[[int, int], list[nn.Module]], pool: nn.Module
) -> nn.Sequential:
    """A VGG in ``nn.Sequential``; ``convolution`` gives the modules of one convolution without its relu."""
    modules: list[nn.Module] = []
    channels = 3
    for block, count in enumerate(blocks):
        modules += [pool] if block else []
        for _ in range(count):
            modules += [*convolution(channels, WIDTHS[block]), nn.ReLU()]
            channels = WIDTHS[block]
    return nn.Sequential(*modules)


def zero_padded(blocks: tuple[int, ...], ceil: bool) -> nn.Sequential:
    return chain(blocks, lambda i, o: [nn.Conv2d(i, o, 3, padding=1)], nn.MaxPool2d(2, ceil_mode=ceil))


def reflected(blocks: tuple[int, ...]) -> nn.Sequential:
    body = chain(blocks, lambda i, o: [nn.ReflectionPad2d(1), nn.Conv2d(i, o, 3)], nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(nn.Conv2d(3, 3, 1), *body)


def after_relus(network: nn.Sequential, x: Tensor, block_firsts: tuple[int, ...]) -> list[Tensor]:
    """Outputs of the relus counted from 0, by walking the modules one by one."""
    outputs = []
    for module in network:
        x = module(x)
        if isinstance(module, nn.ReLU):
            outputs.append(x[0].detach())
    return [outputs[i] for i in block_firsts]


def firsts(blocks: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sum(blocks[:i]) for i in range(len(blocks)))


VGGS = [(2, 2, 4, 4, 4), (2, 2, 3, 3, 3), (2, 2, 4, 4, 1), (2, 2, 1)]
SIZES = [(32, 48), (37, 51), (33, 46)]


@pytest.mark.parametrize("blocks", VGGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("prefix", ["features.", "", "module.features."])
def test_torchvision(blocks: tuple[int, ...], size: tuple[int, int], prefix: str) -> None:
    torch.manual_seed(1)
    reference, image = zero_padded(blocks, ceil=False), torch.rand(3, *size)
    state = {f"{prefix}{key}": value for key, value in reference.state_dict().items()}
    found = recognise({**state, "classifier.0.weight": torch.zeros(2, 2)})
    assert found.layout == TORCHVISION
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = after_relus(reference, ((image - mean.view(3, 1, 1)) / std.view(3, 1, 1))[None], firsts(blocks))
    got = found.network("x")(image * 255, ALL[: len(blocks)])
    for layer, target in zip(ALL, expected, strict=False):
        torch.testing.assert_close(got[layer], target, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("names", ["numbers", "names"])
def test_caffe(size: tuple[int, int], names: str) -> None:
    torch.manual_seed(2)
    blocks = (2, 2, 4, 4, 4)
    reference, image = zero_padded(blocks, ceil=True), torch.rand(3, *size)
    with torch.no_grad():
        reference[0].weight /= 200
    state = {f"features.{key}": value for key, value in reference.state_dict().items()}
    if names == "names":
        relus = [f"conv{b}_{i}" for b, count in enumerate(blocks, 1) for i in range(1, count + 1)]
        weights = [key for key in reference.state_dict() if key.endswith("weight")]
        state = {
            f"{name}.{kind}": reference.state_dict()[key.replace("weight", kind)]
            for name, key in zip(relus, weights, strict=True)
            for kind in ("weight", "bias")
        }
    found = recognise(state)
    assert found.layout == CAFFE
    pixels = image.flip(0) * 256 - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    expected = after_relus(reference, pixels[None], firsts(blocks))
    got = found.network("x")(image * 256, ALL)
    for layer, target in zip(ALL, expected, strict=True):
        torch.testing.assert_close(got[layer], target, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("blocks", VGGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("usual_colours", ["usual", "other"])
def test_gatys(blocks: tuple[int, ...], size: tuple[int, int], usual_colours: str) -> None:
    torch.manual_seed(3)
    reference, image = reflected(blocks), torch.rand(3, *size)
    with torch.no_grad():
        reference[0].weight.copy_(torch.eye(3).flip(0)[:, :, None, None] * 255)
        reference[0].bias.copy_(-torch.tensor([103.939, 116.779, 123.68]))
        if usual_colours == "other":
            reference[0].weight += torch.randn(3, 3, 1, 1)
        reference[2].weight /= 100
    found = recognise(reference.state_dict())
    assert (found.layout == GATYS) == (usual_colours == "usual")
    expected = after_relus(reference, image[None], firsts(blocks))
    got = found.network("x")(image * found.layout.pixel_scale, ALL[: len(blocks)])
    for layer, target in zip(ALL, expected, strict=False):
        torch.testing.assert_close(got[layer], target, rtol=1e-3, atol=1e-4)


def test_gatys_full_network_has_vgg19_layers_in_order() -> None:
    steps = recognise(reflected((2, 2, 4, 4, 4)).state_dict()).steps
    assert [s for s in steps if s != "pool"] == [
        f"relu{b}_{i}" for b, count in enumerate((2, 2, 4, 4, 4), 1) for i in range(1, count + 1)
    ]
    assert [i for i, s in enumerate(steps) if s == "pool"] == [2, 5, 10, 15]


def test_compressed_teacher_layout() -> None:
    torch.manual_seed(4)
    names = ["11", "12", "21", "22", "31", "32", "33", "34", "41"]
    sizes = [3, 4, 4, 5, 5, 6, 6, 6, 6, 7]
    colour = nn.Conv2d(3, 3, 1)
    convolutions = [nn.Conv2d(i, o, 3) for i, o in pairwise(sizes)]
    state = {f"conv{n}.{k}": v for n, c in zip(names, convolutions, strict=True) for k, v in c.state_dict().items()}
    state |= {f"conv0.{k}": v for k, v in colour.state_dict().items()}
    state |= {"conv41_aux.weight": torch.zeros(9, 7, 1, 1), "conv41_aux.bias": torch.zeros(9)}
    image = torch.rand(3, 37, 45)
    x, expected = colour(image[None]), {}
    for name, convolution in zip(names, convolutions, strict=True):
        if name in ("21", "31", "41"):
            x = nn.functional.max_pool2d(x, 2)
        x = convolution(nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")).relu()
        expected[f"relu{name[0]}_{name[1]}"] = x[0].detach()
    network = recognise({"epoch": 3, "model": state}).network("teacher")
    assert network.layers == tuple(expected) and network.layout.name == COMPRESSED.name
    got = network(image * network.layout.pixel_scale, expected)
    for layer, target in expected.items():
        torch.testing.assert_close(got[layer], target, rtol=1e-4, atol=1e-5)


def test_published_caffe_file_is_known_by_its_digest_though_its_numbers_look_like_torchvisions() -> None:
    state = {f"features.{k}": v for k, v in zero_padded((2, 2, 4, 4, 4), ceil=True).state_dict().items()}
    assert recognise(state, "d01eb7cb" + "0" * 56).layout == CAFFE
    assert recognise(state, "dcbb9e9d" + "0" * 56).layout == TORCHVISION


def test_the_users_word_settles_the_layout() -> None:
    state = zero_padded((2, 2), ceil=True).state_dict()
    assert recognise(state, layout="caffe").layout == CAFFE


def test_a_network_that_stops_early_says_which_layers_it_has() -> None:
    network = recognise(zero_padded((2, 2, 1), ceil=False).state_dict()).network("short")
    assert network.layers == ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1")
    assert network.available(("relu4_1", "relu3_1", "relu1_1")) == ("relu3_1", "relu1_1")
    assert network.deepest("relu4_1") == "relu3_1"


def batch_normalised() -> dict[str, Tensor]:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).state_dict()


def broken_chain() -> dict[str, Tensor]:
    state = zero_padded((2, 2), ceil=False).state_dict()
    return {key: value for key, value in state.items() if not key.startswith("2.")}


def widths_that_do_not_meet() -> dict[str, Tensor]:
    state = dict(zero_padded((2, 2), ceil=False).state_dict())
    return state | {"2.weight": torch.zeros(4, 9, 3, 3)}


def no_bias() -> dict[str, Tensor]:
    state = zero_padded((2, 2), ceil=False).state_dict()
    return {key: value for key, value in state.items() if key != "5.bias"}


@pytest.mark.parametrize("make", [dict, batch_normalised, broken_chain, widths_that_do_not_meet, no_bias])
def test_unknown_layouts_are_refused_with_advice(make: Callable[[], dict[str, Tensor]]) -> None:
    with pytest.raises(PainterlyError) as caught:
        recognise(make())
    assert caught.value.code is ErrorCode.UNREADABLE_FILE
    assert "painterly weights fetch" in caught.value.advice


keys = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"(features\.)?[0-9]{1,2}\.(weight|bias)", fullmatch=True),
    st.from_regex(r"conv[0-5]_?[1-5]?\.(weight|bias)", fullmatch=True),
)
shapes = st.sampled_from([(3, 3, 1, 1), (4, 3, 3, 3), (4, 4, 3, 3), (4,), (3,), ()])


@given(st.dictionaries(keys, shapes, max_size=8))
@example({"0.weight": (3, 3, 1, 1)})
@example({"conv1_1.weight": ()})
@example(
    {f"conv{n}_1.{kind}": (3, 3, 3, 3)[: 4 if kind == "weight" else 1] for n in (1, 3) for kind in ("weight", "bias")}
)
def test_any_state_dict_is_either_a_chain_or_refused(found: dict[str, tuple[int, ...]]) -> None:
    try:
        network = recognise({key: torch.zeros(shape) for key, shape in found.items()})
    except PainterlyError as error:
        assert error.code is ErrorCode.UNREADABLE_FILE
    else:
        assert network.network("any").layers


def test_genuine_normalised_vgg(shared: Path) -> None:
    state = torch.load(shared / "weights" / "vgg19_normalised_to_relu3_1.pth", weights_only=True)
    found = recognise(state)
    assert found.layout == GATYS
    network = found.network("genuine")
    assert network.layers[-1] == "relu3_1"
    features = network(torch.rand(3, 64, 64) * 255, ["relu1_1", "relu3_1"])
    assert features["relu1_1"].shape == (64, 64, 64) and features["relu3_1"].shape == (256, 16, 16)


def test_genuine_compressed_teacher(shared: Path) -> None:
    found = recognise(torch.load(shared / "weights" / "slim_vgg19_teacher.pth", map_location="cpu", weights_only=True))
    assert found.layout == replace(COMPRESSED, order=(0, 1, 2), mean=(0.0, 0.0, 0.0))
    assert found.network("teacher").layers[-1] == "relu5_1"


def test_slim_layout_keeps_odd_rows() -> None:
    assert SLIM.ceil_pool and SLIM.padding == "reflect" and SLIM.pixel_scale == 255.0
