"""``painterly train-features``: the built-in network and its decoders, in one command."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from painterly_engine.instant.decoder import decoder_tensors
from painterly_engine.network.layouts import Recognised
from painterly_engine.network.store import Passport, file_sha256, read_safetensors, store_in
from painterly_engine.training import decoders, distill, pictures, teachers
from painterly_engine.training.crops import Crops
from painterly_engine.training.distill import Log, Plan

SOURCE = "painterly train-features"
LICENCE = "MIT; distilled from VGG-19 (CC BY 4.0) and Collaborative Distillation's compressed VGG-19 (MIT)"


def train_features(arguments: argparse.Namespace) -> int:
    """Train the network, then its decoders; save and log; ends with the SHA-256 of what was made."""
    panel = teachers.panel(arguments.teacher, arguments.deep_teacher)
    gallery, device, log = _prepare(arguments)
    for teacher in panel:
        log(f"teacher {teacher.network.name} sha256 {teacher.network.sha256} for {', '.join(teacher.layers)}")
    _features(arguments, Crops(gallery, arguments.crop), panel, device, log)
    _decoders(arguments, gallery, device, log)
    return 0


def train_decoders(arguments: argparse.Namespace) -> int:
    """Train the decoders of the slim.safetensors that is in the output folder already."""
    _decoders(arguments, *_prepare(arguments))
    return 0


def _prepare(arguments: argparse.Namespace) -> tuple[list[pictures.Array], torch.device, Log]:
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    arguments.output.mkdir(parents=True, exist_ok=True)
    log = _logger(arguments.output / "train.log")
    device = torch.device(arguments.device)
    log(f"torch {torch.__version__}, {device}, {arguments.threads} threads, seed {arguments.seed}")
    files = pictures.photograph_files()
    log(f"photographs: {', '.join(file.name for file in files) or 'none'}")
    gallery = pictures.gallery(arguments.seed, arguments.pictures, 320)
    log(f"{len(gallery)} pictures")
    return gallery, device, log


def _features(
    arguments: argparse.Namespace,
    crops: Crops,
    panel: tuple[teachers.Teacher, ...],
    device: torch.device,
    log: Log,
) -> None:
    plan = Plan(seed=arguments.seed, steps=arguments.steps)
    log(f"{plan}, crops of {crops.size} px")
    placed = [teacher.to(device) for teacher in panel]
    notes = f"{len(crops.gallery)} pictures, {plan.steps} steps, seed {plan.seed}; photographs: " + ", ".join(
        file.name for file in pictures.photograph_files()
    )
    notes += "; teachers: " + ", ".join(f"{one.network.name} {one.network.sha256}" for one in panel)

    def keep(network: Recognised) -> Passport:
        return store_in(arguments.output, "slim", network, SOURCE, "", LICENCE, notes)

    def snapshot(network: Recognised) -> None:
        keep(network)

    passport = keep(distill.distill(crops, placed, plan, device, log, snapshot))
    log(f"slim.safetensors sha256 {passport.sha256}")


def _decoders(arguments: argparse.Namespace, gallery: list[pictures.Array], device: torch.device, log: Log) -> None:
    crops = Crops(gallery, arguments.decoder_crop)
    network = read_safetensors(arguments.output / "slim.safetensors").network("slim")
    plan = replace(Plan(seed=arguments.seed, steps=arguments.decoder_steps), crops=8, rate=1e-3)
    log(f"{plan.crops} crops of {crops.size} px a step, rate {plan.rate}")
    trained = decoders.train_decoders(crops, network, plan, device, log)
    file = arguments.output / "slim_decoders.safetensors"
    save_file(decoder_tensors(trained), file)
    source = file_sha256(arguments.output / "slim.safetensors")
    notes = (
        f"{len(crops.gallery)} pictures, crops of {crops.size} px, {plan.steps} steps, seed {plan.seed}, half precision"
    )
    passport = Passport("slim_decoders", SOURCE, source, file_sha256(file), LICENCE, notes)
    file.with_suffix(".json").write_text(json.dumps(asdict(passport), indent=1) + "\n", encoding="utf-8")
    log(f"slim_decoders.safetensors sha256 {passport.sha256}")


def _logger(file: Path) -> Log:
    """Each line to the terminal and, with the time, to a file."""
    stream = file.open("a", encoding="utf-8")

    def log(line: str) -> None:
        print(line, flush=True)
        stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        stream.flush()

    return log
