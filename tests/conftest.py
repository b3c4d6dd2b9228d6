"""What every room's tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import painterly_engine  # noqa: F401 (first: it tells OpenMP how to wait, which torch reads when it is loaded)

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"

# How long one example takes says nothing of the code where other programs have the processor.
settings.register_profile("drawn", deadline=None)
# A run judges what has changed, so its examples are those of the run before; the long ones look for new failures.
settings.register_profile("same", deadline=None, derandomize=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run soak, fuzz and cluster tests")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("drawn" if config.getoption("--long") else "same")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if "long" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="long run: install.py test --long"))


@pytest.fixture(autouse=True)
def _denormals_as_they_were() -> Iterator[None]:
    """The engine's processes flush denormal numbers; a test that runs their code must not do so to the next one."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the project (pairs, paintings, weights); its tests are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("the reference material ../shared is not here")
    return SHARED
