"""What the names of pictures' files say."""

from __future__ import annotations

import re

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
"""Of the pictures that are looked for in folders, in lower case; the first is taken where one will do."""


def by_number(name: str) -> list[tuple[int, str]]:
    """A key that sorts "run 9" before "run 10"."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
