"""From "this phase is so far" to "the job is so far, and takes so much longer"."""

from __future__ import annotations

from collections.abc import Mapping

from painterly_protocol.messages import Phase
from painterly_protocol.request import DEFAULT_METHOD, Parameters

# Each phase's share of a job's seconds, about: the passes dominate, and long ones more than short ones.
SHARES = {
    Phase.LOADING: 0.02,
    Phase.PREPARING: 0.02,
    Phase.PASS_ONE: 0.40,
    Phase.MATCHING: 0.06,
    Phase.PASS_TWO: 0.40,
    Phase.FINISHING: 0.10,
}
# The other methods have but one pass.
ONE_PASS = {Phase.LOADING: 0.02, Phase.PREPARING: 0.02, Phase.PASS_ONE: 0.92, Phase.FINISHING: 0.04}
ALMOST = 0.999  # 1 is the Result's
TELLING = 0.03  # below this fraction, a forecast would be noise


def shares_of(parameters: Parameters) -> Mapping[Phase, float]:
    """Of the phases of a job."""
    return SHARES if parameters.method == DEFAULT_METHOD else ONE_PASS


class OverallProgress:
    """Fraction of the whole job, never decreasing, and a forecast. Clocks are seconds of any monotone clock."""

    def __init__(self, started: float, shares: Mapping[Phase, float] = SHARES) -> None:
        self._started, self._shares = started, shares
        self._fraction = 0.0

    def advance(self, phase: Phase, fraction: float) -> float:
        """The job's fraction, now that ``fraction`` of ``phase`` is done; NaN and values beyond 0 to 1 do no harm."""
        phases = list(Phase)
        before = sum(self._shares.get(earlier, 0.0) for earlier in phases[: phases.index(phase)])
        within = min(max(fraction, 0.0), 1.0) if fraction == fraction else 0.0
        self._fraction = max(self._fraction, min(before + self._shares.get(phase, 0.0) * within, ALMOST))
        return self._fraction

    def seconds_left(self, clock: float) -> float | None:
        if self._fraction < TELLING:
            return None
        return (clock - self._started) * (1.0 - self._fraction) / self._fraction
