"""A scriptable engine: a real socket and a real runtime file, but a JSON script instead of an algorithm.

Run it as a process (it needs pyzmq, msgpack and ``painterly_protocol``, so it also runs in GIMP's own Python)::

    python tests/support/fake_engine.py --runtime-dir D --script S.json --log L.jsonl [--save DIR] [--transport tcp]

or from a test::

    with FakeEngine(tmp_path, [{"do": "progress", "fraction": 0.5}, {"do": "wait", "file": "/tmp/hold"},
                               {"do": "result", "how": "invert"}]) as engine:
        ...
        engine.messages("submit")       # what it received so far, from the log
        engine.wait_for("cancel")       # waits for such a message

The script is ``{"jobs": [[STEP, …], …], "hello": "welcome", "ignore_cancel": false}``; job number k plays the k-th list
(the last one again when there are no more). Steps:

=========================================  =========================================================================
``{"do": "queued", "position": 0}``        a Queued
``{"do": "progress", "phase": "pass-one",  a Progress; every field but ``fraction`` may be left out
"fraction": 0.3, "seconds_left": 12.0}``   with ``"for_ever": true``, again and again until its client is gone
``{"do": "preview", "rgb": [255, 0, 0],    a Preview of one colour
"width": 8, "height": 8}``
``{"do": "wait", "file": PATH}``           wait until PATH exists; Cancel, Status and Hello are answered meanwhile
``{"do": "result", "how": "invert"}``      a Result: ``invert`` the composite, ``tint`` it (half way to ``rgb``), or the
                                           composite as it came (``same``), inside the mask; elsewhere the painting.
                                           Asked for a layer, one whose alpha is the mask; outside the mask, in
                                           the box, ``"spill"`` (0 … 1): what a softened edge would show there
                                           ``"box": [x, y, w, h]``, default the mask's bounding box, or ``"whole"``
``{"do": "failure", "code": "…",           a Failure
"sentence": "…", "advice": "…"}``
``{"do": "vanish"}``                       end the process at once; the runtime file stays
``{"do": "silence"}``                      say nothing more about this job
=========================================  =========================================================================

A Cancel is answered by a Failure with CANCELLED and ends the job's steps, unless ``ignore_cancel``. ``hello`` may be
``welcome``, ``refuse`` (a Failure with VERSION_MISMATCH), ``future`` (an answer of protocol version 99) or ``silent``.
Every received message is a line of the log: ``{"kind": "submit", "job_id": …, "parameters": {…}, "painting": {"shape":
[h, w, c], "type": "uint8", "sha256": …}, …}``; with ``--save DIR`` the samples are ``DIR/JOB-painting.raw`` and so on.
Jobs of the preset ``instant``, which the plug-in sends ahead for a first look, play the steps under ``"sketch"`` (by
default a failure), and are of the kind ``sketch`` in the log.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgpack  # type: ignore[import-untyped]
import zmq

from painterly_protocol import remote, runtime, wire
from painterly_protocol.errors import PainterlyError
from painterly_protocol.listener import Listener, Peer, Transport
from painterly_protocol.messages import (
    PROTOCOL_VERSION,
    Cancel,
    EngineMessage,
    EngineState,
    Failure,
    Hello,
    Message,
    Phase,
    Preview,
    Progress,
    Queued,
    Result,
    Shutdown,
    Status,
    StatusQuery,
    Submit,
    Welcome,
)
from painterly_protocol.pixels import Pixels, SampleType
from painterly_protocol.request import HarmonizeRequest

Step = Mapping[str, Any]
DEADLINE_S = 180.0  # nothing waits so long where all is well, however busy the machine


# ---------------------------------------------------------------- the process


@dataclass
class _Job:
    client: Peer
    submit: Submit
    steps: list[Step]


class _Engine:
    def __init__(self, listener: Listener, script: Mapping[str, Any], log: Path, save: Path | None) -> None:
        self.listener = listener
        self.script = script
        self.log = log
        self.save = save
        self.submitted = 0
        self.jobs: dict[str, _Job] = {}
        self.running = True

    def serve(self) -> None:
        poller = zmq.Poller()
        self.listener.register(poller)
        self.listener.publish()
        while self.running:
            poller.poll(20)
            self.listener.answer_gate()
            self.listener.disconnections()
            for client, frames in self.listener.receive():
                self.receive(client, frames)
                self.play_all()  # before the next message: a quick Cancel must not overtake the first steps
            self.play_all()

    def receive(self, client: Peer, frames: Sequence[wire.Buffer]) -> None:
        try:
            message = wire.decode(frames)
        except PainterlyError as error:
            self.note({"kind": "undecodable", "code": error.code.value, "sentence": error.sentence})
            self.listener.send(client, Failure("", error.code.value, error.sentence, error.advice))
            return
        self.note(describe(message))
        if isinstance(message, Hello):
            self.greet(client)
        elif isinstance(message, Submit):
            self.accept(client, message)
        elif isinstance(message, Cancel):
            self.cancel(client, message)
        elif isinstance(message, StatusQuery):
            state = EngineState.BUSY if self.jobs else EngineState.READY
            self.listener.send(client, Status(state, next(iter(self.jobs), None), 0, {"fake": True}))
        elif isinstance(message, Shutdown):
            self.running = False

    def greet(self, client: Peer) -> None:
        how = self.script.get("hello", "welcome")
        if how == "welcome":
            self.listener.send(client, Welcome("fake", os.getpid()))
        elif how == "refuse":
            error = wire.version_mismatch(engine=99, client=PROTOCOL_VERSION)
            self.listener.send(client, Failure("", error.code.value, error.sentence, error.advice))
        elif how == "future":
            self.listener.socket.send_multipart([client.connection, msgpack.packb([99, "welcome", {}, []])])

    def accept(self, client: Peer, submit: Submit) -> None:
        if submit.job_id in self.jobs:
            return
        steps = self.steps_for(submit)
        self.jobs[submit.job_id] = _Job(client, submit, list(steps))
        if self.save is not None:
            save_pictures(submit, self.save)

    def steps_for(self, submit: Submit) -> list[Step]:
        """A sketch's, which do not count as a job's, or the next job's."""
        if is_sketch(submit):
            sketch: list[Step] = self.script.get("sketch", [{"do": "failure", "code": "bad-request"}])
            return sketch
        scripts: list[list[Step]] = self.script["jobs"]
        self.submitted += 1
        return scripts[min(self.submitted, len(scripts)) - 1]

    def cancel(self, client: Peer, message: Cancel) -> None:
        if self.script.get("ignore_cancel") or message.job_id not in self.jobs:
            return
        del self.jobs[message.job_id]
        self.listener.send(client, Failure(message.job_id, "cancelled", "The job was cancelled."))

    def play_all(self) -> None:
        for job in list(self.jobs.values()):
            self.play(job)

    def play(self, job: _Job) -> None:
        """Take the job's steps until one has to wait or ends it."""
        while job.steps:
            step = job.steps[0]
            if step["do"] == "silence" or (step["do"] == "wait" and not Path(step["file"]).exists()):
                return
            if not step.get("for_ever"):
                job.steps.pop(0)
            if step["do"] == "vanish":
                os._exit(9)
            if step["do"] == "wait":
                continue
            answer = _ANSWERS[step["do"]](job.submit, step)
            alive = self.listener.send(job.client, answer)
            if not alive:
                self.note({"kind": "client-gone", "job_id": job.submit.job_id})
            if not alive or isinstance(answer, Result | Failure):
                del self.jobs[job.submit.job_id]
                return
            if step.get("for_ever"):
                return

    def note(self, entry: Mapping[str, Any]) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _queued(submit: Submit, step: Step) -> EngineMessage:
    return Queued(submit.job_id, step.get("position", 0))


