"""The queue: whose turn it is, and how much may wait."""

from __future__ import annotations

import time

import pytest

from painterly_engine.service.jobs import PATIENCE, Job, JobQueue, Room
from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.listener import Peer
from painterly_protocol.messages import Priority, Submit
from support import jobs


def job(name: str, client: str = "a", priority: Priority = Priority.NORMAL, key: str = "") -> Job:
    submit = Submit(name, jobs.request(), priority)
    return Job(Peer(client.encode(), key), submit, wire.encode(submit))


def queue_of(*waiting: Job, room: Room | None = None) -> JobQueue:
    queue = JobQueue(room or Room())
    for each in waiting:
        queue.add(each)
    return queue


def played(queue: JobQueue) -> list[str]:
    """Run everything that waits; what ran, in order. At each step the order that was told must be kept."""
    ran: list[str] = []
    while queue:
        expected = queue.waiting
        assert queue.length == len(expected)
        started = queue.start_next()
        assert started is expected[0]
        assert queue.waiting == expected[1:]
        ran.append(started.job_id)
        queue.finish(started)
    return ran


def test_first_in_first_out_one_at_a_time() -> None:
    first, second, third = job("1"), job("2"), job("3")
    queue = queue_of(first, second, third)
    assert queue.start_next() is first
    assert queue.running == [first]
    assert queue.waiting == (second, third)
    assert queue.everyone() == (first, second, third)
    queue.finish(first)
    assert queue.start_next() is second


def test_as_many_run_as_are_asked_for_and_end_in_any_order() -> None:
    first, second, third = job("1"), job("2", "b"), job("3")
    queue = queue_of(first, second, third)
    assert [queue.start_next(), queue.start_next()] == [first, second]
    queue.finish(second)
    assert queue.everyone() == (first, third)
    assert queue.start_next() is third
    assert queue.start_next() is None
    queue.finish(third)
    queue.finish(first)
    assert not queue


def test_two_jobs_put_back_go_before_all_others_in_the_order_they_were_lost() -> None:
    first, second = job("1"), job("2")
    queue = queue_of(first, second, job("3", priority=Priority.PREVIEW))
    preview = queue.start_next()
    assert preview is not None
    queue.finish(preview)
    queue.start_next()
    queue.start_next()
    queue.add(job("4", "b", Priority.PREVIEW))
    queue.put_back(second)
    queue.put_back(first)
    assert played(queue) == ["2", "1", "4"]


def test_the_order_of_a_thousand_jobs_is_told_at_once() -> None:
    """It is told whenever a job comes or goes."""
    waiting = [job(str(n), f"client {n % 7}", list(Priority)[n % 3]) for n in range(1000)]
    queue = queue_of(*waiting, room=Room(jobs=1000, of_one=1000))
    began = time.thread_time()
    assert len(queue.waiting) == 1000
    assert time.thread_time() - began < 0.5, "it used to be seconds"


def test_clients_take_turns_each_in_its_own_order() -> None:
    queue = queue_of(job("a1"), job("a2"), job("a3"), job("b1", "b"), job("b2", "b"), job("c1", "c"))
    assert played(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_comes_late_does_not_wait_for_all_of_another_clients_jobs() -> None:
    queue = queue_of(*(job(f"a{n}") for n in range(5)))
    running = queue.start_next()
    assert running is not None
    queue.add(job("b", "b"))
    queue.finish(running)
    assert played(queue)[0] == "b"


def test_the_holder_of_a_key_has_one_share_however_many_connections() -> None:
    queue = queue_of(job("x1", "1", key="ada"), job("x2", "2", key="ada"), job("x3", "3", key="ada"), job("y", "4"))
    assert played(queue) == ["x1", "y", "x2", "x3"]


def test_previews_come_before_batches() -> None:
    batch, normal, preview = (
        job(each.value, each.value, each) for each in (Priority.BATCH, Priority.NORMAL, Priority.PREVIEW)
    )
    assert played(queue_of(batch, normal, preview)) == ["preview", "normal", "batch"]


def test_nobody_is_overtaken_for_ever() -> None:
    previews = [job(f"p{n}", f"p{n}", Priority.PREVIEW) for n in range(2 * PATIENCE)]
    ran = played(queue_of(job("b1", "b", Priority.BATCH), job("b2", "b", Priority.BATCH), *previews))
    assert [ran.index("b1"), ran.index("b2")] == [PATIENCE, 2 * PATIENCE + 1]


def test_a_full_queue_refuses_and_keeps_what_it_has() -> None:
    queue = queue_of(job("1"), room=Room(jobs=1))
    with pytest.raises(PainterlyError) as caught:
        queue.add(job("2", "b"))
    assert caught.value.code is ErrorCode.QUEUE_FULL
    assert [each.job_id for each in queue.waiting] == ["1"]
    queue.start_next()
    queue.add(job("2"))  # the running one does not count


def test_one_client_cannot_fill_the_queue() -> None:
    queue = queue_of(job("1"), job("2"), room=Room(of_one=2))
    with pytest.raises(PainterlyError) as caught:
        queue.add(job("3"))
    assert caught.value.code is ErrorCode.QUEUE_FULL
    queue.add(job("3", "b"))


def test_what_waits_is_bounded_in_bytes_but_one_job_always_may() -> None:
    queue = queue_of(job("1"), room=Room(size=1))
    with pytest.raises(PainterlyError):
        queue.add(job("2"))


def test_a_job_put_back_is_next_whatever_else_waits() -> None:
    first = job("1", priority=Priority.BATCH)
    queue = queue_of(first)
    queue.start_next()
    queue.add(job("2", "b", Priority.PREVIEW))
    queue.put_back(first)
    assert queue.running == []
    assert queue.find("1") is first
    assert played(queue) == ["1", "2"]


def test_a_job_put_back_can_be_removed() -> None:
    first = job("1")
    queue = queue_of(first)
    queue.start_next()
    queue.put_back(first)
    queue.remove_waiting(queue.waiting[0])
    assert not queue


def test_jobs_are_found_waiting_and_running_but_not_when_removed() -> None:
    first, second = job("1"), job("2")
    queue = queue_of(first, second)
    queue.start_next()
    assert queue.find("1") is first
    assert queue.find("2") is second
    queue.remove_waiting(second)
    queue.finish(first)
    assert queue.find("1") is None
    assert queue.find("2") is None
    assert queue.start_next() is None
    assert not queue
