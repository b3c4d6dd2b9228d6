"""A windowed GIMP on a screen that nobody sees, driven by keys and by a remote control inside it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from support.gimp_headless import BATCH, INSIDE, PRELUDE, GimpError, Job

if TYPE_CHECKING:
    from support.gimp_house import Profile

SCREEN = (1280, 860)
FRAME = 26  # pixels of a window's title and borders
MAIN_WINDOW = "GIMP$|GNU Image Manipulation Program"
HEARD_S = 40.0  # seconds until a key counts as not heard
PRESSES = 3
PATIENCE = 120.0  # seconds until a condition counts as never coming; nothing waits this long where all is well


class GimpWindow:
    """Keys go to the focused window as a user's would; ``call`` runs Python inside while the windows stay alive."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._orders = profile.folder / "orders"
        self._log = profile.folder / "window.log"
        self._display = ""
        self._screen: subprocess.Popen[bytes] | None = None
        self._manager: subprocess.Popen[bytes] | None = None
        self._gimp: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None

    def open(self) -> None:
        """Start screen and GIMP; return when the remote control answers."""
        self._orders.mkdir()
        self._open_screen()
        batch = self._profile.folder / "serve.py"
        batch.write_text(f"{INSIDE.read_text()}\nserve({str(self._orders)!r}, {PRELUDE.read_text()!r})\n")
        gimp = ["dbus-run-session", "--", "gimp", "-s", "-d", "-n", "--console-messages", "--quit", *BATCH]
        with self._log.open("wb") as log:
            self._gimp = self._profile.popen(
                [*gimp, f"exec(open({str(batch)!r}).read())"],
                environment=self._on_screen(),
                stdout=log,
                stderr=log,
            )
        self._wait("the windowed GIMP to start", (self._orders / "ready").exists)
        self.place(MAIN_WINDOW, 0, 0)
        self._x("xdotool", "windowsize", self._window(MAIN_WINDOW), str(SCREEN[0] - 2), str(SCREEN[1] - FRAME))

    def _open_screen(self) -> None:
        screen = f"{SCREEN[0]}x{SCREEN[1]}x24"
        with (self._profile.folder / "screen.log").open("wb") as log:
            self._screen = self._profile.popen(
                ["Xvfb", "-displayfd", "1", "-screen", "0", screen, "-nolisten", "tcp"],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        # The pipe stays open until close(): Xvfb dies when it is closed early.
        pipe: IO[bytes] | None = self._screen.stdout
        number = pipe.readline().decode().strip() if pipe else ""
        if not number:
            raise GimpError("Xvfb did not start: " + (self._profile.folder / "screen.log").read_text())
        self._display = f":{number}"
        # Draws frames and centres dialogs; nothing depends on it, so a machine without it will do.
        with (self._profile.folder / "manager.log").open("wb") as log:
            self._manager = self._profile.popen(["openbox"], environment=self._on_screen(), stdout=log, stderr=log)

    def close(self) -> None:
        """End the remote control, by which GIMP quits; then the screen. ``exit_code`` is GIMP's."""
        (self._orders / "stop").touch()
        if self._gimp is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.exit_code = self._gimp.wait(PATIENCE)
            _end(self._gimp)
        if self._manager is not None:
            _end(self._manager)
        if self._screen is not None:
            _end(self._screen)
            if self._screen.stdout:
                self._screen.stdout.close()

    def call(self, source: str, *, timeout: float = PATIENCE, **values: object) -> Any:
        """Run ``source`` inside; names it defines stay for later calls. What it leaves in ``result`` comes back.

        Raises:
            GimpError: it raised, GIMP ended, or no answer came in time.
        """
        job = Job(self._orders, source, values)
        self._wait("an answer from inside GIMP", job.answer.exists, timeout)
        return job.result()

    def wait_for(self, source: str, *, timeout: float = PATIENCE, **values: object) -> Any:
        """Run ``source`` until its ``result`` is true, and give that."""
        found: list[Any] = []

        def asked() -> bool:
            found.append(self.call(source, timeout=timeout, **values))
            return bool(found[-1])

        self._wait(f"this to become true: {source}", asked, timeout)
        return found[-1]

    def wait_for_window(self, title: str, *, timeout: float = PATIENCE) -> str:
        """Wait until a visible window's title matches the regular expression, and give that title."""
        found: list[str] = []

        def there() -> bool:
            found[:] = [known for known in self.titles() if re.search(title, known)]
            return bool(found)

        self._wait(f"a window titled {title}", there, timeout)
        return found[0]

    def wait_for_no_window(self, title: str, *, timeout: float = PATIENCE) -> None:
        """Wait until no visible window's title matches the regular expression."""
        self._wait(f"the window {title} to close", lambda: not self.is_open(title), timeout)

    def is_open(self, title: str) -> bool:
        """Whether a visible window's title matches the regular expression."""
        return self.count(title) > 0

    def count(self, title: str) -> int:
        """The visible windows whose title matches the regular expression."""
        return sum(bool(re.search(title, known)) for known in self.titles())

    def titles(self) -> list[str]:
        """The titles of the visible windows."""
        ids = self._x("xdotool", "search", "--onlyvisible", "--name", ".+", check=False).split()
        names = [self._x("xdotool", "getwindowname", window, check=False).strip() for window in ids]
        return [name for name in names if name]

    def focus(self, title: str) -> None:
        """Give the keyboard to the visible window whose title matches the regular expression, and see that it stays.

        Where another window has just closed, the window manager moves the focus once more, late on a busy machine: a
        key pressed at that moment is heard by nobody.
        """
        window = self._window(title)

        def stays() -> bool:
            self._x("xdotool", "windowfocus", "--sync", window)
            for _look in range(3):
                time.sleep(0.05)
                if self._x("xdotool", "getwindowfocus").strip() != window:
                    return False
            return True

        self._wait(f"the keyboard to stay with {title}", stays)

    def place(self, title: str, x: int, y: int) -> None:
        """Move the visible window whose title matches the regular expression."""
        self._x("xdotool", "windowmove", self._window(title), str(x), str(y))

    def size(self, title: str) -> tuple[int, int]:
        """(width, height) of the visible window whose title matches, with its frame."""
        geometry = self._x("xdotool", "getwindowgeometry", "--shell", self._window(title))
        found = dict(line.split("=", 1) for line in geometry.splitlines() if "=" in line)
        return int(found["WIDTH"]), int(found["HEIGHT"]) + FRAME

    def _window(self, title: str) -> str:
        self.wait_for_window(title)
        return self._x("xdotool", "search", "--onlyvisible", "--name", title).split()[-1]

    def keys(self, *keys: str) -> None:
        """Press keys one after the other ("alt+r", "Return"), in the focused window."""
        for key in keys:
            self._x("xdotool", "key", "--clearmodifiers", key)
            time.sleep(0.15)  # a menu opens between two keys, and tells nobody outside that it did

    def press(self, title: str, key: str, until: Callable[[], object], *, seconds: float = HEARD_S) -> None:
        """Press ``key`` in the window whose title matches, again where ``until`` has not come true ``seconds`` later.

        For keys that do no harm when they are heard twice.

        Raises:
            GimpError: it was not heard, or GIMP ended.
        """
        for _press in range(PRESSES):
            if self.is_open(title):
                self.focus(title)
                self.keys(key)
            if self._comes_true(f"{key} was heard", until, seconds):
                return
        raise GimpError(f"{key} was not heard in {title}\n{self.log()[-3000:]}")

    def click_until(self, place: tuple[int, int], until: Callable[[], object]) -> None:
        """Click at a place on the screen, again where that has done nothing.

        Raises:
            GimpError: it never did, or GIMP ended.
        """
        for _click in range(PRESSES):
            self.click(*place)
            if self._comes_true("the click was heard", until, HEARD_S):
                return
        raise GimpError(f"a click at {place} did nothing\n{self.log()[-3000:]}")

    def leave(self, title: str) -> None:
        """Close the window whose title matches by the keyboard."""
        self.press(title, "Escape", lambda: not self.is_open(title))

    def choose_last(self, title: str, menu: str, opens: str) -> float:
        """Open a window ``opens`` by the last entry of a window's menu, and give it the keyboard.

        Returns: the seconds from choosing the entry until the window was there.
        """
        there = self.count(opens)
        for _turn in range(PRESSES):
            self.focus(title)
            self.keys(menu, "Up")
            began = time.monotonic()
            self.keys("Return")
            if self._comes_true(f"{opens} opens", lambda: self.count(opens) > there, HEARD_S):
                took = time.monotonic() - began
                self.focus(opens)
                return took
            self.keys("Escape", "Escape")  # a menu that may be half open
        raise GimpError(f"{opens} does not open; there are {self.titles()}\n{self.log()[-3000:]}")

    def type(self, text: str) -> None:
        self._x("xdotool", "type", "--delay", "20", text)

    def click(self, x: int, y: int) -> None:
        self._x("xdotool", "mousemove", str(x), str(y), "click", "1")

    def screenshot(self, name: str) -> Path:
        """The whole screen as ``name``.png in ``PAINTERLY_SCREENSHOTS`` (default: the profile's folder)."""
        folder = Path(os.environ.get("PAINTERLY_SCREENSHOTS") or self._profile.folder)
        folder.mkdir(parents=True, exist_ok=True)
        inside = self._profile.folder / f"{name}.png"
        self._x("import", "-window", "root", str(inside))
        picture = folder / f"{name}.png"
        if picture != inside:
            picture.write_bytes(inside.read_bytes())
        return picture

    def log(self) -> str:
        """What GIMP and the plug-ins printed."""
        return self._log.read_text(errors="replace")

    def _on_screen(self) -> dict[str, str]:
        return {"DISPLAY": self._display, "GTK_THEME": "Adwaita"}

    def _x(self, *command: str, check: bool = True) -> str:
        process = self._profile.popen(
            command, environment=self._on_screen(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise GimpError(f"{' '.join(command)} did not end") from None
        if check and process.returncode:
            raise GimpError(f"{' '.join(command)}: {err.decode(errors='replace')}")
        return out.decode(errors="replace")

    def _wait(self, what: str, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        if not self._comes_true(what, condition, seconds):
            raise GimpError(f"Waited {seconds} s in vain for {what}\n{self.log()[-3000:]}")

    def _comes_true(self, what: str, condition: Callable[[], object], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if self._gimp is not None and self._gimp.poll() is not None:
                raise GimpError(f"GIMP ended with {self._gimp.returncode} before {what}\n{self.log()[-3000:]}")
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
