"""The plug-in in a real GIMP, the algorithm in an actor on a Ray cluster: what GIMP inserts is what this machine's own
worker computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from painterly_engine.service.runner import DEFAULT_FACTORY
from painterly_protocol.messages import Result
from painterly_protocol.pixels import Pixels, SampleType
from painterly_protocol.request import HarmonizeRequest, Parameters
from support.gimp_cases import HARMONIZE, Outcome
from support.gimp_house import GimpHouse
from support.gimp_window import PATIENCE
from support.ray_cluster import RayCluster
from support.real_engine import RealEngine, outcome

pytest.importorskip("ray", reason="Ray is not installed: pip install 'painterly-harmonize[cluster]'")

WIDTH, HEIGHT = 96, 80
SCENE = """
image = new_image(width, height)
add_layer(image, "painting", (width, height), painting)
layers = [add_layer(image, "guest", (width, height), composite)]
select(image, mask)
options = {"preset": "draft", "size": 96, "iterations": 3, "weights": "slim", "seed": 5}
"""


def _pictures() -> dict[str, bytes]:
    """A guest of one colour in noise: RGBA, RGBA, coverage."""
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    painting = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    painting[..., :3] = np.kron(noise, np.ones((8, 8, 1), np.uint8))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:60, 30:70] = 255
    composite = np.where(mask[..., None] > 0, np.uint8([200, 40, 30, 255]), painting)
    return {"painting": painting.tobytes(), "composite": composite.tobytes(), "mask": mask.tobytes()}


def _request(pictures: dict[str, bytes]) -> HarmonizeRequest:
    def rgb(data: bytes) -> Pixels:
        samples = np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 4)[..., :3].tobytes()
        return Pixels(HEIGHT, WIDTH, 3, SampleType.UINT8, samples)

    mask = Pixels(HEIGHT, WIDTH, 1, SampleType.UINT8, pictures["mask"])
    parameters = Parameters(preset="draft", size=96, iterations=3, weights="slim", seed=5)
    return HarmonizeRequest(
        rgb(pictures["painting"]), rgb(pictures["composite"]), mask, parameters=parameters, as_layer=True
    )


def test_what_an_actor_paints_arrives_in_gimp(
    gimp_house: GimpHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pictures = _pictures()
    with RayCluster(nodes=1, cpus=1) as cluster, gimp_house.profile() as profile:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        with RealEngine(profile.folder, *cluster.options, runner=DEFAULT_FACTORY) as engine:
            done = profile.run(SCENE + HARMONIZE, timeout=4 * PATIENCE, width=WIDTH, height=HEIGHT, **pictures)
            assert done["status"] == "success", done["message"]
            Outcome(done, engine=None).check_done("guest")  # type: ignore[arg-type]
            assert [event["outcome"] for event in engine.events("job-ends")] == ["done"]
            assert engine.events("worker-ready")[0]["machine"], "an actor's, not a process of this engine"
    with RealEngine(tmp_path, runner=DEFAULT_FACTORY) as engine, engine.connect() as client:
        near = outcome(client, client.submit(_request(pictures)))
    assert isinstance(near, Result)
    layer, made = done["layer"], near.picture
    assert (layer["offsets"], layer["size"]) == ([near.x, near.y], [made.width, made.height])
    painted = bytes(made.data)
    assert layer["coverage"] == painted[3::4]
    assert [layer["rgba"][k::4] for k in range(3)] == [painted[k::4] for k in range(3)]
