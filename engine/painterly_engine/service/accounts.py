"""What each user of a shared engine has had of it, and may still have: quotas by the hour, in numbers for a Status.

A user is the holder of a key, however many connections they open; this machine's own programs are ``OWN``, who has no
quota: whoever keeps the engine keeps it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from painterly_engine.service.jobs import Job
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Submit

OWN = "this machine"
HOUR_S = 3600.0
REMEMBERED = 256  # users


@dataclass(frozen=True)
class Quota:
    """What one user may have in any hour; None: as much as there is.

    Attributes:
        pixels: of the pictures and masks sent: at least three of the painting's size with every job.
        seconds: of computing.
    """

    pixels: int | None = None
    seconds: float | None = None


@dataclass
class _Hour:
    """Amounts of the last hour."""

    amounts: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, now: float, amount: float) -> None:
        self._forget(now)  # also where no quota ever asks for the total
        self.amounts.append((now, amount))

    def _forget(self, now: float) -> None:
        while self.amounts and self.amounts[0][0] <= now - HOUR_S:
            self.amounts.popleft()

    def total(self, now: float) -> float:
        self._forget(now)
        return sum(amount for _, amount in self.amounts)

    def free_in(self, now: float, most: float) -> float:
        """Seconds until the total is no more than ``most``."""
        left = self.total(now)
        for then, amount in self.amounts:
            if left <= most:
                return max(0.0, then + HOUR_S - now)
            left -= amount
            last = then
        return max(0.0, last + HOUR_S - now) if self.amounts else 0.0


@dataclass
class _Account:
    pixels: _Hour = field(default_factory=_Hour)
    seconds: _Hour = field(default_factory=_Hour)
    ended: Counter[str] = field(default_factory=Counter)


class Accounts:
    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._accounts: dict[str, _Account] = {}

    def check(self, name: str, submit: Submit, now: float) -> None:
        """Raises PainterlyError QUEUE_FULL when the user has had this hour's share, OVER_LIMIT for a job that is more
        than any hour's; ``name`` "" is ``OWN``."""
        if not name:
            return
        account, quota, pixels = self._of(name), self._quota, _pixels(submit)
        if quota.pixels is not None and pixels > quota.pixels:
            raise _too_much(pixels, quota.pixels)
        if quota.pixels is not None and account.pixels.total(now) + pixels > quota.pixels:
            left = account.pixels.free_in(now, quota.pixels - pixels)
            raise _used_up(f"{quota.pixels / 1e6:g} million pixels", left)
        if quota.seconds is not None and account.seconds.total(now) >= quota.seconds:
            raise _used_up(f"{quota.seconds:g} seconds of computing", account.seconds.free_in(now, quota.seconds))

    def taken(self, job: Job, now: float) -> None:
        """The job has been let in."""
        self._of(job.client.name).pixels.add(now, _pixels(job.submit))

    def ended(self, job: Job, how: str, now: float) -> None:
        """``how`` is "done" or an error code; one that never ran costs nothing."""
        account = self._of(job.client.name)
        account.ended[how] += 1
        if job.started is None and not job.tried and not job.moves:
            account.pixels.add(now, -_pixels(job.submit))
        elif job.started is not None:
            account.seconds.add(now, now - job.started)

    def facts(self, running: Sequence[Job], waiting: Sequence[Job], now: float) -> Mapping[str, Mapping[str, object]]:
        """By user, msgpack-plain."""
        names = {*self._accounts, *(job.client.name for job in (*running, *waiting))}
        return {
            name or OWN: {
                "running": sum(job.client.name == name for job in running),
                "waiting": sum(job.client.name == name for job in waiting),
                "ended": dict(self._of(name).ended),
                "pixels_this_hour": round(self._of(name).pixels.total(now)),
                "seconds_this_hour": round(self._of(name).seconds.total(now), 1),
            }
            for name in sorted(names)
        }

    def _of(self, name: str) -> _Account:
        """The latest last; whoever came longest ago is forgotten first."""
        self._accounts[name] = account = self._accounts.pop(name, None) or _Account()
        if len(self._accounts) > REMEMBERED:
            del self._accounts[next(iter(self._accounts))]
        return account


def _pixels(submit: Submit) -> int:
    request = submit.request
    masks = (request.mask, request.loose_mask, request.style_mask)
    sent = (request.painting, request.composite, request.style, *masks)
    return sum(picture.width * picture.height for picture in sent if picture is not None)


def _too_much(pixels: int, most: int) -> PainterlyError:
    return PainterlyError(
        ErrorCode.OVER_LIMIT,
        f"The job's pictures and masks have {pixels / 1e6:.1f} million pixels together, more than the "
        f"{most / 1e6:.1f} million that this engine gives to one user in an hour.",
        "Crop them to the part around the object, or scale them down.",
    )


def _used_up(share: str, free_in_s: float) -> PainterlyError:
    return PainterlyError(
        ErrorCode.QUEUE_FULL,
        f"You have had the {share} that this engine gives to one user in an hour.",
        f"Try again in about {max(1, round(free_in_s / 60))} min.",
    )
