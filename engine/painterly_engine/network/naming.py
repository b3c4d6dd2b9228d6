"""What networks are called: by themselves, and by the user."""

from __future__ import annotations

from pathlib import Path

AUTO, RANDOM = "auto", "random"
NAMES = (AUTO, "slim", "vgg19", "vgg16", RANDOM, "random-vgg16", "random-vgg19")
"""All that have one; every other text is the path of a file. Told here for those who load no torch."""


def network_name(text: str, folder: Path = Path()) -> str:
    """What the user calls a network, as the engine is told: a name as it is, a path (with or without its layout in
    front) made absolute, because the engine runs elsewhere.

    A word without folder and suffix is a name; a file of such a name is meant by ``./word``.
    """
    layout, colon, rest = text.partition(":")
    prefix, path = (f"{layout}:", rest) if colon and len(layout) > 1 else ("", text)  # one letter is a Windows drive
    if not prefix and Path(path).name == path and not Path(path).suffix:
        return text
    return prefix + str((folder / Path(path).expanduser()).absolute())
