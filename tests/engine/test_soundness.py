"""NaN and infinity end a job in a sentence, wherever they arise; never in a black layer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from painterly_engine.arrays import to_pixels
from painterly_engine.job import run_request
from painterly_engine.network.features import CAFFE, FeatureNetwork, random_network, vgg_steps
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT
from painterly_engine.soundness import check_losses, check_result
from painterly_protocol.errors import ErrorCode
from painterly_protocol.messages import Result
from painterly_protocol.request import HarmonizeRequest, Parameters
from support import jobs
from support.failing import caught


class BrokenNetwork(NetworkShelf):
    """A tiny random network with one number in ``layer`` that is none."""

    def __init__(self, layer: str, number: float) -> None:
        super().__init__("cpu")
        self.layer, self.number = layer, number

    def get(self, _weights: str) -> FeatureNetwork:
        network = random_network(seed=1, width=4)
        whole = {
            name: (network.get_buffer(f"{name}_weight"), network.get_buffer(f"{name}_bias")) for name in network.layers
        }
        weight, bias = (tensor.clone() for tensor in whole[self.layer])
        weight[0, 0, 1, 1] = self.number
        return FeatureNetwork({**whole, self.layer: (weight, bias)}, vgg_steps((2, 2, 4, 4, 4)), CAFFE, "broken")


def request(kind: str) -> HarmonizeRequest:
    white = 1.0 if kind == "float32" else float(np.iinfo(kind).max)
    noise = np.random.default_rng(2).random((2, 48, 48, 3))
    mask = np.zeros((48, 48), np.uint8)
    mask[14:34, 14:34] = 255
    composite = np.where(mask[..., None] > 0, noise[1], noise[0])
    pictures = [to_pixels((white * picture).astype(kind)) for picture in (noise[0], composite)]
    return HarmonizeRequest(*pictures, to_pixels(mask), parameters=Parameters(size=48, iterations=4))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("layer", ["relu1_1", "relu3_1", "relu4_1"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_network_that_computes_no_numbers_gives_no_picture(kind: str, layer: str, number: float) -> None:
    with caught(ErrorCode.NOT_FINITE) as error:
        run_request(request(kind), BrokenNetwork(layer, number), SILENT)
    assert error.value.advice and error.value.sentence.startswith("The calculation failed: its numbers are not finite")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_losses_must_be_numbers(number: float) -> None:
    check_losses({"gram": 1e30, "content": 0.0})
    with caught(ErrorCode.NOT_FINITE):
        check_losses({"gram": 1.0, "content": number})


@pytest.mark.parametrize("x", [-1, 1])
def test_a_result_must_lie_in_its_painting(x: int) -> None:
    whole = jobs.request()
    check_result(Result("1", 0, 0, jobs.flat(3, 0)), whole)
    for misfit in (Result("1", x, 0, jobs.flat(3, 0)), Result("1", 0, 0, jobs.flat(1, 0))):
        with pytest.raises(TypeError):
            check_result(misfit, whole)


def test_a_layer_is_given_to_whoever_asked_for_one_and_to_nobody_else() -> None:
    plain, layered = jobs.request(), dataclasses.replace(jobs.request(), as_layer=True)
    check_result(Result("1", 0, 0, jobs.flat(4, 0)), layered)
    for channels, request in ((3, layered), (4, plain)):
        with pytest.raises(TypeError):
            check_result(Result("1", 0, 0, jobs.flat(channels, 0)), request)
