"""The whole job's fraction and forecast, from phases and their fractions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from painterly_engine.service.overall import SHARES, OverallProgress
from painterly_protocol.messages import Phase


def test_every_phase_has_its_share_and_they_are_in_order() -> None:
    assert list(SHARES) == list(Phase)
    assert sum(SHARES.values()) == pytest.approx(1.0)


@given(st.lists(st.tuples(st.sampled_from(Phase), st.floats())))
def test_never_falls_never_reaches_one_whatever_comes(reports: list[tuple[Phase, float]]) -> None:
    overall = OverallProgress(0.0)
    told = [overall.advance(phase, fraction) for phase, fraction in reports]
    assert told == sorted(told)
    assert all(0 <= fraction < 1 for fraction in told)


def test_a_phase_counts_for_its_share() -> None:
    overall = OverallProgress(0.0)
    before = SHARES[Phase.LOADING] + SHARES[Phase.PREPARING]
    assert overall.advance(Phase.PASS_ONE, 0.0) == pytest.approx(before)
    assert overall.advance(Phase.PASS_ONE, 0.5) == pytest.approx(before + SHARES[Phase.PASS_ONE] / 2)
    assert overall.advance(Phase.PASS_ONE, math.nan) == pytest.approx(before + SHARES[Phase.PASS_ONE] / 2)


def test_the_forecast_is_proportional_and_silent_at_first() -> None:
    overall = OverallProgress(100.0)
    overall.advance(Phase.LOADING, 0.5)
    assert overall.seconds_left(101.0) is None
    fraction = overall.advance(Phase.PASS_ONE, 0.5)
    assert overall.seconds_left(110.0) == pytest.approx(10.0 / fraction - 10.0)
