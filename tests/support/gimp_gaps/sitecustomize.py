"""Every Python started with this folder on PYTHONPATH imports it: it notes how long the plug-in's window stood still.

A timer in GTK's main loop ticks every 5 ms, before all else that waits there. What lies between two ticks is how long
nothing was drawn and no key was heard. How much of that the plug-in or GIMP waited for a processor with other work, as
the kernel counts it, is told beside it. Each run of the plug-in leaves a file of JSON beside ``PAINTERLY_GAPS``, also
with what it was doing in the longest gaps, noted by a second thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path

WORTH_TELLING_S = 0.03
DIALOG = "painterly_plugin.gimp_ask"


class Watch:
    def __init__(self, file: str) -> None:
        self.file = Path(f"{file}-{os.getpid()}")
        self.last, self.starved = 0.0, 0.0
        self.ticks = 0
        self.gaps: list[tuple[float, float]] = []
        self.doing: dict[str, float] = {}

    def run(self) -> None:
        while DIALOG not in sys.modules:
            time.sleep(0.01)
        from gi.repository import GLib

        GLib.timeout_add(5, self.tick, priority=GLib.PRIORITY_HIGH)
        main = threading.main_thread().ident
        while main is not None:
            time.sleep(0.01)
            since = time.monotonic() - self.last
            if self.last and since > WORTH_TELLING_S:
                self.note(sys._current_frames().get(main), since)
            self.write()

    def tick(self) -> bool:
        now, starved = time.monotonic(), waited_for_a_processor()
        if self.last and now - self.last > WORTH_TELLING_S:
            self.gaps.append((round(now - self.last, 3), round(starved - self.starved, 3)))
        self.last, self.starved = now, starved
        self.ticks += 1
        return True

    def note(self, frame: object, since: float) -> None:
        steps = traceback.extract_stack(frame)[-2:]  # type: ignore[arg-type]
        where = " < ".join(f"{Path(step.filename).name}:{step.lineno} {step.line}" for step in reversed(steps))
        self.doing[where] = max(since, self.doing.get(where, 0.0))

    def write(self) -> None:
        worst = sorted(self.doing.items(), key=lambda item: -item[1])[:5]
        whole = self.file.with_suffix(".new")
        whole.write_text(json.dumps({"ticks": self.ticks, "gaps": self.gaps, "doing": dict(worst)}))
        whole.replace(self.file.with_suffix(".json"))


def waited_for_a_processor() -> float:
    """Seconds that the plug-in's first thread and GIMP's have been ready to run and did not."""
    total = 0
    for process in (os.getpid(), os.getppid()):
        with contextlib.suppress(OSError):
            total += int(Path("/proc", str(process), "schedstat").read_text().split()[1])
    return total / 1e9


if os.environ.get("PAINTERLY_GAPS"):
    threading.Thread(target=Watch(os.environ["PAINTERLY_GAPS"]).run, daemon=True).start()
