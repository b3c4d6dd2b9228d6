"""The real browser for the tests in here."""

from __future__ import annotations

import os

import pytest

from support.browser_build import Browser, BrowserAbsentError, find_browser


@pytest.fixture(scope="session")
def browser() -> Browser:
    """Chromium; without one the test is skipped, or fails where ``PAINTERLY_REQUIRE_BROWSER=1`` asks for one."""
    try:
        return find_browser()
    except BrowserAbsentError as error:
        if os.environ.get("PAINTERLY_REQUIRE_BROWSER") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
