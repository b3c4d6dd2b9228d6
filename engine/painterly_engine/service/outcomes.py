"""How the last jobs ended, so that one submitted again after its end gets its answer and never runs twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from painterly_protocol import wire
from painterly_protocol.errors import ErrorCode
from painterly_protocol.listener import Peer
from painterly_protocol.messages import Failure


@dataclass(frozen=True)
class Outcome:
    """
    Attributes:
        client: who has been told; others with the same key may ask, nobody else.
        fingerprint: of the Submit; another job under the same id is another job.
        frames: the Result or Failure, as the client gets it.
    """

    job_id: str
    client: Peer
    fingerprint: bytes
    frames: Sequence[wire.Buffer]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(memoryview(frame).nbytes for frame in self.frames)


class Outcomes:
    """Keeps at most ``count`` outcomes and ``max_bytes`` of them; of older jobs only ``remembered`` ids."""

    def __init__(self, count: int = 32, max_bytes: int = 256 * 2**20, remembered: int = 4096) -> None:
        self._count, self._max_bytes, self._remembered = count, max_bytes, remembered
        self._kept: OrderedDict[str, Outcome] = OrderedDict()
        self._forgotten: OrderedDict[str, Outcome] = OrderedDict()

    def keep(self, outcome: Outcome) -> None:
        self._kept[outcome.job_id] = outcome
        while len(self._kept) > self._count or sum(kept.size for kept in self._kept.values()) > self._max_bytes:
            job_id, old = self._kept.popitem(last=False)
            self._forgotten[job_id] = Outcome(job_id, old.client, old.fingerprint, _forgotten(job_id))
        while len(self._forgotten) > self._remembered:
            self._forgotten.popitem(last=False)

    def get(self, job_id: str) -> Outcome | None:
        """The outcome, or a Failure that says it is no longer kept, or None for a job never ended here."""
        return self._kept.get(job_id) or self._forgotten.get(job_id)


def _forgotten(job_id: str) -> Sequence[wire.Buffer]:
    return wire.encode(
        Failure(
            job_id,
            ErrorCode.BAD_REQUEST.value,
            "This job has already run, and its result is no longer kept.",
            "Submit it as a new job.",
        )
    )
