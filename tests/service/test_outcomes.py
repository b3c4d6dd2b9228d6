"""How jobs ended, kept for those who ask again."""

from __future__ import annotations

import pytest

from painterly_engine.service.outcomes import Outcome, Outcomes
from painterly_protocol import wire
from painterly_protocol.listener import Peer
from painterly_protocol.messages import Failure, Result
from support import jobs

ADA = Peer(b"connection", "ada")


def ended(name: str) -> Outcome:
    return Outcome(name, ADA, b"print", wire.encode(Result(name, 0, 0, jobs.flat(3, 0))))


SIZE = ended("1").size


def is_kept(outcomes: Outcomes, name: str) -> bool:
    found = outcomes.get(name)
    assert found is not None
    assert (found.client, found.fingerprint) == (ADA, b"print")
    message = wire.decode(found.frames)
    assert isinstance(message, Result | Failure)
    assert message.job_id == name
    return isinstance(message, Result)


def test_outcomes_are_kept_by_id() -> None:
    outcomes = Outcomes()
    assert outcomes.get("1") is None
    first = ended("1")
    outcomes.keep(first)
    assert outcomes.get("1") is first
    assert outcomes.get("2") is None


@pytest.mark.parametrize("limits", [{"count": 2}, {"max_bytes": 2 * SIZE}, {"max_bytes": 3 * SIZE - 1}])
def test_old_outcomes_make_room_but_their_jobs_never_run_again(limits: dict[str, int]) -> None:
    outcomes = Outcomes(**limits)
    for name in ("1", "2", "3"):
        outcomes.keep(ended(name))
    assert [is_kept(outcomes, name) for name in "123"] == [False, True, True]


def test_an_outcome_larger_than_all_room_is_only_remembered() -> None:
    outcomes = Outcomes(max_bytes=SIZE - 1)
    outcomes.keep(ended("1"))
    assert not is_kept(outcomes, "1")


def test_memory_of_ids_is_bounded() -> None:
    outcomes = Outcomes(count=1, remembered=2)
    for name in "12345":
        outcomes.keep(ended(name))
    assert [outcomes.get(name) is None for name in "12345"] == [True, True, False, False, False]
