"""One job in its thread, against the fake engine: over a real socket, and through the bridge of a Python without
pyzmq. Both ways keep the same contract."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from painterly_plugin import engine_room, ways
from painterly_plugin.config import Config
from painterly_plugin.conversation import Connect, Conversation, News, Sketch
from painterly_plugin.ways import BridgedClient
from painterly_protocol.client import EngineClient, connect
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Preview, Progress, Queued, Result
from painterly_protocol.pixels import Pixels, SampleType
from painterly_protocol.request import HarmonizeRequest, Parameters
from support.fake_engine import FakeEngine, wait_until


def request_of(width: int = 4, height: int = 3) -> HarmonizeRequest:
    rgb = Pixels(height, width, 3, SampleType.UINT8, bytes(i % 251 for i in range(width * height * 3)))
    mask = Pixels(height, width, 1, SampleType.UINT8, b"\xff" * (width * height))
    return HarmonizeRequest(rgb, rgb, mask)


Way = Callable[[FakeEngine], Connect]


def by_socket(engine: FakeEngine) -> Connect:
    return lambda _on_wait: connect(engine.runtime_dir)


def by_bridge(engine: FakeEngine) -> Connect:
    config = Config((sys.executable, "-c", "raise SystemExit('no engine is started here')"), engine.runtime_dir)
    return lambda on_wait: BridgedClient(config, on_wait)


@pytest.fixture(params=[by_socket, by_bridge])
def to(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


def all_news(conversation: Conversation) -> list[News]:
    items: list[News] = []

    def over() -> bool:
        items.extend(conversation.news(0.05))
        return conversation.is_over

    wait_until(over)
    return items


def test_news_arrive_in_order_and_end_in_the_result(to: Way, tmp_path: Path) -> None:
    steps = [
        {"do": "queued", "position": 2},
        {"do": "progress", "fraction": 0.25, "iteration": 1, "iterations": 4},
        {"do": "preview"},
        {"do": "result", "how": "invert"},
    ]
    with FakeEngine(tmp_path, steps) as engine:
        news = all_news(Conversation(to(engine), request_of()))
    assert [type(item) for item in news] == [Queued, Progress, Preview, Result]
    result = news[-1]
    assert isinstance(result, Result)
    assert bytes(result.picture.data) == bytes(255 - value for value in range(36))


def test_cancel_reaches_the_engine(to: Way, tmp_path: Path) -> None:
    steps = [{"do": "progress", "fraction": 0.1}, {"do": "silence"}]
    with FakeEngine(tmp_path, steps) as engine:
        conversation = Conversation(to(engine), request_of())
        wait_until(lambda: any(isinstance(item, Progress) for item in conversation.news(0.05)))
        conversation.cancel()
        last = all_news(conversation)[-1]
        assert engine.wait_for("cancel")["job_id"] == engine.wait_for("submit")["job_id"]
    assert isinstance(last, PainterlyError)
    assert last.code is ErrorCode.CANCELLED


def test_a_result_after_cancel_is_not_delivered(to: Way, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    script = {"ignore_cancel": True, "jobs": [[{"do": "wait", "file": str(hold)}, {"do": "result"}]]}
    with FakeEngine(tmp_path, script=script) as engine:
        conversation = Conversation(to(engine), request_of())
        engine.wait_for("submit")
        conversation.cancel()
        engine.wait_for("cancel")
        hold.touch()
        news = all_news(conversation)
    assert [type(item) for item in news] == [PainterlyError]


@pytest.mark.parametrize("ending", ["vanish", "failure"])
def test_the_end_of_the_engine_is_news(to: Way, tmp_path: Path, ending: str) -> None:
    steps = [{"do": ending, "code": "out-of-memory", "sentence": "Too large.", "advice": "Take less."}]
    with FakeEngine(tmp_path, steps) as engine:
        last = all_news(Conversation(to(engine), request_of()))[-1]
    assert isinstance(last, PainterlyError)
    assert last.code is (ErrorCode.ENGINE_GONE if ending == "vanish" else ErrorCode.OUT_OF_MEMORY)


def test_an_engine_that_does_not_start_is_news() -> None:
    def fail(_on_wait: Callable[[float], None]) -> EngineClient:
        raise PainterlyError(ErrorCode.ENGINE_START_FAILED, "It did not start.", "Look.")

    news = all_news(Conversation(fail, request_of()))
    assert [str(item) for item in news] == ["It did not start. Look."]


def test_cancel_ends_the_wait_for_an_engine_that_is_starting() -> None:
    waiting = threading.Event()

    def start(on_wait: Callable[[float], None]) -> EngineClient:
        while True:
            on_wait(0.0)
            waiting.set()
            time.sleep(0.01)

    conversation = Conversation(start, request_of())
    assert waiting.wait(60)
    conversation.cancel()
    last = all_news(conversation)[-1]
    assert isinstance(last, PainterlyError)
    assert last.code is ErrorCode.CANCELLED


def test_cancel_does_not_wait_for_anybody(to: Way, tmp_path: Path) -> None:
    """The window's thread calls it: an engine that does not answer must not hold it up."""
    script = {"ignore_cancel": True, "jobs": [[{"do": "progress", "fraction": 0.1}, {"do": "silence"}]]}
    with FakeEngine(tmp_path, script=script) as engine:
        conversation = Conversation(to(engine), request_of())
        engine.wait_for("submit")
        conversation.cancel()
        assert not conversation.is_over
        engine.wait_for("cancel")


