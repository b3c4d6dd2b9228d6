"""The queue and the kept outcomes, as plain data."""

from __future__ import annotations

import pytest

from painterly_engine.service.jobs import Job, JobQueue, Outcomes
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Failure, Result, Submit
from support import jobs

BYTES = jobs.WIDTH * jobs.HEIGHT * 3


def job(name: str) -> Job:
    return Job(b"client", Submit(name, jobs.request()))


def result(name: str) -> Result:
    return Result(name, 0, 0, jobs.flat(3, 0))


def test_first_in_first_out_one_at_a_time() -> None:
    queue = JobQueue(capacity=3)
    first, second, third = job("1"), job("2"), job("3")
    for each in (first, second, third):
        queue.add(each)
    assert queue.start_next() is first
    assert queue.start_next() is None, "one is running"
    assert [queue.position(each) for each in (second, third)] == [0, 1]
    assert queue.everyone() == (first, second, third)
    queue.finish()
    assert queue.start_next() is second


def test_a_full_queue_refuses_and_keeps_what_it_has() -> None:
    queue = JobQueue(capacity=1)
    queue.add(job("1"))
    with pytest.raises(PainterlyError) as caught:
        queue.add(job("2"))
    assert caught.value.code is ErrorCode.QUEUE_FULL
    assert [each.job_id for each in queue.waiting] == ["1"]
    queue.start_next()
    queue.add(job("2"))  # the running one does not count


def test_jobs_are_found_waiting_and_running_but_not_when_removed() -> None:
    queue = JobQueue(capacity=3)
    first, second = job("1"), job("2")
    queue.add(first)
    queue.add(second)
    queue.start_next()
    assert queue.find("1") is first
    assert queue.find("2") is second
    queue.remove_waiting(second)
    queue.finish()
    assert queue.find("1") is None
    assert queue.find("2") is None
    assert queue.start_next() is None


def test_outcomes_are_kept_by_id() -> None:
    outcomes = Outcomes()
    assert outcomes.get("1") is None
    outcomes.keep(result("1"))
    failure = Failure("2", "internal", "No.")
    outcomes.keep(failure)
    assert outcomes.get("1") == result("1")
    assert outcomes.get("2") is failure


@pytest.mark.parametrize("limits", [{"count": 2}, {"max_bytes": 2 * BYTES}, {"max_bytes": 3 * BYTES - 1}])
def test_old_outcomes_make_room_but_their_jobs_never_run_again(limits: dict[str, int]) -> None:
    outcomes = Outcomes(**limits)
    for name in ("1", "2", "3"):
        outcomes.keep(result(name))
    forgotten = outcomes.get("1")
    assert isinstance(forgotten, Failure)
    assert forgotten.job_id == "1"
    assert isinstance(outcomes.get("2"), Result)
    assert isinstance(outcomes.get("3"), Result)


def test_an_outcome_larger_than_all_room_is_only_remembered() -> None:
    outcomes = Outcomes(max_bytes=BYTES - 1)
    outcomes.keep(result("1"))
    assert isinstance(outcomes.get("1"), Failure)


def test_memory_of_ids_is_bounded() -> None:
    outcomes = Outcomes(count=1, remembered=2)
    for name in "12345":
        outcomes.keep(result(name))
    assert [outcomes.get(name) is None for name in "12345"] == [True, True, False, False, False]
