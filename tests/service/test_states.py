"""The engine's life is one table, and the table is whole."""

from __future__ import annotations

import pytest

from painterly_engine.service.clock import LONGEST_TURN_S, AwakeClock
from painterly_engine.service.states import TABLE, Event, Lifecycle
from painterly_protocol.messages import EngineState


def test_every_state_but_absent_has_a_row_and_can_be_reached() -> None:
    assert set(EngineState) - set(TABLE) == {EngineState.ABSENT}
    reached = {EngineState.STARTING} | {after for row in TABLE.values() for after in row.values()}
    assert reached == set(TABLE)


def test_the_engine_can_be_stopped_in_every_state() -> None:
    assert all(row[Event.STOP] is EngineState.DRAINING for row in TABLE.values())


@pytest.mark.parametrize(
    ("events", "states"),
    [
        ("worker-ready job-starts job-ends stop", "ready busy ready draining"),
        ("worker-unfit worker-starts worker-ready", "failed starting ready"),
        (
            "worker-ready job-starts job-ends worker-starts worker-ready job-starts",
            "ready busy ready starting ready busy",
        ),
        ("worker-ready job-starts stop job-ends", "ready busy draining draining"),
    ],
)
def test_lives(events: str, states: str) -> None:
    life = Lifecycle()
    assert life.state is EngineState.STARTING
    seen = []
    for event in events.split():
        life.happen(Event(event))
        seen.append(life.state.value)
    assert " ".join(seen) == states


def test_what_cannot_happen_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Lifecycle().happen(Event.JOB_ENDS)


def test_a_sleep_costs_nobody_patience() -> None:
    times = iter([100.0, 100.1, 4000.0, 4000.2])
    clock = AwakeClock(lambda: next(times))
    for _ in range(3):
        clock.tick()
    assert clock.now == pytest.approx(0.1 + LONGEST_TURN_S + 0.2)