def _progress(submit: Submit, step: Step) -> EngineMessage:
    return Progress(
        submit.job_id,
        Phase(step.get("phase", "pass-one")),
        float(step["fraction"]),
        step.get("seconds_left"),
        step.get("iteration", 0),
        step.get("iterations", 0),
        step.get("losses", {}),
    )


def _preview(submit: Submit, step: Step) -> EngineMessage:
    width, height = step.get("width", 8), step.get("height", 8)
    samples = bytes(step.get("rgb", [128, 128, 128])) * (width * height)
    return Preview(submit.job_id, Pixels(height, width, 3, SampleType.UINT8, samples))


def _failure(submit: Submit, step: Step) -> EngineMessage:
    sentence = step.get("sentence", f"The script says {step['code']}.")
    return Failure(submit.job_id, step["code"], sentence, step.get("advice", ""))


def _result(submit: Submit, step: Step) -> EngineMessage:
    x, y, picture = harmonize(submit.request, step)
    told = {"network": {"name": "fake"}, "stylization": {"value": 2.5, "reason": "as asked for"}}
    metadata = {**told, "fake": True, "how": step.get("how", "invert"), **step.get("metadata", {})}
    return Result(submit.job_id, x, y, picture, metadata)


_ANSWERS: Mapping[str, Callable[[Submit, Step], EngineMessage]] = {
    "queued": _queued,
    "progress": _progress,
    "preview": _preview,
    "failure": _failure,
    "result": _result,
}


