"""Every message of the protocol as a frozen dataclass. How they become frames is ``wire``'s business.

Client → engine: Hello, Submit, Cancel, StatusQuery, Shutdown.
Engine → client: Welcome, Queued, Progress, Preview, Result, Failure, Status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from painterly_protocol.pixels import Pixels
from painterly_protocol.request import HarmonizeRequest

PROTOCOL_VERSION = 3


class Phase(str, Enum):
    """What a running job is doing, in this order."""

    LOADING = "loading"  # reading weights
    PREPARING = "preparing"  # resizing, features of the painting
    PASS_ONE = "pass-one"
    MATCHING = "matching"
    PASS_TWO = "pass-two"
    FINISHING = "finishing"


class Priority(str, Enum):
    """Whose turn it is first; jobs of one priority take turns between clients."""

    PREVIEW = "preview"  # somebody looks at the screen and waits
    NORMAL = "normal"
    BATCH = "batch"  # nobody waits


class EngineState(str, Enum):
    ABSENT = "absent"  # what a client says of an engine that is not there; none ever says it of itself
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True)
class Hello:
    """A client's first message."""

    client: str  # "gimp-plug-in", "painterly-cli", …, for logs only


@dataclass(frozen=True)
class Welcome:
    """The engine's answer to Hello. Versions that differ end in a Failure with VERSION_MISMATCH instead."""

    engine_version: str
    pid: int


@dataclass(frozen=True)
class Submit:
    job_id: str  # made by the client: submitting the same id again never runs it twice
    request: HarmonizeRequest
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True)
class Cancel:
    job_id: str


@dataclass(frozen=True)
class StatusQuery:
    pass


@dataclass(frozen=True)
class Shutdown:
    """Stop the engine; running and queued jobs end in a Failure with CANCELLED."""


@dataclass(frozen=True)
class Queued:
    """Where the job waits; told again whenever it moves. After a Progress: the engine lost its worker, and begins the
    job anew."""

    job_id: str
    position: int  # 0: next to run


@dataclass(frozen=True)
class Progress:
    """``fraction`` is of the whole job, 0 to 1, never decreasing until a Queued; 1 is never sent before the Result."""

    job_id: str
    phase: Phase
    fraction: float
    seconds_left: float | None
    iteration: int = 0
    iterations: int = 0  # 0 where the phase does not iterate
    losses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Preview:
    """A small uint8 RGB picture of the whole canvas as it is now."""

    job_id: str
    picture: Pixels


@dataclass(frozen=True)
class Result:
    """The harmonized picture inside a box at (x, y); everything outside it is the painting's, bit for bit.

    ``picture`` has three channels and is what is to be seen. Where the request says ``as_layer`` it has four: the
    repainted object's colours and, as straight alpha, how much of them shows; blended with the painting as R'G'B' it is
    what is to be seen, as exactly as its samples can say it.
    ``metadata`` holds msgpack-plain values: network, layers, parameters as used, seconds per phase, warnings.
    """

    job_id: str
    x: int
    y: int
    picture: Pixels
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """The ERROR message: a stable code, a sentence, an advice. ``job_id`` is "" where no job is concerned."""

    job_id: str
    code: str
    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Status:
    """Answer to StatusQuery; ``details`` holds msgpack-plain values (device, network, worker pid, uptime, …)."""

    state: EngineState
    running: str | None
    queued: int
    details: Mapping[str, object] = field(default_factory=dict)


ClientMessage = Hello | Submit | Cancel | StatusQuery | Shutdown
EngineMessage = Welcome | Queued | Progress | Preview | Result | Failure | Status
Message = ClientMessage | EngineMessage
