"""What has happened since the engine started, in numbers, for ``painterly status`` and ``painterly metrics``."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence

RECENT = 512  # jobs that the percentiles are of


class Tally:
    def __init__(self) -> None:
        self._ended: Counter[str] = Counter()
        self._waited: deque[float] = deque(maxlen=RECENT)
        self._ran: deque[float] = deque(maxlen=RECENT)
        self._waited_sum = self._ran_sum = 0.0
        self.refused = 0  # messages
        self.retried = 0  # jobs
        self.workers = 0  # started

    def started(self, waited_s: float) -> None:
        self._waited.append(waited_s)
        self._waited_sum += waited_s

    def ended(self, how: str, ran_s: float | None) -> None:
        """``how`` is "done" or an error code; ``ran_s`` None for a job that never ran."""
        self._ended[how] += 1
        if ran_s is not None:
            self._ran.append(ran_s)
            self._ran_sum += ran_s

    def numbers(self) -> Mapping[str, object]:
        """msgpack-plain. Seconds, of the last ``RECENT`` jobs for percentiles."""
        return {
            "jobs_ended": dict(self._ended),
            "jobs_retried": self.retried,
            "messages_refused": self.refused,
            "workers_started": self.workers,
            "waited_s": {**_percentiles(self._waited), "sum": round(self._waited_sum, 3)},
            "ran_s": {**_percentiles(self._ran), "sum": round(self._ran_sum, 3)},
        }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {name: round(ordered[int(share * (len(ordered) - 1))], 4) for name, share in (("p50", 0.5), ("p99", 0.99))}
