"""What to ask: the dialog, which stays open with preview, progress and a working Cancel while the engine paints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gimp, GimpUi, GLib, GObject, Gtk  # noqa: E402

from painterly_plugin import wording  # noqa: E402
from painterly_plugin.gimp_preview import pixbuf_of  # noqa: E402
from painterly_plugin.gimp_read import read_subject  # noqa: E402
from painterly_protocol.messages import Preview, Progress, Queued, Result  # noqa: E402

if TYPE_CHECKING:
    from painterly_plugin.gimp_run import Bench, Job

TICK_MS = 33
PREVIEW_SIZE = (420, 340)
ASKED = ("preset", "size", "iterations", "stylization", "weights", "seed", "hide-object")
# Numbers whose 0 leaves the choice to the engine: what it is called, and by how much + and − go on from there.
NOTHING_ASKED = {"size": ("as preset", 32), "iterations": ("as preset", 10), "stylization": ("automatic", 0.5)}


def ask_and_work(procedure: Gimp.Procedure, bench: Bench) -> Gimp.Layer | None:
    """Show the dialog until a result is inserted, which is returned; None when the user closed it.

    Raises:
        PainterlyError: what ended the job; the dialog is then gone and the image unchanged.
    """
    subject = read_subject(bench.image, bench.choice)  # refuses before anything is asked
    GimpUi.init("painterly-harmonize")
    window = Window(procedure, bench)
    try:
        window.show_picture(subject.composite)
        return window.run()
    finally:
        window.close()


class Window:
    """The dialog. While a job runs its settings rest, OK is greyed out and Cancel stops the job."""

    def __init__(self, procedure: Gimp.Procedure, bench: Bench) -> None:
        self._bench = bench
        self._job: Job | None = None
        self._end: Result | Exception | None = None
        self._last_response = Gtk.ResponseType.NONE
        self._dialog = GimpUi.ProcedureDialog.new(procedure, bench.arguments, "Painterly Harmonize")
        self._dialog.connect("response", self._note_response)
        self._build()

    def show_picture(self, picture: object) -> None:
        self._picture.set_from_pixbuf(pixbuf_of(picture, *PREVIEW_SIZE))

    def run(self) -> Gimp.Layer | None:
        while True:
            accepted = self._dialog.run()
            if self._job is None:
                if not accepted:
                    return None
                self._begin()
            elif isinstance(self._end, Exception):
                raise self._end
            elif isinstance(self._end, Result):
                return self._bench.finish(self._job, self._end)
            elif not accepted:
                self._stop()
                if self._last_response == Gtk.ResponseType.DELETE_EVENT:
                    return None

    def close(self) -> None:
        if self._job is not None:
            self._job.conversation.cancel()
            self._job.conversation.wait()
        self._dialog.destroy()

    def _build(self) -> None:
        self._picture = Gtk.Image()
        self._picture.set_size_request(*PREVIEW_SIZE)
        frame = Gtk.Frame()
        frame.add(self._picture)
        for name, (text, step) in NOTHING_ASKED.items():
            spin = self._dialog.get_widget(name, GObject.TYPE_NONE).get_spin_button()
            spin.set_increments(step, 10 * step)
            _show_zero_as(spin, text)
        self._settings = self._dialog.fill_box("settings", list(ASKED))
        columns = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=18)
        columns.pack_start(frame, True, True, 0)
        columns.pack_start(self._settings, False, False, 0)
        self._bar = Gtk.ProgressBar(show_text=True, text="Ready")
        rows = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, border_width=12)
        rows.pack_start(columns, True, True, 0)
        rows.pack_start(self._bar, False, False, 0)
        self._dialog.get_content_area().pack_start(rows, True, True, 0)
        rows.show_all()

    def _note_response(self, _dialog: GimpUi.ProcedureDialog, response: int) -> None:
        self._last_response = response

    def _begin(self) -> None:
        self._job = self._bench.begin(previews=True)
        self._set_busy(True)
        self._say("Starting the engine")
        GLib.timeout_add(TICK_MS, self._tick, self._job)

    def _stop(self) -> None:
        assert self._job is not None
        self._job.conversation.cancel()
        self._job.conversation.wait()
        self._job = None
        self._set_busy(False)
        self._bar.set_fraction(0.0)
        self._say("Stopped. OK starts again, Cancel closes.")

    def _set_busy(self, busy: bool) -> None:
        self._settings.set_sensitive(not busy)
        self._dialog.set_response_sensitive(Gtk.ResponseType.OK, not busy)

    def _tick(self, job: Job) -> bool:
        if job is not self._job:
            return GLib.SOURCE_REMOVE
        for news in job.conversation.news():
            self._show(news)
        if job.conversation.is_over:
            self._dialog.response(Gtk.ResponseType.OK)
            return GLib.SOURCE_REMOVE
        return GLib.SOURCE_CONTINUE

    def _show(self, news: object) -> None:
        if isinstance(news, Result | Exception):
            self._end = news
        elif isinstance(news, Preview):
            self.show_picture(news.picture)
        elif isinstance(news, Queued):
            self._say(wording.queue_text(news.position))
        elif isinstance(news, Progress):
            self._bar.set_fraction(news.fraction)
            phase = wording.progress_text(news.phase, news.iteration, news.iterations)
            self._say(phase, wording.time_left(news.seconds_left))

    def _say(self, *parts: str) -> None:
        self._bar.set_text(" · ".join(part for part in parts if part))


def _show_zero_as(spin: Gtk.SpinButton, text: str) -> None:
    """Let a number that leaves the choice to the engine say so."""

    def show(spin: Gtk.SpinButton) -> bool:
        if spin.get_value() != 0:
            return False
        if spin.get_text() != text:
            spin.set_text(text)
        return True

    spin.set_width_chars(len(text))
    # Typed letters count as 0, so the text can be read back by GTK itself.
    spin.set_numeric(False)
    spin.connect("output", show)
    spin.update()