# ---------------------------------------------------------------- pictures, without numpy

_TYPECODES = {SampleType.UINT8: "B", SampleType.UINT16: "H", SampleType.FLOAT32: "f"}
_WHITE: Mapping[SampleType, float] = {SampleType.UINT8: 255, SampleType.UINT16: 65535, SampleType.FLOAT32: 1.0}


def samples_of(picture: Pixels) -> array[Any]:
    """The samples, row by row."""
    samples: array[Any] = array(_TYPECODES[picture.sample_type])
    samples.frombytes(bytes(picture.data))
    return samples


def mask_box(mask: Pixels) -> tuple[int, int, int, int]:
    """Bounding box (x, y, width, height) of the mask's samples above 0; the whole canvas if there are none."""
    samples = samples_of(mask)
    inside = [i for i, value in enumerate(samples) if value > 0]
    if not inside:
        return 0, 0, mask.width, mask.height
    columns = [i % mask.width for i in inside]
    left, top, bottom = min(columns), inside[0] // mask.width, inside[-1] // mask.width
    return left, top, max(columns) - left + 1, bottom - top + 1


def harmonize(request: HarmonizeRequest, step: Step) -> tuple[int, int, Pixels]:
    """What the fake returns for a ``result`` step: (x, y, picture)."""
    change = _changer(request.painting.sample_type, step)
    painting, composite, mask = (samples_of(p) for p in (request.painting, request.composite, request.mask))
    width = request.painting.width
    box = step.get("box", "mask")
    if box == "mask":
        box = mask_box(request.mask)
    elif box == "whole":
        box = (0, 0, width, request.painting.height)
    x, y, w, h = box
    out: array[Any] = array(painting.typecode)
    spill = type(painting[0])(step.get("spill", 0) * _WHITE[request.painting.sample_type])
    for pixel in (row * width + column for row in range(y, y + h) for column in range(x, x + w)):
        for channel in range(3):
            sample = pixel * 3 + channel
            out.append(change(composite[sample], channel) if mask[pixel] > 0 or spill else painting[sample])
        if request.as_layer:
            out.append(mask[pixel] or spill)
    return x, y, Pixels(h, w, 4 if request.as_layer else 3, request.painting.sample_type, out.tobytes())


def _changer(sample_type: SampleType, step: Step) -> Callable[[Any, int], Any]:
    white: Any = 1.0 if sample_type is SampleType.FLOAT32 else int(_WHITE[sample_type])
    how = step.get("how", "invert")
    if how == "invert":
        return lambda value, _channel: white - value
    if how == "same":
        return lambda value, _channel: value
    tint = [type(white)(part * _WHITE[sample_type] / 255) for part in step["rgb"]]
    halved = type(white)
    return lambda value, channel: halved((value + tint[channel]) / 2)


