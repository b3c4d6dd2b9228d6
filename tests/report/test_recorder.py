"""What the recorder keeps of what it hears, and that whoever listened before still hears it all."""

from __future__ import annotations

import numpy as np
import torch

from painterly_engine.report.recorder import Recorder
from painterly_protocol.messages import Phase
from support import passes


class Inner(passes.Recorder):
    """Also notes the names of what is handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def intermediate(self, name: str, data: torch.Tensor) -> None:
        self.names.append(f"{name} {tuple(data.shape)}")


def test_everything_is_passed_on() -> None:
    inner = Inner()
    recorder = Recorder(inner)
    recorder.report(Phase.PASS_TWO, 0.5, iteration=3, iterations=9, losses={"style": 2.0})
    recorder.picture(lambda: torch.zeros(3, 2, 2))
    recorder.intermediate("loose mask", torch.zeros(2, 2))
    assert inner.phases == [Phase.PASS_TWO] and inner.iterations == [3] and inner.losses == [{"style": 2.0}]
    assert len(inner.pictures) == 1 and inner.names == ["loose mask (2, 2)"]


def test_losses_are_kept_with_phase_and_iteration() -> None:
    recorder = Recorder()
    recorder.report(Phase.PASS_ONE, 0.1, iteration=1, iterations=2, losses={"style": 2.0})
    recorder.report(Phase.PASS_ONE, 0.2, iteration=2, iterations=2)
    recorder.report(Phase.PASS_TWO, 0.1, iteration=1, iterations=2, losses={"style": 1.0})
    assert [(p.phase, p.iteration, p.values) for p in recorder.losses] == [
        ("pass-one", 1, {"style": 2.0}),
        ("pass-two", 1, {"style": 1.0}),
    ]


def test_shapes_decide_what_a_stage_is() -> None:
    recorder = Recorder()
    recorder.intermediate("picture", torch.tensor([-1.0, 0.5, 2.0]).view(3, 1, 1).expand(3, 2, 4))
    recorder.intermediate("broken", torch.full((3, 1, 1), torch.nan))
    recorder.intermediate("mask", torch.tensor([[True, False]]))
    recorder.intermediate("soft", torch.tensor([[0.0, 0.2]], dtype=torch.float64))
    recorder.intermediate("field", torch.full((2, 3, 3), 0.25, dtype=torch.float64))
    picture, broken, mask, soft, field = recorder.stages
    assert picture.kind == "picture" and picture.data.shape == (2, 4, 3)
    assert picture.data[0, 0].tolist() == [0, 128, 255] and broken.data.tolist() == [[[0, 0, 0]]]
    assert mask.kind == soft.kind == "mask" and mask.data.tolist() == [[255, 0]] and soft.data.tolist() == [[0, 51]]
    assert field.kind == "field" and field.data.dtype == np.float32 and (field.data == 0.25).all()


def test_a_stage_is_a_copy_of_that_moment() -> None:
    recorder, mask, field = Recorder(), torch.zeros(2, 2), torch.zeros(2, 2, 2)
    recorder.intermediate("mask", mask)
    recorder.intermediate("field", field)
    mask += 1
    field += 1
    assert all((stage.data == 0).all() for stage in recorder.stages)
