"""A bound on what the worker may take, so that a job too large fails with a sentence, not the machine with it."""

from __future__ import annotations

import sys


def bound_memory(most: int) -> None:
    """Let this process hold ``most`` bytes of its own data; an allocation beyond fails as out of memory.

    Where the system knows no such bound (Windows) only a CUDA device is bounded. Of a device, ``most`` bytes, too.
    """
    if sys.platform != "win32":
        import resource

        # Not RLIMIT_AS: torch and CUDA map far more addresses than they ever use.
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        most_here = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most_here, hard))
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        share = most / torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, share))
