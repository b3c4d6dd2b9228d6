"""The working picture costs nothing where nobody looks at it, and looking changes no result."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from painterly_engine.bench import scenes
from painterly_engine.job import run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import SILENT, Observer
from painterly_engine.service.observer import JobObserver
from painterly_protocol.messages import Message, Phase, Preview, Submit
from painterly_protocol.request import HarmonizeRequest, Parameters


class Looking(Observer):
    def __init__(self) -> None:
        self.seen = 0

    def picture(self, make: Callable[[], Tensor]) -> None:
        assert make().isfinite().all()
        self.seen += 1


class Collecting:
    """A job's channel."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def receive(self) -> None:
        return None


def asked(preset: str, *, previews: bool = False) -> HarmonizeRequest:
    own = {"instant": {}, "published": {"size": 64, "iterations": 3}, "draft": {"size": 96, "iterations": 4}}[preset]
    parameters = Parameters(preset=preset, weights="slim", stylization=5.0, previews=previews, **own)  # type: ignore[arg-type]
    return scenes.request(90, 120, 50, parameters)


@pytest.mark.parametrize("preset", ["instant", "draft", "published"])
def test_who_looks_changes_nothing(preset: str) -> None:
    looking, shelf = Looking(), NetworkShelf()
    seen, unseen = (run_request(asked(preset), shelf, observer).picture for observer in (looking, SILENT))
    assert bytes(seen.data) == bytes(unseen.data)
    assert looking.seen


def test_pictures_are_made_for_previews_only() -> None:
    made = []

    def make() -> Tensor:
        made.append(1)
        return torch.zeros(3, 4, 5)

    for previews in (False, True):
        channel = Collecting()
        observer = JobObserver(channel, Submit("job", asked("draft", previews=previews)))
        observer.picture(make)
        observer.picture(make)
        observer.report(Phase.FINISHING, 0.0)
        shown = [message for message in channel.sent if isinstance(message, Preview)]
        # the first at once, the second, too soon after it, as the last of its phase
        assert len(made) == len(shown) == 2 * previews