def test_many_pixels_go_both_ways(to: Way, tmp_path: Path) -> None:
    with FakeEngine(tmp_path, [{"do": "result", "how": "same", "box": "whole"}]) as engine:
        request = request_of(400, 300)
        result = all_news(Conversation(to(engine), request))[-1]
    assert isinstance(result, Result)
    assert bytes(result.picture.data) == bytes(request.composite.data)


def test_a_bridge_without_an_engine_says_so(tmp_path: Path) -> None:
    config = Config((sys.executable, "-c", "raise SystemExit(3)"), tmp_path / "run")
    with pytest.raises(PainterlyError) as absent:
        BridgedClient(config, start=False)
    assert absent.value.code is ErrorCode.ENGINE_ABSENT
    with pytest.raises(PainterlyError) as failed:
        BridgedClient(config)
    assert failed.value.code is ErrorCode.ENGINE_START_FAILED
    with pytest.raises(PainterlyError, match=r"install\.py"):
        BridgedClient(Config(("/nowhere/python",)))


def test_the_engine_room_works_through_the_bridge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ways, "has_zmq", lambda: False)
    with FakeEngine(tmp_path) as engine:
        config = Config((sys.executable, "-m", "nothing"), engine.runtime_dir)
        found = engine_room.status(config)
        assert found is not None
        assert found.state.value == "ready"
        engine_room.stop(config)
        assert engine.messages("shutdown")
    assert engine_room.status(config) is None


def test_the_engine_drops_the_job_of_a_killed_bridge(tmp_path: Path) -> None:
    with FakeEngine(tmp_path, [{"do": "progress", "fraction": 0.5, "for_ever": True}]) as engine:
        client = by_bridge(engine)(lambda _seconds: None)
        client.submit(request_of())
        engine.wait_for("submit")
        assert isinstance(client, BridgedClient)
        client._process.kill()
        client._process.wait()
        engine.wait_for("client-gone")


def test_the_plug_in_needs_no_zmq_to_load(tmp_path: Path) -> None:
    """A Python in which pyzmq cannot be loaded still gets as far as the bridge."""
    (tmp_path / "zmq.py").write_text("raise ImportError('made for another Python')")
    source = "from painterly_plugin import conversation, engine_room, ways; print(ways.has_zmq())"
    path = [str(tmp_path), *(part for part in sys.path if part)]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {source}"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


def test_a_sketch_comes_first(to: Way, tmp_path: Path) -> None:
    """Of it one hears its place in the queue, and what it is; the progress is the picture's."""
    script = {
        "sketch": [{"do": "queued", "position": 2}, {"do": "progress", "fraction": 0.9}, {"do": "result"}],
        "jobs": [[{"do": "progress", "fraction": 0.1}, {"do": "result", "how": "invert"}]],
    }
    with FakeEngine(tmp_path, script=script) as engine:
        request = request_of()
        news = all_news(Conversation(to(engine), request, replace(request, parameters=Parameters(preset="instant"))))
    assert [type(item) for item in news] == [Queued, Sketch, Progress, Result]


def test_a_sketch_that_fails_is_nobodys_loss(to: Way, tmp_path: Path) -> None:
    with FakeEngine(tmp_path, [{"do": "result"}]) as engine:
        request = request_of()
        news = all_news(Conversation(to(engine), request, replace(request, parameters=Parameters(preset="instant"))))
    assert [type(item) for item in news] == [Result]
