"""What a worker runs in the service's tests instead of the algorithm: each job says itself what is to happen.

The job's ``weights`` parameter is the script, words separated by spaces, taken in order:

=================  ===================================================================================================
``note:FILE``      append the worker's pid to FILE, a line each time
``hold:FILE``      report progress again and again until FILE exists: a long computation, which a cancel can leave
``deaf:FILE``      as ``hold``, without reporting: a computation that a cancel cannot leave
``for:SECONDS``    compute so long
``card``           say which graphics cards it sees
``phase:NAME``     report the beginning of this phase
``crash``          SIGKILL itself
``memory``         raise MemoryError
``bug``            raise a ZeroDivisionError
``empty``          raise a PainterlyError EMPTY_MASK
``hog:MEGABYTES``  take so much memory, and let go of it
``lost``           report a loss that is no number
``unplain``        return metadata that cannot travel
``outside``        return a picture that does not fit into the painting
=================  ===================================================================================================

Then the composite comes back whole, inverted if it is uint8.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from painterly_engine.progress import Observer
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Phase
from painterly_protocol.pixels import Pixels
from painterly_protocol.request import HarmonizeRequest

FACTORY = "support.scripted_runner:make_runner"
STILLBORN_FACTORY = "support.scripted_runner:make_nothing"
HANGING_FACTORY = "support.scripted_runner:make_after_hanging"
_INVERT = bytes(255 - value for value in range(256))


@dataclass(frozen=True)
class Scripted:
    x: int
    y: int
    picture: Pixels
    metadata: dict[str, object] = field(default_factory=dict)


def make_runner() -> Callable[[HarmonizeRequest, Observer], Scripted]:
    return run


def make_nothing() -> Callable[[HarmonizeRequest, Observer], Scripted]:
    """For a worker that dies before it can say Hello."""
    raise SystemExit(3)


def make_after_hanging() -> Callable[[HarmonizeRequest, Observer], Scripted]:
    """For a worker that says no Hello while there is a file ``hang`` next to the log folder; notes its pid in there."""
    hang = Path(os.environ["PAINTERLY_LOG_DIR"]).parent / "hang"
    if hang.exists():
        hang.write_text(f"{os.getpid()}\n")
    while hang.exists():
        time.sleep(0.005)
    return run


def run(request: HarmonizeRequest, observer: Observer) -> Scripted:
    observer.report(Phase.LOADING, 1.0)
    metadata: dict[str, object] = {"pid": os.getpid()}
    script = request.parameters.weights
    for word in script.split() if script != "auto" else []:
        act, _, argument = word.partition(":")
        _ACTS[act](argument, observer, metadata)
    observer.report(Phase.FINISHING, 1.0)
    composite = request.composite
    samples = bytes(composite.data).translate(_INVERT)
    if request.as_layer:
        pixel = 3 * composite.sample_type.size
        opaque = {1: b"\xff", 2: b"\xff\xff", 4: b"\0\0\x80\x3f"}[composite.sample_type.size]
        samples = b"".join(samples[i : i + pixel] + opaque for i in range(0, len(samples), pixel))
    channels = 4 if request.as_layer else 3
    picture = Pixels(composite.height, composite.width, channels, composite.sample_type, samples)
    x = metadata.get("x", 0)
    assert isinstance(x, int)
    return Scripted(x, 0, picture, metadata)


Act = Callable[[str, Observer, dict[str, object]], None]


def _note(file: str, _observer: Observer, _metadata: dict[str, object]) -> None:
    with Path(file).open("a") as out:
        out.write(f"{os.getpid()}\n")


def _hold(file: str, observer: Observer, _metadata: dict[str, object]) -> None:
    step = 0
    while not Path(file).exists():
        observer.report(Phase.PASS_ONE, min(step / 1000, 1.0), iteration=step, iterations=1000, losses={"gram": 1.5})
        time.sleep(0.005)
        step += 1


def _for(seconds: str, _observer: Observer, _metadata: dict[str, object]) -> None:
    time.sleep(float(seconds))


def _deaf(file: str, _observer: Observer, _metadata: dict[str, object]) -> None:
    while not Path(file).exists():
        time.sleep(0.005)


def _crash(_argument: str, _observer: Observer, _metadata: dict[str, object]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _memory(_argument: str, _observer: Observer, _metadata: dict[str, object]) -> None:
    raise MemoryError


def _bug(_argument: str, _observer: Observer, _metadata: dict[str, object]) -> None:
    raise ZeroDivisionError("secret detail")


def _empty(_argument: str, _observer: Observer, _metadata: dict[str, object]) -> None:
    raise PainterlyError(ErrorCode.EMPTY_MASK, "The mask is empty.", "Select something.")


def _phase(name: str, observer: Observer, _metadata: dict[str, object]) -> None:
    observer.report(Phase(name), 0.0)


def _hog(megabytes: str, _observer: Observer, _metadata: dict[str, object]) -> None:
    taken = [bytearray(2**20) for _ in range(int(megabytes))]
    assert len(taken) == int(megabytes)


def _card(_argument: str, _observer: Observer, metadata: dict[str, object]) -> None:
    metadata["card"] = os.environ.get("CUDA_VISIBLE_DEVICES", "")


def _lost(_argument: str, observer: Observer, _metadata: dict[str, object]) -> None:
    observer.report(Phase.PASS_TWO, 0.5, losses={"gram": float("nan")})


def _outside(_argument: str, _observer: Observer, metadata: dict[str, object]) -> None:
    metadata["x"] = 1


def _unplain(_argument: str, _observer: Observer, metadata: dict[str, object]) -> None:
    metadata["file"] = Path("/")


_ACTS: dict[str, Act] = {
    "note": _note,
    "hold": _hold,
    "deaf": _deaf,
    "for": _for,
    "crash": _crash,
    "memory": _memory,
    "bug": _bug,
    "card": _card,
    "empty": _empty,
    "unplain": _unplain,
    "phase": _phase,
    "hog": _hog,
    "lost": _lost,
    "outside": _outside,
}
