"""What the service's tests share: the pools of workers to run against."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from support.backends import LOCAL, Backend
from support.ray_cluster import RayCluster


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[RayCluster]:
    """One node; shared by the tests that do not kill it."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'painterly-harmonize[cluster]'")
    with RayCluster(nodes=1, cpus=4) as cluster:
        yield cluster


@pytest.fixture(scope="module", params=["local", "ray"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "local":
        yield LOCAL
        return
    cluster: RayCluster = request.getfixturevalue("ray_cluster")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        yield Backend("ray", cluster.options, cluster.log_dir)
