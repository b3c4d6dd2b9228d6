"""In which order: choose, read, ask, let the engine work, insert."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin import settings, wording  # noqa: E402
from painterly_plugin.config import Config, load_config  # noqa: E402
from painterly_plugin.conversation import Conversation  # noqa: E402
from painterly_plugin.gimp_choose import Choice, choose_layers  # noqa: E402
from painterly_plugin.gimp_insert import insert_result  # noqa: E402
from painterly_plugin.gimp_read import Subject, read_subject  # noqa: E402
from painterly_protocol.client import EngineClient  # noqa: E402
from painterly_protocol.launcher import ensure_engine  # noqa: E402
from painterly_protocol.messages import Progress, Queued, Result  # noqa: E402
from painterly_protocol.request import HarmonizeRequest, Parameters  # noqa: E402

POLL_S = 0.05
ARGUMENTS = ("preset", "size", "iterations", "stylization", "weights", "seed")


@dataclass(frozen=True)
class Job:
    """A job under way: what was read and asked, and the talk with the engine about it."""

    subject: Subject
    parameters: Parameters
    conversation: Conversation


@dataclass(frozen=True)
class Bench:
    """What a run works on; knows how to begin a job on it, as often as the user likes."""

    image: Gimp.Image
    choice: Choice
    arguments: Gimp.ProcedureConfig
    config: Config

    def begin(self, *, previews: bool) -> Job:
        """Read what the image holds now and send it to the engine.

        Raises:
            PainterlyError: what ``read_subject`` and ``Parameters`` refuse.
        """
        values = {name: self.arguments.get_property(name) for name in ARGUMENTS}
        parameters = settings.parameters_from(values, previews=previews)
        subject = read_subject(self.image, self.choice)
        request = HarmonizeRequest(subject.painting, subject.composite, subject.mask, parameters=parameters)
        return Job(subject, parameters, Conversation(self._connect, request))

    def finish(self, job: Job, result: Result) -> Gimp.Layer:
        """Insert the result of ``job``."""
        note = settings.layer_note(job.parameters, result.metadata, self.config.version)
        hide = self.arguments.get_property("hide-object")
        layer = insert_result(self.image, self.choice, job.subject, result, note, hide)
        for warning in settings.warnings_in(result.metadata):
            Gimp.message(warning)
        return layer

    def _connect(self, on_wait: Callable[[float], None]) -> EngineClient:
        command, folder = self.config.engine_command, self.config.runtime_dir
        return ensure_engine(command, folder, on_wait=on_wait, client="gimp-plug-in")


def run(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    arguments: Gimp.ProcedureConfig,
) -> Gimp.Layer | None:
    """Harmonize and return the new layer; None when the user cancelled.

    Raises:
        PainterlyError, ConfigError: with what to do; the image is then unchanged.
    """
    config = load_config()
    config.announce()
    bench = Bench(image, choose_layers(image, drawables), arguments, config)
    if run_mode == Gimp.RunMode.INTERACTIVE:
        # Loading GTK takes a while, and a console GIMP has no display for it.
        from painterly_plugin.gimp_ask import ask_and_work

        return ask_and_work(procedure, bench)
    return _work_with_progress_bar(bench)


def _work_with_progress_bar(bench: Bench) -> Gimp.Layer:
    Gimp.progress_init("Painterly Harmonize: starting the engine")
    job = bench.begin(previews=False)
    try:
        while True:
            for news in job.conversation.news(POLL_S):
                if isinstance(news, Exception):
                    raise news
                if isinstance(news, Result):
                    return bench.finish(job, news)
                _show_in_status_bar(news)
    finally:
        Gimp.progress_end()


def _show_in_status_bar(news: object) -> None:
    if isinstance(news, Queued):
        Gimp.progress_set_text(wording.queue_text(news.position))
    elif isinstance(news, Progress):
        parts = [
            wording.progress_text(news.phase, news.iteration, news.iterations),
            wording.time_left(news.seconds_left),
        ]
        Gimp.progress_set_text(", ".join(part for part in parts if part))
        Gimp.progress_update(news.fraction)
