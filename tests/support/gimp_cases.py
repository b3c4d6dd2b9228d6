"""Harmonizing images inside a real GIMP with a fake engine, and what must hold afterwards in every case."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.fake_engine import FakeEngine
from support.gimp_house import GimpHouse, Profile

# After a test's own source has made image and layers (and options, if it likes).
HARMONIZE = """
import json
options = globals().get("options", {})
before, selected_before = stack(image), selection(image)
answer = harmonize(image, layers, **options)
result = {"status": answer["status"], "message": answer["message"], "before": before, "after": stack(image),
          "selection_kept": selection(image) == selected_before, "images": len(Gimp.get_images())}
made = answer["values"][0] if answer["status"] == "success" else None
if made is not None:
    result["layer"] = {**described(made), "rgba": pixels(made), "coverage": pixels(made.get_mask(), MASK),
                       "selected": image.get_selected_layers() == [made],
                       "mode": made.get_mode().value_nick,
                       "note": bytes(made.get_parasite("painterly-harmonize").get_data()).decode()}
options = {}
"""


@dataclass(frozen=True)
class Outcome:
    """What one call of our procedure did. ``job`` is the engine's job for it; "" means its last one."""

    answer: dict[str, Any]
    engine: FakeEngine
    job: str = ""

    @property
    def layer(self) -> dict[str, Any]:
        layer: dict[str, Any] = self.answer["layer"]
        return layer

    @property
    def note(self) -> dict[str, Any]:
        note: dict[str, Any] = json.loads(self.layer["note"])
        return note

    def sent(self, name: str) -> bytes:
        """The samples of "painting", "composite" or "mask" as they reached the engine."""
        job = self.job or self.engine.messages("submit")[-1]["job_id"]
        return (self.engine.saved / f"{job}-{name}.raw").read_bytes()

    def shape(self, name: str) -> list[int]:
        """[height, width, channels] of a picture as it reached the engine."""
        shape: list[int] = self.engine.messages("submit")[-1][name]["shape"]
        return shape

    def check_done(self, object_name: str, hidden: bool = True) -> None:
        """One new layer just above the object; apart from the object's visibility nothing else changed."""
        assert self.answer["status"] == "success", self.answer["message"]
        after = copy.deepcopy(self.answer["after"])
        siblings = _siblings_of(after, object_name)
        place = [layer["name"] for layer in siblings].index(object_name)
        made = siblings.pop(place - 1)
        assert made["name"] == f"Harmonized: {object_name}"
        assert siblings[place - 1]["visible"] is not hidden
        siblings[place - 1]["visible"] = _named(self.answer["before"], object_name)["visible"]
        assert _without_group_pixels(after) == _without_group_pixels(self.answer["before"])
        assert self.answer["selection_kept"]
        assert self.answer["images"] == 1, "a scratch image was left behind"

    def check_refused(self, *words: str) -> None:
        """EXECUTION_ERROR with a sentence that holds ``words``, and nothing changed."""
        assert self.answer["status"] == "execution-error"
        for word in words:
            assert word in self.answer["message"]
        self.check_unchanged()

    def check_unchanged(self) -> None:
        assert self.answer["after"] == self.answer["before"]
        assert self.answer["selection_kept"]
        assert self.answer["images"] == 1, "a scratch image was left behind"
        assert "Traceback" not in self.answer["message"]


@dataclass(frozen=True)
class Workplace:
    """A GIMP profile with our plug-in, and a fake engine running where the plug-in looks for one."""

    profile: Profile
    engine: FakeEngine

    def harmonize(self, source: str, **values: object) -> Outcome:
        """Run ``source``, which makes ``image``, ``layers`` and perhaps ``options``, then our procedure."""
        return Outcome(self.profile.run(source + HARMONIZE, **values), self.engine)


@contextlib.contextmanager
def workplace(
    house: GimpHouse, steps: Sequence[Mapping[str, Any]] = (), *, script: Mapping[str, Any] | None = None
) -> Iterator[Workplace]:
    """A fresh profile and a fake engine that plays ``steps``, by default the composite inverted under the mask."""
    played = steps or [{"do": "progress", "fraction": 0.5}, {"do": "result", "how": "invert"}]
    with house.profile() as profile, FakeEngine(Path(profile.folder), played, script=script) as engine:
        yield Workplace(profile, engine)


def _siblings_of(layers: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The list that holds the layer called ``name``, however deep; empty if there is none."""
    if any(layer["name"] == name for layer in layers):
        return layers
    found = (_siblings_of(layer["children"], name) for layer in layers)
    return next((siblings for siblings in found if siblings), [])


def _named(layers: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(layer for layer in _siblings_of(layers, name) if layer["name"] == name)


def _without_group_pixels(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A group's pixels are what it holds, rendered: a new layer in it changes them, and nothing is lost."""
    return [
        {**layer, "pixels": None, "children": _without_group_pixels(layer["children"])} if layer["children"] else layer
        for layer in layers
    ]
