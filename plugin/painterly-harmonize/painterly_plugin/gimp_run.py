"""In which order: choose, read, ask, let the engine work, insert."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin import settings, wording  # noqa: E402
from painterly_plugin.config import Config, load_config  # noqa: E402
from painterly_plugin.conversation import Conversation  # noqa: E402
from painterly_plugin.estimate import Estimate, estimate, load_runs, pace, run_of, save_run, working_size  # noqa: E402
from painterly_plugin.gimp_choose import Choice, choose_layers  # noqa: E402
from painterly_plugin.gimp_insert import insert_result  # noqa: E402
from painterly_plugin.gimp_read import Subject, read_at_once  # noqa: E402
from painterly_plugin.language import _, said  # noqa: E402
from painterly_plugin.steps import Steps, at_once  # noqa: E402
from painterly_plugin.ways import Client, elsewhere, ensure_engine  # noqa: E402
from painterly_protocol.messages import Progress, Queued, Result  # noqa: E402
from painterly_protocol.request import HarmonizeRequest, Parameters  # noqa: E402

POLL_S = 0.05
RUNS_FILE = "painterly-harmonize-runs.json"
ARGUMENTS = (
    *("preset", "strength", "detail", "genre", "stylization", "mask-growth", "edge-softness", "seed"),
    *("method", "size", "iterations", "weights"),
)


@dataclass(frozen=True)
class Job:
    """A job under way: what was read and asked, and the talk with the engine about it."""

    subject: Subject
    asked: Mapping[str, object]
    parameters: Parameters
    conversation: Conversation


@dataclass(frozen=True)
class Bench:
    """What a run works on; knows how to begin a job on it, as often as the user likes."""

    image: Gimp.Image
    choice: Choice
    arguments: Gimp.ProcedureConfig
    config: Config
    pace: float = field(default_factory=pace)

    def with_choice(self, choice: Choice) -> Bench:
        return replace(self, choice=choice)

    def asked(self) -> dict[str, object]:
        """The arguments' values now."""
        return {name: self.arguments.get_property(name) for name in ARGUMENTS}

    @property
    def takes_outline_over(self) -> bool:
        """Whether the mask is an earlier result's, in which the outline is moved and softened already."""
        return self.choice.earlier is not None and Gimp.Selection.is_empty(self.image)

    def edges(self) -> settings.Edges:
        return settings.edges_from(self.asked())

    def begin(self, subject: Subject, *, previews: bool) -> Job:
        """Send what was read to the engine.

        Raises:
            PainterlyError: what ``Parameters`` refuses.
        """
        asked = self.asked()
        parameters = settings.parameters_from(asked, previews=previews)
        pictures = subject.painting, subject.composite, subject.mask
        style, style_mask = (None, None) if subject.style is None else (subject.style.picture, subject.style.mask)
        request = HarmonizeRequest(*pictures, parameters=parameters, style=style, style_mask=style_mask, as_layer=True)
        # Nobody looks at a sketch where there is no preview.
        first = settings.sketch_of(parameters) if previews else None
        sketch = None if first is None else replace(request, parameters=first, as_layer=False)
        return Job(subject, asked, parameters, Conversation(self._connect, request, sketch))

    def estimate(self, subject: Subject) -> Estimate:
        """What a job with the arguments as they are would take.

        Raises:
            PainterlyError: what ``Parameters`` refuses.
        """
        parameters = settings.parameters_from(self.asked(), previews=False)
        style = 0 if subject.style is None else subject.style.picture.width * subject.style.picture.height
        runs = load_runs(runs_file())
        return estimate(parameters, subject.area.pixels + style, runs, side=_side(subject), pace=self.pace)

    def size(self) -> int:
        """The working size that the arguments lead to, as far as earlier runs tell."""
        parameters = settings.parameters_from(self.asked(), previews=False)
        return working_size(parameters, load_runs(runs_file()))

    def finish(self, job: Job, result: Result) -> Steps[Gimp.Layer]:
        """Insert the result of ``job``; until the last step the image is untouched."""
        chosen = self.choice.object_layer, self.choice.painting_layer, self.choice.style
        note = settings.layer_note(job.asked, result.metadata, self.config.version, *map(_trace, chosen))
        hide = self.arguments.get_property("hide-object")
        layer = yield from insert_result(self.image, self.choice, job.subject, result, note, hide)
        if run := run_of(job.parameters, result.metadata, _side(job.subject)):
            save_run(runs_file(), run)
        for warning in settings.warnings_in(result.metadata):
            Gimp.message(said(warning))
        return layer

    def reaching(self) -> str:
        """What to say until the engine answers; one on another machine is named, because the picture is sent there."""
        place = elsewhere(self.config)
        return _("Asking the engine at {place}").format(place=place) if place else _("Starting the engine")

    def _connect(self, on_wait: Callable[[float], None]) -> Client:
        return ensure_engine(self.config, on_wait)


def _side(subject: Subject) -> int:
    """The object's longest, in pixels."""
    return max(subject.mask_box.width, subject.mask_box.height)


def _trace(item: Gimp.Item | None) -> settings.Trace:
    is_there = item is not None and item.is_valid()
    return settings.Trace(item.get_tattoo(), item.get_name()) if is_there else settings.NOTHING


def runs_file() -> Path:
    """Where GIMP keeps what plug-ins remember."""
    return Path(Gimp.directory()) / "plug-in-settings" / RUNS_FILE


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
    choice = choose_layers(image, drawables, arguments.get_property("style-source"))
    bench = Bench(image, choice, arguments, config)
    if run_mode == Gimp.RunMode.INTERACTIVE:
        # Loading GTK takes a while, and a console GIMP has no display for it.
        from painterly_plugin.gimp_ask import ask_and_work

        return ask_and_work(procedure, bench)
    return _work_with_progress_bar(bench)


def _work_with_progress_bar(bench: Bench) -> Gimp.Layer:
    Gimp.progress_init(bench.reaching())
    # Nobody has asked for these edges on top of those that the earlier result has.
    edges = settings.Edges() if bench.takes_outline_over else bench.edges()
    job = bench.begin(read_at_once(bench.image, bench.choice, edges), previews=False)
    try:
        while True:
            for news in job.conversation.news(POLL_S):
                if isinstance(news, Exception):
                    raise news
                if isinstance(news, Result):
                    return at_once(bench.finish(job, news))
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
