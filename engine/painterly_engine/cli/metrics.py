"""``painterly metrics``: the engine's numbers as Prometheus reads them; needs the optional ``metrics`` extra.

A process of its own, so that the engine opens no port for it. Even on loopback nobody reads without the token, which
lies in an owner-only file.
"""

from __future__ import annotations

import argparse
import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from painterly_engine.cli.status import engine_facts
from painterly_protocol import paths
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import EngineState
from painterly_protocol.private_file import read_private, write_private

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

TOKEN_FILE = "metrics.token"
LOOPBACK = "127.0.0.1"
Wsgi = Callable[[Mapping[str, Any], Callable[..., Any]], Iterable[bytes]]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("metrics", help="the engine's numbers for Prometheus")
    parser.add_argument("--serve", type=int, metavar="PORT", help=f"answer at http://{LOOPBACK}:PORT/metrics")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print once, as for a textfile collector, or serve until Ctrl+C."""
    registry = make_registry()
    if arguments.serve is None:
        from prometheus_client import generate_latest

        print(generate_latest(registry).decode("utf-8"), end="")
        return 0
    file = paths.make_private(paths.keys_dir()) / TOKEN_FILE
    with make_server(LOOPBACK, arguments.serve, guarded(registry, token(file)), handler_class=_Quiet) as server:
        print(f"http://{LOOPBACK}:{server.server_port}/metrics; scrape it with credentials_file: {file}", flush=True)
        server.serve_forever()
    return 0


def token(file: Path) -> str:
    """What a scraper must show; made at the first call.

    Raises:
        PainterlyError: UNSAFE_FOLDER when others can read it, or it cannot be made.
    """
    try:
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
        return read_private(file, 200).decode("ascii").strip()
    except (OSError, ValueError) as error:
        raise PainterlyError(ErrorCode.UNSAFE_FOLDER, f"{file} cannot be used: {error}.", "Remove it.") from error


def make_registry() -> CollectorRegistry:
    """
    Raises:
        PainterlyError: BAD_REQUEST where the extra is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "prometheus-client is not installed.",
            "Install it where painterly is: pip install prometheus-client.",
        ) from error
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Engine())
    return registry


class _Engine:
    """Asks the engine anew at each scrape; one that is absent is a number, too."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        try:
            facts = engine_facts()
        except PainterlyError as error:
            facts = {"state": EngineState.ABSENT.value if error.code is ErrorCode.ENGINE_ABSENT else "unknown"}
        states = GaugeMetricFamily("painterly_state", "1 for the state the engine is in.", labels=["state"])
        for state in (*(each.value for each in EngineState), "unknown"):
            states.add_metric([state], float(facts["state"] == state))
        yield states
        for name, key, text in _GAUGES:
            if key in facts:
                yield GaugeMetricFamily(name, text, value=_number(facts[key]))
        for name, key, text in _COUNTERS:
            if key in facts:
                yield CounterMetricFamily(name, text, value=_number(facts[key]))
        ended = facts.get("jobs_ended")
        if isinstance(ended, Mapping):
            jobs = CounterMetricFamily("painterly_jobs", "Jobs that have ended, by outcome.", labels=["outcome"])
            for outcome, count in ended.items():
                jobs.add_metric([outcome], _number(count))
            yield jobs
        yield from _durations(facts)


_GAUGES = (
    ("painterly_jobs_waiting", "queued", "Jobs that wait."),
    ("painterly_uptime_seconds", "uptime_s", "Since the engine started."),
)
_COUNTERS = (
    ("painterly_jobs_retried", "jobs_retried", "Jobs begun anew because their worker died."),
    ("painterly_messages_refused", "messages_refused", "Messages that were refused."),
    ("painterly_workers_started", "workers_started", "Workers that were started."),
)
_DURATIONS = (
    ("painterly_wait_seconds", "waited_s", "in the queue"),
    ("painterly_run_seconds", "ran_s", "in the worker"),
)


def _durations(facts: Mapping[str, object]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for name, key, where in _DURATIONS:
        values = facts.get(key)
        if not isinstance(values, Mapping):
            continue
        yield CounterMetricFamily(name, f"Seconds of all jobs {where}, summed.", value=_number(values.get("sum")))
        recent = GaugeMetricFamily(f"{name}_recent", f"Percentiles of recent jobs' seconds {where}.", labels=["share"])
        for share in ("p50", "p99"):
            if share in values:
                recent.add_metric([share], _number(values[share]))
        yield recent


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def guarded(registry: CollectorRegistry, secret: str) -> Wsgi:
    """The exposition as a WSGI application that answers only to ``Authorization: Bearer <secret>``."""
    from prometheus_client import make_wsgi_app

    inner = make_wsgi_app(registry)

    def application(environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        shown = str(environ.get("HTTP_AUTHORIZATION", ""))
        if not hmac.compare_digest(shown.encode("utf-8", "replace"), f"Bearer {secret}".encode()):
            start("401 Unauthorized", [("Content-Type", "text/plain"), ("WWW-Authenticate", "Bearer")])
            return [b"The token is missing or wrong.\n"]
        answer: Iterable[bytes] = inner(environ, start)
        return answer

    return application


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """A line for each scrape would only fill the terminal."""
