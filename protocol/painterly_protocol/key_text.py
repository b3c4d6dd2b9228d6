"""What a CURVE key looks like as text; for those who read one and need no pyzmq for it."""

from __future__ import annotations

import re

_KEY = re.compile(r"[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")  # Z85, RFC 32


def is_key(text: str) -> bool:
    """Whether it looks like a key: libzmq raises for what does not."""
    return _KEY.fullmatch(text) is not None
