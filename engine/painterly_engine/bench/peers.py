"""What others need for the same work, as they published it or as it was measured of them, for comparison."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """
    Attributes:
        name: whose.
        size: longest side in pixels.
        seconds: of a whole run.
        memory: bytes at the peak, None where not known.
        how: what was run, and where.
    """

    name: str
    size: int
    seconds: float
    memory: int | None
    how: str


GB = 10**9
TWO_CORES = "1000 + 1000 iterations from its measured seconds per iteration, pair 0, 2 cores"

PEERS = (
    Peer(
        "most complete PyTorch port",
        256,
        18 * 60,
        int(1.4 * GB),
        f"{TWO_CORES}; 0.46 s an iteration, 20 s matching; 9.9 GB with its histogram loss",
    ),
    Peer("most complete PyTorch port", 384, 38 * 60, None, f"{TWO_CORES}; 1.12 s an iteration"),
    Peer("notebook port", 256, 59 * 60, int(3.9 * GB), f"{TWO_CORES}; 0.61 s (pass 1) and 2.9 s (pass 2) an iteration"),
    Peer("project report", 600, 4 * 60 + 21, None, "a Colab GPU, below 600 px; out of memory above"),
    Peer("ProPIH, feed-forward", 256, 1.0, None, "one forward pass, 2 cores"),
    Peer("ProPIH, feed-forward", 512, 6.2, None, "one forward pass, 2 cores; cannot go higher"),
)
