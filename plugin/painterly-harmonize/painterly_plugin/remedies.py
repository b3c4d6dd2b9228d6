"""What can be done about an error by pressing a button."""

from __future__ import annotations

from enum import Enum

from painterly_plugin.language import _
from painterly_protocol.errors import ErrorCode, PainterlyError


class Remedy(Enum):
    """A button's work."""

    SMALLER = "smaller"  # try again at half the working size
    RESTART = "restart"  # stop the engine, whatever state it is in, and try again
    SETTINGS = "settings"  # the window with the networks to fetch, the log and the report


TEXTS = {
    Remedy.SMALLER: _("_Use a smaller size"),
    Remedy.RESTART: _("Restart the engine"),
    Remedy.SETTINGS: _("Engine and networks…"),
}

_BY_CODE = {
    ErrorCode.WEIGHTS_MISSING: (Remedy.SETTINGS,),
    ErrorCode.WEIGHTS_CORRUPT: (Remedy.SETTINGS,),
    ErrorCode.OUT_OF_MEMORY: (Remedy.SMALLER, Remedy.SETTINGS),
    ErrorCode.WORKER_DIED: (Remedy.RESTART, Remedy.SETTINGS),
    ErrorCode.ENGINE_ABSENT: (Remedy.RESTART, Remedy.SETTINGS),
    ErrorCode.ENGINE_START_FAILED: (Remedy.RESTART, Remedy.SETTINGS),
    ErrorCode.ENGINE_GONE: (Remedy.RESTART, Remedy.SETTINGS),
    ErrorCode.VERSION_MISMATCH: (Remedy.RESTART, Remedy.SETTINGS),
    ErrorCode.NOT_ADMITTED: (Remedy.SETTINGS,),
    ErrorCode.UNSAFE_FOLDER: (Remedy.SETTINGS,),
    ErrorCode.QUEUE_FULL: (Remedy.SETTINGS,),
    ErrorCode.INTERNAL: (Remedy.RESTART, Remedy.SETTINGS),
}


def remedies_for(error: BaseException, *, elsewhere: bool = False) -> tuple[Remedy, ...]:
    """The buttons that may help, the most promising first; none where only the user can do something.

    Args:
        elsewhere: the engine is on another machine, where only its keeper can restart it.
    """
    if isinstance(error, PainterlyError):
        helpful = _BY_CODE.get(error.code, ())
        return tuple(remedy for remedy in helpful if not (elsewhere and remedy is Remedy.RESTART))
    return (Remedy.SETTINGS,)
