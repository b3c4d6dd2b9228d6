"""Messages as an enemy with a foot in the door would send them: spoilt, enormous, deep, mixed up, said again."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence

import msgpack  # type: ignore[import-untyped]

from painterly_protocol import wire
from painterly_protocol.messages import (
    PROTOCOL_VERSION,
    Cancel,
    Hello,
    Message,
    Priority,
    Queued,
    Result,
    StatusQuery,
    Submit,
    Welcome,
)
from support import jobs

Frames = list[bytes]


class Enemy:
    """Draws hostile messages; the same seed draws the same ones."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._said: deque[Frames] = deque(maxlen=50)
        self._ways: Sequence[Callable[[], Frames]] = (
            *(self._spoilt,) * 4,
            *(self._wrong_types,) * 2,
            self._truncated,
            self._oversized,
            self._deep,
            self._noise,
            self._interleaved,
            self._replayed,
            self._lying,
            self._engines_words,
        )

    def message(self) -> Frames:
        frames = self._dice.choice(self._ways)()
        self._said.append(frames)
        return frames

    def _good(self) -> Frames:
        dice = self._dice
        job_id = f"hostile-{dice.randrange(40)}"
        message: Message = dice.choice(
            [Hello("x"), Cancel(job_id), StatusQuery(), Submit(job_id, jobs.request(), dice.choice(list(Priority)))]
        )
        return [bytes(frame) for frame in wire.encode(message)]

    def _spoilt(self) -> Frames:
        """Cut, flipped, repeated or added to, once or more."""
        dice, frames = self._dice, [bytearray(frame) for frame in self._good()]
        for _ in range(dice.randrange(1, 4)):
            frame = dice.choice(frames)
            spot = dice.randrange(len(frame) + 1)
            act = dice.randrange(4)
            if act == 0:
                del frame[spot:]
            elif act == 1:
                frame[spot : spot + 1] = dice.randbytes(1)
            elif act == 2:
                frame[spot:spot] = frame[:spot]
            else:
                frames.append(bytearray(dice.randbytes(spot % 50)))
        return [bytes(frame) for frame in frames]

    def _truncated(self) -> Frames:
        frames = self._good()
        return [frames[0][: self._dice.randrange(len(frames[0]))], *frames[1 : self._dice.randrange(1, 5)]]

    def _oversized(self) -> Frames:
        dice = self._dice
        big = bytes(wire.MAX_HEADER_BYTES + 1) if dice.randrange(4) == 0 else b""
        return dice.choice(
            [
                [big or msgpack.packb([PROTOCOL_VERSION, "cancel", {"job_id": "x" * 100_000}, []])],
                [*self._good(), *[b""] * dice.randrange(wire.MAX_FRAMES, 4 * wire.MAX_FRAMES)],
                [msgpack.packb([PROTOCOL_VERSION, "cancel", {str(n): n for n in range(wire.MAX_ITEMS + 1)}, []])],
                [b"\x94\x02\xdd\xff\xff\xff\xff"],
                [b"\x94\x02\xc6\xff\xff\xff\xff"],
            ]
        )

    def _deep(self) -> Frames:
        depth = self._dice.choice([wire.MAX_NESTING + 2, 500, 100_000])
        return [b"\x94\x02" + self._dice.choice([b"\x91", b"\x81\xa1a", b"\x81\x91"]) * depth]

    def _wrong_types(self) -> Frames:
        """A good message with one of its values, at any depth, replaced."""
        frames = self._good()
        header = msgpack.unpackb(frames[0])
        inner, dice = header, self._dice
        while True:
            keys = list(inner) if isinstance(inner, dict) else range(len(inner))
            key = dice.choice(list(keys)) if keys else None
            if key is None:
                break
            if isinstance(inner[key], list | dict) and inner[key] and dice.randrange(3):
                inner = inner[key]
                continue
            inner[key] = dice.choice(_STRANGE)
            break
        return [msgpack.packb(header), *frames[1:]]

    def _noise(self) -> Frames:
        return [self._dice.randbytes(self._dice.randrange(200)) for _ in range(self._dice.randrange(1, 6))]

    def _interleaved(self) -> Frames:
        one, other = self._good(), self._good()
        cut = self._dice.randrange(1, 4)
        return [*one[:cut], *other[cut - 1 :]]

    def _replayed(self) -> Frames:
        return self._dice.choice(self._said) if self._said else self._good()

    def _lying(self) -> Frames:
        """A picture that claims to be larger, smaller or other than it is."""
        frames = [bytes(frame) for frame in wire.encode(Submit("lie", jobs.request()))]
        header = msgpack.unpackb(frames[0])
        painting = header[2]["request"]["painting"]
        painting[self._dice.randrange(3)] = self._dice.choice([0, 1, 2**20, 2**31, 2**62, -1])
        if self._dice.randrange(2):
            header[3][0][0] = self._dice.choice([0, 2**31, 2**63, -1, len(frames[1])])
        return [msgpack.packb(header), *frames[1:]]

    def _engines_words(self) -> Frames:
        message: Message = self._dice.choice(
            [Welcome("x", 1), Queued("x", 0), Result("x", 0, 0, jobs.flat(3, 0), {"a": [1]})]
        )
        return [bytes(frame) for frame in wire.encode(message)]


_STRANGE: Sequence[object] = (
    *(None, True, -1, 0, 2**63, 1.5, float("nan"), float("inf")),
    *("", "x" * 1000, b"", b"\xff", [], {}, [[]], {"a": {}}, [1] * 100),
    *(msgpack.ExtType(5, b"x"), msgpack.Timestamp(1)),
)
