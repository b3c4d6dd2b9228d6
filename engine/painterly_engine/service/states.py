"""The engine's life as one table: in which state, after which event, it is in which state."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import Enum

from painterly_engine.service.log import event
from painterly_protocol.messages import EngineState

_log = logging.getLogger(__name__)


class Event(str, Enum):
    WORKER_STARTS = "worker-starts"
    WORKER_READY = "worker-ready"
    WORKER_UNFIT = "worker-unfit"  # it could not start, or died or hung before it was ready
    JOB_STARTS = "job-starts"
    JOB_ENDS = "job-ends"  # in whatever way; also when its worker is gone
    STOP = "stop"  # a signal, a Shutdown, idleness


_STATE = EngineState
TABLE: Mapping[EngineState, Mapping[Event, EngineState]] = {
    _STATE.STARTING: {
        Event.WORKER_STARTS: _STATE.STARTING,
        Event.WORKER_READY: _STATE.READY,
        Event.WORKER_UNFIT: _STATE.FAILED,
        Event.STOP: _STATE.DRAINING,
    },
    _STATE.READY: {
        Event.WORKER_STARTS: _STATE.STARTING,
        Event.JOB_STARTS: _STATE.BUSY,
        Event.STOP: _STATE.DRAINING,
    },
    _STATE.BUSY: {
        Event.JOB_ENDS: _STATE.READY,
        Event.STOP: _STATE.DRAINING,
    },
    _STATE.FAILED: {
        Event.WORKER_STARTS: _STATE.STARTING,
        Event.STOP: _STATE.DRAINING,
    },
    _STATE.DRAINING: {
        Event.JOB_ENDS: _STATE.DRAINING,
        Event.STOP: _STATE.DRAINING,
    },
}
"""ABSENT has no row: it is what there is before STARTING and after DRAINING."""


class Lifecycle:
    """Where the engine is in ``TABLE``."""

    def __init__(self) -> None:
        self.state = EngineState.STARTING

    def happen(self, what: Event) -> None:
        """Raises KeyError for what cannot happen in this state: a defect of ours."""
        before, self.state = self.state, TABLE[self.state][what]
        if self.state is not before:
            event(_log, "state", state=self.state.value, before=before.value, why=what.value)
