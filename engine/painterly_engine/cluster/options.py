"""Where the cluster is and what each of its workers gets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class ClusterOptions:
    """
    Attributes:
        address: of the cluster: ``auto``, HOST:PORT or ray://HOST:PORT; None: one of its own on this machine.
        gpus, cpus: that each worker takes of its node.
        memory: bytes that it may take; None: not counted.
        runner: see ``service.runner``.
        device: what the actors compute on, see ``device``; None: what their node says, or the best there is.
        store: bytes of a cluster of its own's object store.
    """

    address: str | None = None
    gpus: float = 0.0
    cpus: float = 1.0
    memory: int | None = None
    runner: str = ""
    device: str | None = None
    store: int = 500 * 10**6

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ClusterOptions:
        return cls(**json.loads(text))
