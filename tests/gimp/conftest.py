"""The real GIMP for every test in here."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.gimp_house import GimpAbsentError, GimpHouse, Profile, find_house

VERSIONS = ["3.0", *(["3.2"] if os.environ.get("PAINTERLY_GIMP_32") == "1" else [])]
_ran: dict[str, int] = {}


@pytest.fixture(scope="session", params=VERSIONS)
def gimp_house(request: pytest.FixtureRequest) -> GimpHouse:
    """GIMP 3; without one the test is skipped, or fails where ``PAINTERLY_REQUIRE_GIMP=1`` says it must be there."""
    try:
        return find_house(request.param)
    except GimpAbsentError as error:
        if os.environ.get("PAINTERLY_REQUIRE_GIMP") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def gimp_profile(gimp_house: GimpHouse) -> Iterator[Profile]:
    """A fresh profile with the plug-in and the installed configuration (its own runtime and log folders)."""
    with gimp_house.profile() as profile:
        yield profile


@pytest.fixture(scope="module")
def profile(gimp_house: GimpHouse) -> Iterator[Profile]:
    """A module's own, of a GIMP that starts the engine itself."""
    if not gimp_house.reaches_engine:
        pytest.skip("a GIMP in a plain chroot cannot start the engine outside it")
    with gimp_house.profile() as profile:
        yield profile


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "gimp_house" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.gimp)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield  # a skip raises here, and is not counted
    house = getattr(item, "funcargs", {}).get("gimp_house")
    if house is not None:
        _ran[house.version] = _ran.get(house.version, 0) + 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for version, count in sorted(_ran.items()):
        terminalreporter.write_line(f"{count} tests passed inside GIMP {version}")