def save_pictures(submit: Submit, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in _pictures(submit.request).items():
        (folder / f"{submit.job_id}-{name}.raw").write_bytes(bytes(picture.data))


def _pictures(request: HarmonizeRequest) -> dict[str, Pixels]:
    pictures = {"painting": request.painting, "composite": request.composite, "mask": request.mask}
    if request.loose_mask is not None:
        pictures["loose_mask"] = request.loose_mask
    if request.style is not None:
        pictures["style"] = request.style
    if request.style_mask is not None:
        pictures["style_mask"] = request.style_mask
    return pictures


def is_sketch(message: Message) -> bool:
    """Whether it is the quick job that the plug-in's dialog sends ahead of the real one."""
    return isinstance(message, Submit) and message.request.parameters.preset == "instant"


def describe(message: Message) -> dict[str, Any]:
    """The log's entry for a received message; a sketch is of a kind of its own."""
    kind = next(kind for kind, message_type in wire.KINDS.items() if type(message) is message_type)
    kind = "sketch" if is_sketch(message) else kind
    if not isinstance(message, Submit):
        return {"kind": kind, **asdict(message)}
    pictures = {
        name: {
            "shape": [picture.height, picture.width, picture.channels],
            "type": picture.sample_type.value,
            "sha256": hashlib.sha256(picture.data).hexdigest(),
        }
        for name, picture in _pictures(message.request).items()
    }
    parameters = asdict(message.request.parameters)
    return {"kind": kind, "job_id": message.job_id, "parameters": parameters, **pictures}


# ---------------------------------------------------------------- for tests


class FakeEngine:
    """A fake engine in a process of its own; a context manager, ready when entered.

    ``steps`` is one job's list of steps, for every job; ``script`` replaces the whole script.
    """

    def __init__(
        self,
        folder: Path,
        steps: Sequence[Step] = (),
        *,
        script: Mapping[str, Any] | None = None,
        transport: Transport = Transport.IPC,
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        self.runtime_dir = folder / "run"
        self.saved = folder / "saved"
        self.log = folder / "fake-engine.jsonl"
        script_file = folder / "script.json"
        folder.mkdir(parents=True, exist_ok=True)
        script_file.write_text(json.dumps(script or {"jobs": [list(steps)]}))
        self.command = [
            *python,
            __file__,
            *("--runtime-dir", str(self.runtime_dir)),
            *("--script", str(script_file)),
            *("--log", str(self.log)),
            *("--save", str(self.saved)),
            *("--transport", transport.value),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> FakeEngine:
        self.process = subprocess.Popen(self.command)
        wait_until(lambda: (self.runtime_dir / "engine.json").exists() or self._process.poll() is not None)
        assert self._process.poll() is None, "the fake engine ended at once"
        return self

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def messages(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What it has received so far, all or one kind."""
        written = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        whole, _, _being_written = written.rpartition("\n")
        entries = [json.loads(line) for line in whole.splitlines()]
        return [entry for entry in entries if kind in (None, entry["kind"])]

    def wait_for(self, kind: str) -> dict[str, Any]:
        """The first message of ``kind``, waiting for it."""
        wait_until(lambda: self.messages(kind) != [])
        return self.messages(kind)[0]

    def invite(self, runtime_dir: Path) -> str:
        """Lead who looks into that folder to this engine (of transport TCP), as to one elsewhere; its HOST:PORT."""
        info = runtime.read(self.runtime_dir)
        secrets = info.server_key, info.client_public_key, info.client_secret_key
        remote.use(remote.Ticket(info.endpoint, "ada", *secrets), runtime_dir)
        return info.endpoint.removeprefix("tcp://")

    def kill(self) -> None:
        """SIGKILL: the runtime file and the socket stay behind."""
        self._process.kill()
        self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.kill()


def wait_until(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Wait for ``condition``; AssertionError if it does not come true in a generous time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runtime-dir", type=Path, required=True)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--transport", type=Transport)
    arguments = parser.parse_args()
    listener = Listener(arguments.runtime_dir, "fake", arguments.transport)
    script = json.loads(arguments.script.read_text(encoding="utf-8"))
    try:
        _Engine(listener, script, arguments.log, arguments.save).serve()
    finally:
        listener.withdraw()
        listener.close(linger_ms=200)


if __name__ == "__main__":
    main()
