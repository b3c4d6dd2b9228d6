"""Small parts of the worker: what counts as out of memory, previews, logs."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import PIL.Image
import PIL.ImageFile
import pytest
import torch
import zmq

from painterly_engine.progress import SILENT
from painterly_engine.service import log
from painterly_engine.service.line import open_line
from painterly_engine.service.memory import bound_memory
from painterly_engine.service.preview import LONGEST, preview
from painterly_engine.service.runner import harmonizing_runner
from painterly_engine.service.supervisor import environment
from painterly_engine.shortage import is_out_of_memory
from painterly_protocol import keys
from painterly_protocol.errors import ErrorCode
from painterly_protocol.listener import Transport
from painterly_protocol.pixels import SampleType
from support import real_jobs
from support.failing import caught


def test_memory_that_torch_cannot_get_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("could not create a primitive"))
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(ValueError("can't allocate memory"))


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_DATA")
@pytest.mark.parametrize(("most_gb", "share"), [(6, 0.25), (48, 1.0)])
def test_a_cards_memory_is_bounded_as_the_machines_is(
    monkeypatch: pytest.MonkeyPatch, most_gb: int, share: float
) -> None:
    """The card itself stands in: one of 24 GB. That torch keeps to its share is torch's to test."""
    import resource

    asked: dict[str, object] = {}
    card = SimpleNamespace(total_memory=24 * 10**9)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: card)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda part: asked.update(card=part))
    monkeypatch.setattr(resource, "setrlimit", lambda which, bounds: asked.update({str(which): bounds[0]}))
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    bound_memory(most_gb * 10**9)
    assert asked == {"card": pytest.approx(share), str(resource.RLIMIT_DATA): most_gb * 10**9}


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    assert "OMP_NUM_THREADS" not in environment(None, 1)
    assert environment(None, 3)["OMP_NUM_THREADS"] == "2"
    assert environment("1", 16)["OMP_NUM_THREADS"] == environment("1", 16)["CUDA_VISIBLE_DEVICES"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert environment(None, 3)["OMP_NUM_THREADS"] == "5", "what somebody has chosen stays"


def test_a_job_decodes_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """What travels are samples: files are decoded by clients only. (``published`` decodes a JPEG of its own making.)"""

    def decode(*_: object, **__: object) -> None:
        raise AssertionError("the engine decodes an image")

    monkeypatch.setattr(PIL.Image, "open", decode)
    monkeypatch.setattr(PIL.ImageFile.Parser, "feed", decode)
    job = real_jobs.picture(64, 1)
    job = replace(job, parameters=replace(job.parameters, preset="draft"))
    assert harmonizing_runner()(job, SILENT).picture.width


def test_a_preview_shows_the_picture_and_survives_anything_in_it() -> None:
    image = torch.zeros(3, 2, 3)
    image[0, 0, 0], image[1, 0, 1], image[2, 1, 2], image[0, 1, 0] = 1.0, 0.5, 7.0, float("nan")
    image[1, 1, 1] = -3.0
    pixels = preview(image)
    assert (pixels.height, pixels.width, pixels.channels, pixels.sample_type) == (2, 3, 3, SampleType.UINT8)
    assert bytes(pixels.data) == bytes([255, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255])


def test_a_large_picture_is_averaged_down() -> None:
    image = torch.full((3, 2 * LONGEST, LONGEST), 0.2)
    image[:, ::2] = 0.6
    pixels = preview(image)
    assert (pixels.height, pixels.width) == (LONGEST, LONGEST // 2)
    assert set(bytes(pixels.data)) == {102}
    assert preview(torch.zeros(3, 1, 5000)).height == 1


def test_logs_rotate_and_every_file_is_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAINTERLY_LOG_DIR", str(tmp_path / "log"))
    monkeypatch.setattr(log, "MAX_BYTES", 300)
    root = logging.getLogger()
    before, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    try:
        file = log.log_to_file("test.log")
        for number in range(40):
            root.info("line %d", number)
    finally:
        for handler in set(root.handlers) - set(before):
            handler.close()
            root.removeHandler(handler)
        root.setLevel(level)
        logging.raiseExceptions = raising
    files = sorted(file.parent.iterdir())
    assert [each.name for each in files] == ["test.log", *(f"test.log.{n}" for n in range(1, log.KEPT_FILES + 1))]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert "line 39" in files[0].read_text()


def test_no_client_writes_a_line_of_its_own_into_the_log() -> None:
    forged = "x\n2030-01-01 00:00:00 1 INFO server: event=engine-stops"
    line = log.told("job-failed", job=forged, worker=42, why=None)
    assert line.startswith('event=job-failed job="x\\n2030')
    assert line.endswith('" worker=42')
    assert "\n" not in line


@pytest.mark.skipif(sys.platform == "win32", reason="no such folder keeps a socket from its place there")
def test_a_worker_without_a_line_is_a_sentence(tmp_path: Path) -> None:
    """What would otherwise end the engine: its folder gone, or no more files to be opened."""
    with zmq.Context() as context:
        gate = keys.Gate(context)
        with caught(ErrorCode.WORKER_DIED) as error:
            open_line(context, gate, tmp_path / "gone", Transport.IPC)
        gate.close()
    assert "No such file" in error.value.sentence
    assert error.value.advice
