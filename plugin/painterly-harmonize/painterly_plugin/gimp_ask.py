"""What to ask: the dialog, which stays open with preview, progress and a working Cancel while the engine paints."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gimp, GimpUi, GLib, Gtk  # noqa: E402

from painterly_plugin import wording  # noqa: E402
from painterly_plugin.conversation import Sketch  # noqa: E402
from painterly_plugin.gimp_choose import Choice, checked  # noqa: E402
from painterly_plugin.gimp_engine_window import show_engine_window  # noqa: E402
from painterly_plugin.gimp_form import LayerPickers, settings_box  # noqa: E402
from painterly_plugin.gimp_help import help_button  # noqa: E402
from painterly_plugin.gimp_preview import Preview as PreviewPicture  # noqa: E402
from painterly_plugin.gimp_read import Sitting, Subject  # noqa: E402
from painterly_plugin.gimp_trouble import TroubleBar  # noqa: E402
from painterly_plugin.language import _, said  # noqa: E402
from painterly_plugin.placement import pasted  # noqa: E402
from painterly_plugin.steps import Steps  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402
from painterly_protocol.messages import Preview, Progress, Queued, Result  # noqa: E402
from painterly_protocol.request import MIN_SIZE  # noqa: E402

if TYPE_CHECKING:
    from painterly_plugin.gimp_run import Bench, Job

TICK_MS = 33
SKETCH_STAYS = 0.2  # of the job: its own first pictures, small and blurred, look worse than the sketch
# Below drawing and events, so that a dialog that reads stays alive.
WHEN_IDLE = GLib.PRIORITY_DEFAULT_IDLE + 20
DOMAIN = "painterly-harmonize"


def ask_and_work(procedure: Gimp.Procedure, bench: Bench) -> Gimp.Layer | None:
    """Show the dialog until a result is inserted, which is returned; None when the user closed it."""
    GimpUi.init(DOMAIN)
    recall(bench)
    window = Window(procedure, bench)
    try:
        return window.run()
    finally:
        window.close()


def recall(bench: Bench) -> None:
    """Start from what an earlier result was made with, where one is harmonized again."""
    if bench.choice.note is None:
        return
    for name, value in bench.choice.note.arguments.items():
        # The note may come from another version, or from anywhere, and holds no folders: a network's file is not found
        # by its name.
        if bench.arguments.find_property(name) is not None and not (name == "weights" and "." in str(value)):
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                _take(bench.arguments, name, value)


def _take(arguments: Gimp.ProcedureConfig, name: str, value: object) -> None:
    """Set an argument, where ``value`` is of its kind.

    Raises:
        TypeError, ValueError, OverflowError: it is not, or GIMP has no such number.
    """
    wanted = float(str(value)) if arguments.find_property(name).value_type.name == "gdouble" else value
    if isinstance(wanted, float) and not math.isfinite(wanted):
        raise ValueError
    if isinstance(wanted, type(arguments.get_property(name))):
        arguments.set_property(name, wanted)


class Stage(Enum):
    """What the dialog is about."""

    ASKING = "asking"  # settings can be changed; the image may still be being read
    READING = "reading"  # OK was pressed: the rest is read
    WORKING = "working"  # the engine has the job
    DONE = "done"


class Gradually:
    """Takes ``steps`` whenever nothing else is to be done, and hands over what they return or raise."""

    def __init__(self, steps: Steps[Any], on_end: Callable[[Any], None]) -> None:
        self._steps: Steps[Any] | None = steps
        self._on_end = on_end
        GLib.idle_add(self._step, priority=WHEN_IDLE)

    def stop(self) -> None:
        """Take no further step."""
        if self._steps is not None:
            self._steps.close()
        self._steps = None

    def take_one(self) -> None:
        """Take a step at once, for example before there is a window that it could hold up."""
        self._step()

    def _step(self) -> bool:
        if self._steps is None:
            return GLib.SOURCE_REMOVE
        try:
            next(self._steps)
            return GLib.SOURCE_CONTINUE
        except StopIteration as done:
            end = done.value
        except Exception as error:
            end = error
        self._steps = None
        self._on_end(end)
        return GLib.SOURCE_REMOVE


class Window:
    """The dialog. While a job runs its settings rest, OK is greyed out and Cancel stops the job."""

    def __init__(self, procedure: Gimp.Procedure, bench: Bench) -> None:
        self._bench = bench
        self._stage = Stage.ASKING
        self._sitting: Sitting | None = None
        self._reading: Gradually | None = None
        self._finishing: Gradually | None = None
        self._took_outline_over = False
        self._subject: Subject | None = None
        self._job: Job | None = None
        self._layer: Gimp.Layer | None = None
        self._dialog = GimpUi.ProcedureDialog.new(procedure, bench.arguments, _("Painterly Harmonize"))
        self._pickers = LayerPickers(bench.image, bench.choice, self._change_layers)
        self._preview = PreviewPicture()
        self._trouble = TroubleBar(self._dialog, bench.config, self._begin, self._begin_smaller)
        self._build()
        bench.arguments.connect("notify", lambda *_arguments: self._show_estimate())

    def run(self) -> Gimp.Layer | None:
        """Until there is a result, or the user closes the dialog."""
        self._look()
        if self._reading is not None:
            self._reading.take_one()
        if self._bench.choice.earlier is not None:
            name = self._bench.choice.earlier.get_name()
            self._say(_("Once more, from the settings of “{name}”").format(name=name))
        while True:
            accepted = self._dialog.run()
            if self._stage is Stage.DONE:
                return self._layer
            if accepted:
                self._begin()
            elif self._stage is Stage.ASKING or self._is_gone:
                return None
            else:
                self._stop()

    def close(self) -> None:
        self._dialog.hide()
        if self._finishing is not None:
            self._finishing.stop()
        self._end_sitting()
        if self._job is not None:
            self._job.conversation.cancel()
            self._job.conversation.wait()
        self._dialog.destroy()

    def _build(self) -> None:
        self._is_gone = self._is_sketched = False
        self._dialog.connect("delete-event", self._note_closing)
        self._settings = settings_box(self._dialog, self._bench.arguments, self._engine_button(), help_button())
        left = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12)
        left.pack_start(self._pickers.widget, False, False, 0)
        if (earlier := self._bench.choice.earlier) is not None and self._bench.choice.note is not None:
            told = wording.made_with(earlier.get_name(), self._bench.choice.note.result)
            left.pack_start(Gtk.Label(label=told, xalign=0.0, wrap=True, max_width_chars=40), False, False, 0)
        left.pack_start(self._preview.widget, True, True, 0)
        columns = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=18)
        columns.pack_start(left, True, True, 0)
        columns.pack_start(self._settings, False, False, 0)
        self._bar = Gtk.ProgressBar(show_text=True, text=_("Ready"))
        rows = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, border_width=12)
        rows.pack_start(columns, True, True, 0)
        rows.pack_start(self._bar, False, False, 0)
        content = self._dialog.get_content_area()
        content.pack_start(self._trouble.widget, False, False, 0)
        content.pack_start(rows, True, True, 0)
        rows.show_all()

    def _engine_button(self) -> Gtk.Button:
        button = Gtk.Button.new_with_mnemonic(_("E_ngine…"))
        button.set_tooltip_text(_("Shows the engine's state, its networks and its log"))
        button.connect("clicked", lambda _button: show_engine_window(self._bench.config, self._dialog))
        return button

    def _note_closing(self, *_event: object) -> bool:
        self._is_gone = True
        return False

    # ------------------------------------------------------------ reading

    def _look(self) -> None:
        """Read the image as it is now."""
        self._end_sitting()
        self._subject = None
        try:
            checked(self._bench.image, self._bench.choice)
            self._take_outline_over()
            self._sitting = Sitting(self._bench.image, self._bench.choice)
        except PainterlyError as error:
            self._fail(error)
        else:
            self._reading = Gradually(self._read_and_show(self._sitting), self._end_reading)

    def _take_outline_over(self) -> None:
        """Where the mask has just become an earlier result's, leave its outline as it is; the user may move it then."""
        takes_over = self._bench.takes_outline_over
        if takes_over and not self._took_outline_over:
            self._bench.arguments.set_property("mask-growth", 0)
            self._bench.arguments.set_property("edge-softness", 0.0)
        self._took_outline_over = takes_over

    def _read_and_show(self, sitting: Sitting) -> Steps[Subject]:
        subject = yield from sitting.read(self._bench.edges())
        yield from self._preview.show_subject(subject)
        return subject

    def _end_reading(self, end: Subject | Exception) -> None:
        self._end_sitting()
        if isinstance(end, Exception):
            self._fail(end)
            return
        self._subject = end
        self._show_estimate()
        if self._stage is Stage.READING:
            self._submit(end)

    def _end_sitting(self) -> None:
        if self._reading is not None:
            self._reading.stop()
        if self._sitting is not None:
            self._sitting.close()
        self._reading = self._sitting = None

    def _change_layers(self) -> None:
        object_layer, painting, style = self._pickers.picked()
        choice = self._bench.choice
        if (object_layer, painting) != (choice.object_layer, choice.painting_layer):
            choice = Choice(object_layer, painting)
        self._bench = self._bench.with_choice(replace(choice, style=style))
        self._trouble.hide()
        self._look()

    # ------------------------------------------------------------ the job

    def _begin(self) -> None:
        self._trouble.hide()
        self._enter(Stage.READING)
        self._say(_("Reading the picture"))
        # GIMP tells nobody of strokes of a brush, and what is sent must be what is seen now.
        self._look()

    def _begin_smaller(self) -> None:
        self._bench.arguments.set_property("size", max(MIN_SIZE, self._bench.size() // 2))
        self._begin()

    def _submit(self, subject: Subject) -> None:
        try:
            self._job = self._bench.begin(subject, previews=True)
        except PainterlyError as error:
            self._fail(error)
            return
        self._is_sketched = False
        self._enter(Stage.WORKING)
        self._say(self._bench.reaching())
        GLib.timeout_add(TICK_MS, self._tick, self._job)

    def _stop(self) -> None:
        """Take back what OK began; the engine is told at once, and not waited for."""
        if self._job is not None:
            self._job.conversation.cancel()
        if self._finishing is not None:
            self._finishing.stop()
        self._job = self._finishing = None
        self._enter(Stage.ASKING)
        self._say(_("Stopped. OK starts again, Cancel closes."))

    def _tick(self, job: Job) -> bool:
        if job is not self._job:
            return GLib.SOURCE_REMOVE
        for news in job.conversation.news():
            self._show(job, news)
        return GLib.SOURCE_REMOVE if job.conversation.is_over else GLib.SOURCE_CONTINUE

    def _show(self, job: Job, news: object) -> None:
        if isinstance(news, Exception):
            self._fail(news)
        elif isinstance(news, Result):
            self._finish(job, news)
        elif isinstance(news, Preview):
            if not self._is_sketched or self._bar.get_fraction() >= SKETCH_STAYS:
                self._preview.show_after(news.picture)
        elif isinstance(news, Sketch):
            self._is_sketched = True
            sketched = news.result
            self._preview.show_after(pasted(job.subject.painting, sketched.picture, sketched.x, sketched.y))
            self._say(_("This is a first look; now it is painted in earnest"))
        elif isinstance(news, Queued):
            self._say(wording.queue_text(news.position))
        elif isinstance(news, Progress):
            self._bar.set_fraction(news.fraction)
            phase = wording.progress_text(news.phase, news.iteration, news.iterations)
            self._say(phase, wording.time_left(news.seconds_left))

    def _finish(self, job: Job, result: Result) -> None:
        self._say(_("Bringing the result into the image"))
        self._finishing = Gradually(self._bench.finish(job, result), self._end)

    def _end(self, end: Gimp.Layer | Exception) -> None:
        self._finishing = None
        if isinstance(end, Exception):
            self._fail(end)
            return
        self._layer = end
        self._enter(Stage.DONE)
        self._dialog.response(Gtk.ResponseType.OK)

    def _fail(self, error: Exception) -> None:
        """Say what went wrong; the dialog stays, so that it can be put right."""
        self._job = None
        self._enter(Stage.ASKING)
        if isinstance(error, PainterlyError) and error.code is ErrorCode.CANCELLED:
            self._say(_("Stopped. OK starts again, Cancel closes."))
            return
        self._say(_("Ready"))
        self._trouble.show(error)

    # ------------------------------------------------------------ what is seen

    def _enter(self, stage: Stage) -> None:
        self._stage = stage
        busy = stage in (Stage.READING, Stage.WORKING)
        self._settings.set_sensitive(not busy)
        self._pickers.widget.set_sensitive(not busy)
        self._dialog.set_response_sensitive(Gtk.ResponseType.OK, not busy)
        self._bar.set_fraction(0.0)

    def _say(self, *parts: str) -> None:
        self._bar.set_text(" · ".join(part for part in parts if part))

    def _show_estimate(self) -> None:
        if self._subject is None:
            return
        try:
            text = wording.estimate_text(self._bench.estimate(self._subject))
        except PainterlyError as error:
            text = said(str(error))
        self._preview.caption.set_text(text)
