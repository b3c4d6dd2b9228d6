"""How long the plug-in takes in a real GIMP beside the engine's own work, as a table:

    python tests/support/gimp_timings.py [3.0|3.2] [REPEATS]

Without a window: the dialog's own times are noted by ``tests/gimp/test_walk.py``.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.gimp_house import Profile, find_house

SCENE = """
import os, time
def noise(width, height):
    rows = os.urandom(4 * width * 10) * -(-height // 10)
    opaque = bytearray(rows[: 4 * width * height]); opaque[3::4] = b"\\xff" * (width * height)
    return bytes(opaque)
image = new_image(*size)
add_layer(image, "painting", size, noise(*size))
cup = add_layer(image, "cup", part, noise(*part), (size[0] // 3, size[1] // 3))
result = []
for turn in range(repeats + 1):  # the first starts the engine, or finds it cold
    began = time.monotonic()
    answer = harmonize(image, [cup], preset=preset)
    whole = time.monotonic() - began
    assert answer["status"] == "success", answer["message"]
    import json
    made = answer["values"][0]
    note = json.loads(bytes(value & 0xFF for value in made.get_parasite("painterly-harmonize").get_data()))
    seconds = sum(note["result"]["seconds"].values())
    result.append([whole, seconds])
    image.remove_layer(made)
"""
CASES = {
    "instant, 2 MP with an object of 0.35 MP": ("instant", (1600, 1200), (700, 500)),
    "instant, 12 MP with an object of 2 MP": ("instant", (4000, 3000), (1600, 1250)),
    "instant, 40 MP with an object of 2 MP": ("instant", (8000, 5000), (1600, 1250)),
    "draft, 2 MP with an object of 0.35 MP": ("draft", (1600, 1200), (700, 500)),
}


def measure(profile: Profile, preset: str, size: tuple[int, int], part: tuple[int, int], repeats: int) -> list[Any]:
    values = {"preset": preset, "size": size, "part": part, "repeats": repeats}
    found: list[Any] = profile.run(SCENE, timeout=3600, **values)
    return found


def main(version: str = "3.0", repeats: str = "3") -> None:
    house = find_house(version)
    print(f"GIMP {house.version}\n\n| | OK to result, s | the engine's part | the rest |\n|---|---|---|---|")
    with house.profile() as profile:
        for name, case in CASES.items():
            turns = measure(profile, *case, int(repeats))[1:]
            whole, seconds = (statistics.median(column) for column in zip(*turns, strict=True))
            rest = statistics.median(one - other for one, other in turns)
            print(f"| {name} | {whole:.1f} | {seconds:.1f} | {rest:.2f} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
