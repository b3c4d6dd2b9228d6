"""A real browser, driven over Chromium's DevTools pipe: loads a page, asks the DOM, moves mouse, fingers and keys.

One process, one page at a time, no network: whatever the page would fetch fails, and is noted in ``Page.asked_for``.
"""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from support.browser_build import Browser, find_browser

PATIENCE_S = 180.0
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"


class Page:
    """A browser with one page; a context manager."""

    def __init__(self, width: int = 1200, height: int = 900, *, dark: bool = False, browser: Browser | None = None):
        self.browser = browser or find_browser()
        self.size, self.dark, self.address = (width, height), dark, ""
        self.asked_for: list[str] = []
        self.complaints: list[str] = []
        self._number, self._buffer, self._session = 0, b"", ""
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Page:
        self._folder = tempfile.TemporaryDirectory(prefix="painterly-browser-")
        # Chromium reads its orders from descriptor 3 and answers on 4: ours must be other ones.
        to_read, self._to = map(_out_of_the_way, os.pipe())
        self._from, to_write = map(_out_of_the_way, os.pipe())
        shell = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        options = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", OFFLINE),
            *("--remote-debugging-pipe", f"--user-data-dir={self._folder.name}", "--force-color-profile=srgb"),
            "--disable-dev-shm-usage",
        ]
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", shell, "browser", str(self.browser.program), *options],
            env={**os.environ, **self.browser.environment},
            pass_fds=(to_read, to_write),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        target = self._say("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._say("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._say(f"{domain}.enable")
        width, height = self.size
        self.resize(width, height)
        self._say("Emulation.setTouchEmulationEnabled", enabled=True)
        self._say(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"}],
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._folder.cleanup()

    def resize(self, width: int, height: int) -> None:
        self._say("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, file: Path) -> None:
        """Load a page from a file and wait until all of it, pictures included, is there."""
        self._events.clear()
        self.address = file.absolute().as_uri()
        self._say("Page.navigate", url=self.address)
        self._wait_until_loaded()

    def follow(self, selector: str) -> None:
        """Click a link and wait until the page it leads to is there."""
        self._events.clear()
        self.click(selector)
        self._wait_until_loaded()
        self.address = self.run("location.href")

    def _wait_until_loaded(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._hear(until)
        self.run("Promise.all([...document.images].filter(i => i.src).map(i => i.decode().catch(() => 0)))")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, waited for if it is a promise."""
        answer = self._say("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """(x, y, width, height) of the first match in the window, scrolled into view."""
        left, top, width, height = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect();"
            "return [r.x, r.y, r.width, r.height]; })()"
        )
        return left, top, width, height

    def drag(self, start: Sequence[float], end: Sequence[float]) -> None:
        """Mouse down at ``start``, along a line, up at ``end``."""
        self._mouse("mouseMoved", start, 0)
        self._mouse("mousePressed", start, 1)
        for point in _line(start, end):
            self._mouse("mouseMoved", point, 1)
        self._mouse("mouseReleased", end, 0)

    def swipe(self, start: Sequence[float], end: Sequence[float]) -> None:
        """The same with a finger."""
        self._finger("touchStart", [start])
        for point in _line(start, end):
            self._finger("touchMove", [point])
        self._finger("touchEnd", [])

    def click(self, selector: str) -> None:
        x, y, width, height = self.box(selector)
        middle = (x + width / 2, y + height / 2)
        self._mouse("mousePressed", middle, 1)
        self._mouse("mouseReleased", middle, 0)

    def press(self, key: str, code: int) -> None:
        """A key by its DOM name and its Windows code, e.g. ``press("ArrowRight", 39)``."""
        for kind in ("keyDown", "keyUp"):
            self._say("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, selector: str = "", *, whole: bool = False) -> NDArray[np.uint8]:
        """(H, W, 3) uint8: what is seen of the window, of one element, or of the whole page."""
        options: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self._say("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        elif selector:
            x, y, width, height = self.box(selector)
            down = self.run("scrollY")
            options["clip"] = {"x": x, "y": y + down, "width": width, "height": height, "scale": 1}
        data = base64.b64decode(self._say("Page.captureScreenshot", **options)["data"])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def print_on_screen(self) -> None:
        """Lay the page out for paper, so that it can be looked at."""
        self._say("Emulation.setEmulatedMedia", media="print")

    def pdf(self) -> bytes:
        """The page as it would be printed on A4."""
        data: str = self._say("Page.printToPDF", printBackground=False, paperWidth=8.27, paperHeight=11.69)["data"]
        return base64.b64decode(data)

    def _mouse(self, kind: str, point: Sequence[float], buttons: int) -> None:
        x, y = point
        self._say("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1)

    def _finger(self, kind: str, points: Sequence[Sequence[float]]) -> None:
        touches = [{"x": x, "y": y} for x, y in points]
        self._say("Input.dispatchTouchEvent", type=kind, touchPoints=touches)

    def _say(self, method: str, **parameters: object) -> dict[str, Any]:
        """One order and its answer; events that come in between are kept."""
        self._number += 1
        order: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._to, json.dumps(order).encode() + b"\0")
        until = time.monotonic() + PATIENCE_S
        while True:
            message = self._hear(until)
            if message.get("id") == self._number:
                assert "error" not in message, f"{method}: {message['error']}"
                answer: dict[str, Any] = message["result"]
                return answer

    def _hear(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            assert left > 0 and select([self._from], [], [], left)[0], "the browser does not answer"
            piece = os.read(self._from, 1 << 20)
            assert piece, f"the browser ended with {self._process.wait()}"
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self._events.append(message)
            self._note(message["method"], message["params"])
        return message

    def _note(self, method: str, about: Mapping[str, Any]) -> None:
        if method == "Network.requestWillBeSent" and not about["request"]["url"].startswith(("data:", "about:")):
            self.asked_for.append(about["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(about["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.complaints.append(about["entry"]["text"])


def _out_of_the_way(descriptor: int) -> int:
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return high


def _line(start: Sequence[float], end: Sequence[float], steps: int = 8) -> list[tuple[float, float]]:
    return [
        (start[0] + (end[0] - start[0]) * k / steps, start[1] + (end[1] - start[1]) * k / steps)
        for k in range(1, steps + 1)
    ]
