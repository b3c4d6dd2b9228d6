"""One job in its thread, against the fake engine over a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from painterly_plugin.conversation import Connect, Conversation, News
from painterly_protocol.client import EngineClient, connect
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.messages import Preview, Progress, Queued, Result
from painterly_protocol.pixels import Pixels, SampleType
from painterly_protocol.request import HarmonizeRequest
from support.fake_engine import FakeEngine, wait_until


def request_of(width: int = 4, height: int = 3) -> HarmonizeRequest:
    rgb = Pixels(height, width, 3, SampleType.UINT8, bytes(range(width * height * 3)))
    mask = Pixels(height, width, 1, SampleType.UINT8, b"\xff" * (width * height))
    return HarmonizeRequest(rgb, rgb, mask)


def to(engine: FakeEngine) -> Connect:
    return lambda _on_wait: connect(engine.runtime_dir)


def all_news(conversation: Conversation) -> list[News]:
    items: list[News] = []

    def over() -> bool:
        items.extend(conversation.news(0.05))
        return conversation.is_over

    wait_until(over)
    return items


def test_news_arrive_in_order_and_end_in_the_result(tmp_path: Path) -> None:
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


def test_cancel_reaches_the_engine(tmp_path: Path) -> None:
    steps = [{"do": "progress", "fraction": 0.1}, {"do": "silence"}]
    with FakeEngine(tmp_path, steps) as engine:
        conversation = Conversation(to(engine), request_of())
        wait_until(lambda: any(isinstance(item, Progress) for item in conversation.news(0.05)))
        conversation.cancel()
        last = all_news(conversation)[-1]
        assert engine.wait_for("cancel")["job_id"] == engine.wait_for("submit")["job_id"]
    assert isinstance(last, PainterlyError)
    assert last.code is ErrorCode.CANCELLED


def test_a_result_after_cancel_is_not_delivered(tmp_path: Path) -> None:
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
def test_the_end_of_the_engine_is_news(tmp_path: Path, ending: str) -> None:
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
