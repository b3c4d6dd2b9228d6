"""What can be chosen when the engine starts."""

from __future__ import annotations

from dataclasses import dataclass, field

from painterly_engine.service.accounts import Quota
from painterly_engine.service.jobs import Room
from painterly_engine.service.limits import Limits
from painterly_engine.service.pool import Bounds
from painterly_engine.service.runner import DEFAULT_FACTORY


@dataclass(frozen=True)
class Settings:
    """
    Attributes:
        room: how much may wait.
        limits: what one job may ask for.
        quota: what one user may have in an hour.
        cancel_grace_s: how long a worker may go on after a cancel before it is killed.
        start_s: how long a worker may import and load before it counts as hung and is killed.
        stall_s: how long a worker may say nothing about its job before it counts as hung and is killed.
        idle_unload_s: end the worker, and with it the network in memory, after so long without a job; None: never.
        idle_exit_s: end after so long without a job or a message; None: never.
        runner: what the workers run, see ``runner``.
        workers: how many.
        devices: graphics cards of this machine, as CUDA counts them, that the workers share out; none: each worker sees
            them all.
    """

    room: Room = field(default_factory=Room)
    limits: Limits = field(default_factory=Limits)
    quota: Quota = field(default_factory=Quota)
    cancel_grace_s: float = 10.0
    start_s: float = 120.0
    stall_s: float = 900.0
    idle_unload_s: float | None = 900.0
    idle_exit_s: float | None = None
    runner: str = DEFAULT_FACTORY
    workers: Bounds = field(default_factory=Bounds)
    devices: tuple[str, ...] = ()
