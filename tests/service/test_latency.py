"""How soon the engine answers while it computes: the real algorithm with the built-in network on this machine's CPU."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from painterly_engine.service.runner import DEFAULT_FACTORY
from painterly_protocol.client import EngineClient
from painterly_protocol.errors import ErrorCode
from painterly_protocol.messages import Failure, Progress, Result
from painterly_protocol.request import HarmonizeRequest
from support import vgg_runner
from support.processor import is_at_rest
from support.real_engine import RealEngine, outcome, worker_pid
from support.real_jobs import picture

LONG_PX = 1024
STATUS_P99_S = 0.02
SLOWER = 10  # of short runs, and on a machine that is not at rest, only the order can be judged
LONGEST_JOB_S = 3600.0


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))]


@pytest.mark.parametrize(
    ("runner", "size", "times", "cancel_p99_s"),
    [
        (DEFAULT_FACTORY, 128, 4, 0.3),
        pytest.param(DEFAULT_FACTORY, LONG_PX, 10, 0.3, marks=pytest.mark.long),
        pytest.param(vgg_runner.FACTORY, LONG_PX, 5, 1.5, marks=pytest.mark.long),
    ],
)
def test_cancels_and_questions_are_answered_while_a_job_runs(
    tmp_path: Path, runner: str, size: int, times: int, cancel_p99_s: float, record_property: pytest.RecordProperty
) -> None:
    """Cancels at moments spread evenly over a whole job, all its phases included."""
    at_rest = size == LONG_PX and is_at_rest()
    cancels: list[float] = []
    answers: list[float] = []
    request = picture(size, 2)
    with RealEngine(tmp_path, runner=runner) as engine, engine.connect() as client:
        outcome(client, client.submit(picture(64, 1)), LONGEST_JOB_S)  # warm
        began = time.monotonic()
        outcome(client, client.submit(request), LONGEST_JOB_S)
        whole = time.monotonic() - began
        warm = worker_pid(client)
        phases = []
        for number in range(times):
            moment = whole * (number + 0.5) / times
            phase, seconds = _cancelled_after(client, request, moment, answers)
            if phase != "ended":
                cancels.append(seconds)
                phases.append(phase)
            assert worker_pid(client) == warm, "still warm"
    assert cancels
    figures = {
        "job_s": round(whole, 1),
        "cancel_ms_p50": round(1000 * percentile(cancels, 0.5)),
        "cancel_ms_p99": round(1000 * percentile(cancels, 0.99)),
        "status_ms_p50": round(1000 * percentile(answers, 0.5), 1),
        "status_ms_p99": round(1000 * percentile(answers, 0.99), 1),
        "questions": len(answers),
        "by_phase": [f"{phase} {1000 * seconds:.0f}" for phase, seconds in zip(phases, cancels, strict=True)],
    }
    record_property("figures", figures)
    print(f"{size} px, {runner.partition(':')[0]}, {times} cancels: {figures}")
    if at_rest and is_at_rest():  # still
        assert percentile(cancels, 0.99) < cancel_p99_s
        assert percentile(answers, 0.99) < STATUS_P99_S
    assert percentile(cancels, 0.5) < SLOWER * cancel_p99_s
    assert percentile(answers, 0.5) < SLOWER * STATUS_P99_S


def _cancelled_after(
    client: EngineClient, request: HarmonizeRequest, moment_s: float, answers: list[float]
) -> tuple[str, float]:
    """The phase that a cancel so long after the submit hits, and the seconds until it is confirmed.

    Status answers are timed meanwhile. The phase of a job that ends before its moment is "ended".
    """
    began = time.monotonic()
    job_id, phase, ended = client.submit(request), "", False
    while time.monotonic() - began < moment_s and not ended:
        asked = time.perf_counter()
        client.status(30)
        answers.append(time.perf_counter() - asked)
        for message in client.events(0.05):
            phase = message.phase.value if isinstance(message, Progress) else phase
            ended = ended or isinstance(message, Result | Failure)
    if ended:
        return "ended", 0.0
    asked = time.perf_counter()
    client.cancel(job_id)
    how = outcome(client, job_id)
    assert isinstance(how, Failure)
    assert how.code == ErrorCode.CANCELLED.value
    return phase, time.perf_counter() - asked
