"""What a running job is called in front of a painter."""

from __future__ import annotations

from painterly_protocol.messages import Phase

PHASE_TEXTS = {
    Phase.LOADING: "Loading the network",
    Phase.PREPARING: "Looking at the painting",
    Phase.PASS_ONE: "First pass: rough painting",
    Phase.MATCHING: "Finding matching brush strokes",
    Phase.PASS_TWO: "Second pass: fine painting",
    Phase.FINISHING: "Finishing the edges",
}


def time_left(seconds: float | None) -> str:
    """ "about 2 min left", coarse enough not to flicker; "" while nothing is known."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 5:
        return "a few seconds left"
    if seconds < 55:
        return f"about {5 * round(seconds / 5)} s left"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"about {minutes} min left"
    hours, minutes = divmod(minutes, 60)
    return f"about {hours} h {minutes:02d} min left"


def progress_text(phase: Phase, iteration: int, iterations: int) -> str:
    """ "First pass: rough painting, 12 of 50"; without the count where the phase does not iterate."""
    text = PHASE_TEXTS[phase]
    return f"{text}, {iteration} of {iterations}" if iterations else text


def queue_text(position: int) -> str:
    """What to show while other jobs run first."""
    if position == 0:
        return "Next in the queue"
    others = "1 other job comes" if position == 1 else f"{position} other jobs come"
    return f"Waiting: {others} first"
