"""OpenCV, where it is installed."""

from __future__ import annotations

from types import ModuleType

from painterly_protocol.errors import ErrorCode, PainterlyError


def cv2(extra: str = "cutout") -> ModuleType:
    """The module, typed as little as its own stubs deserve: they reject the arrays it takes.

    Raises:
        PainterlyError: BAD_REQUEST where it is not installed.
    """
    try:
        import cv2 as found
    except ImportError as error:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "This needs OpenCV, which is not installed.",
            f"Install it with: pip install 'painterly-harmonize[{extra}]'",
        ) from error
    return found
