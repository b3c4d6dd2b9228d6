"""What a painter reads while waiting."""

from __future__ import annotations

import pytest

from painterly_plugin import wording
from painterly_protocol.messages import Phase


def test_every_phase_has_its_text() -> None:
    assert {wording.progress_text(phase, 0, 0) for phase in Phase} == set(wording.PHASE_TEXTS.values())
    assert len(set(wording.PHASE_TEXTS.values())) == len(Phase)


def test_iterations_are_counted_where_there_are_any() -> None:
    assert wording.progress_text(Phase.PASS_ONE, 12, 50).endswith(", 12 of 50")
    assert " of " not in wording.progress_text(Phase.MATCHING, 0, 0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-1.0, ""),
        (0.0, "a few seconds left"),
        (12.0, "about 10 s left"),
        (54.0, "about 55 s left"),
        (55.0, "about 1 min left"),
        (89.0, "about 1 min left"),
        (150.1, "about 3 min left"),
        (3599.0, "about 1 h 00 min left"),
        (2 * 3600 + 300, "about 2 h 05 min left"),
    ],
)
def test_time_left(seconds: float | None, text: str) -> None:
    assert wording.time_left(seconds) == text


def test_queue() -> None:
    assert wording.queue_text(0) == "Next in the queue"
    assert "1 other job comes" in wording.queue_text(1)
    assert "3 other jobs come" in wording.queue_text(3)


SLIM: dict[str, object] = {"name": "slim"}
GUESSED = "estimated from the painting's brushwork and colours, closest to Impressionism"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (
            {"network": SLIM, "stylization": {"value": 2.46, "reason": GUESSED}},
            f"“Cup” was painted with the network slim, stylization 2.46: {GUESSED}.",
        ),
        ({"network": SLIM}, "“Cup” was painted with the network slim."),
        ({"network": SLIM, "stylization": {"value": 0.0, "reason": "x"}}, "“Cup” was painted with the network slim."),
        ({"network": SLIM, "stylization": {"value": "2", "reason": 3}}, "“Cup” was painted with the network slim."),
        (
            {"network": SLIM, "stylization": {"value": 2, "reason": "x" * 999}},
            "“Cup” was painted with the network slim.",
        ),
        ({"network": "slim", "stylization": 3}, ""),
        ({"network": {"name": "x" * 999}}, ""),
        ({}, ""),
    ],
)
def test_what_a_result_was_made_with(result: dict[str, object], text: str) -> None:
    """As far as a note that came with an image can be believed."""
    assert wording.made_with("Cup", result) == text
