"""``painterly status|stop|metrics|keys`` against a real engine with a scripted runner."""

from __future__ import annotations

import json
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import make_server

import pytest

from painterly_engine.cli import doctor, metrics
from painterly_engine.cli.main import main
from painterly_protocol import remote
from painterly_protocol.keyring import Keyring
from support import jobs
from support.real_engine import RealEngine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners and modes")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAINTERLY_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PAINTERLY_LOG_DIR", str(tmp_path / "log"))
    monkeypatch.setenv("PAINTERLY_KEYS_DIR", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RealEngine]:
    """Has run one job."""
    with RealEngine(tmp_path) as running:
        with running.connect() as client:
            client.run(jobs.request())
        yield running


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(list(words)) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


# ---------------------------------------------------------------- status and stop


def test_status_as_json_holds_state_queue_jobs_and_seconds(
    engine: RealEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = json.loads(said(capsys, "status", "--json"))
    assert (facts["state"], facts["running"], facts["queued"]) == ("ready", None, 0)
    assert facts["pid"] == engine.process.pid
    assert facts["jobs_ended"] == {"done": 1}
    assert facts["last_job"]["outcome"] == "done"
    assert 0 <= facts["waited_s"]["p50"] <= facts["waited_s"]["p99"]
    assert facts["ran_s"]["sum"] >= 0
    assert facts["limits"]["pixels"] > 0


@pytest.mark.usefixtures("engine")
def test_status_for_people_has_a_line_for_each_fact(capsys: pytest.CaptureFixture[str]) -> None:
    lines = dict(line.split(": ", 1) for line in said(capsys, "status").splitlines())
    assert lines["state"] == "ready"
    assert lines["jobs_ended"] == "done 1"
    assert lines["limits"].startswith("pixels ")


def test_no_engine_is_a_state_for_programs_and_a_sentence_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["state"], facts["code"]) == ("absent", "engine-absent")
    assert "not running" in said(capsys, "status", status=1)
    assert said(capsys, "stop") == "No engine is running.\n"


def test_stop_ends_the_engine(engine: RealEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "stop") == "The engine has stopped.\n"
    assert engine.process.wait(60) == 0


# ---------------------------------------------------------------- metrics


@pytest.mark.usefixtures("engine")
def test_metrics_are_what_prometheus_reads(capsys: pytest.CaptureFixture[str]) -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    families = {family.name: family for family in parser.text_string_to_metric_families(said(capsys, "metrics"))}
    states = {sample.labels["state"]: sample.value for sample in families["painterly_state"].samples}
    assert states["ready"] == 1
    assert sum(states.values()) == 1
    (ended,) = families["painterly_jobs"].samples
    assert (ended.name, ended.labels, ended.value) == ("painterly_jobs_total", {"outcome": "done"}, 1)
    assert {"painterly_jobs_waiting", "painterly_workers_started", "painterly_run_seconds"} <= families.keys()


def test_an_absent_engine_is_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("prometheus_client")
    assert 'painterly_state{state="absent"} 1.0' in said(capsys, "metrics")


@pytest.mark.usefixtures("engine")
def test_the_endpoint_answers_who_has_the_token_only(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    file = tmp_path / "token"
    secret = metrics.token(file)
    assert metrics.token(file) == secret
    assert file.stat().st_mode & 0o777 == 0o600
    application = metrics.guarded(metrics.make_registry(), secret)
    with make_server("127.0.0.1", 0, application, handler_class=metrics._Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/metrics"
            for shown in (None, "Bearer wrong", secret, "Bearer "):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    _get(url, shown)
                assert refused.value.code == 401
                refused.value.close()
            assert "painterly_state" in _get(url, f"Bearer {secret}")
        finally:
            server.shutdown()
            thread.join()


def _get(url: str, authorization: str | None) -> str:
    headers = {} if authorization is None else {"Authorization": authorization}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        text: str = answer.read().decode("utf-8")
    return text


# ---------------------------------------------------------------- keys


def test_a_key_is_made_listed_and_removed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = said(capsys, "keys", "add", "ada", "--engine", "gpu-box:5599")
    ticket = remote.read_ticket(tmp_path / "ada.ticket")
    assert ticket.client_secret_key not in told
    assert "painterly keys use ada.ticket" in told
    assert "--listen '*:5599'" in told
    listed = said(capsys, "keys", "list")
    assert "ada" in listed
    assert ticket.client_public_key in listed
    said(capsys, "keys", "remove", "ada")
    assert said(capsys, "keys", "list") == ""


def test_a_ticket_that_cannot_be_written_leaves_no_key(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = str(tmp_path / "nowhere" / "ada.ticket")
    assert "nowhere" in said(capsys, "keys", "add", "ada", "--engine", "gpu-box:5599", "-o", target, status=1)
    assert Keyring().names() == {}
    (tmp_path / "ada.ticket").write_text("precious")
    said(capsys, "keys", "add", "ada", "--engine", "gpu-box:5599", status=1)
    assert (tmp_path / "ada.ticket").read_text() == "precious"


def test_a_ticket_is_used_and_left(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said(capsys, "keys", "add", "ada", "--engine", "127.0.0.1:1")
    told = said(capsys, "keys", "use", "ada.ticket")
    assert "127.0.0.1:1" in told
    assert remote.in_use(tmp_path / "run") is not None
    assert "as ada" in said(capsys, "keys", "list")
    assert "does not answer" in said(capsys, "status", status=1)
    assert "own engine again" in said(capsys, "keys", "leave")
    assert "already" in said(capsys, "keys", "leave")
    assert "There is no file" in said(capsys, "keys", "use", "no.ticket", status=1)
    (tmp_path / "letter.ticket").write_text("Dear Ada")
    (tmp_path / "letter.ticket").chmod(0o600)
    assert "is not a ticket for an engine." in said(capsys, "keys", "use", "letter.ticket", status=1)


def test_the_doctor_looks_at_the_engine_that_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert [finding.text for finding in doctor._engine()] == ["not running; it starts when it is needed"]
    said(capsys, "keys", "add", "ada", "--engine", "127.0.0.1:1")
    said(capsys, "keys", "use", "ada.ticket")
    (finding,) = doctor._safely(doctor._engine)
    assert not finding.well
    assert "127.0.0.1:1 does not answer" in finding.text
