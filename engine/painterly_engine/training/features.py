"""``painterly train-features``: the built-in network and its decoders, in one command."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError

from painterly_engine.device import choose
from painterly_engine.instant.decoder import decoder_tensors
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.network.layouts import Recognised
from painterly_engine.network.store import (
    Passport,
    built_in_dir,
    corrupt,
    file_sha256,
    issue,
    read_safetensors,
    store_in,
    write_tensors,
)
from painterly_engine.training import decoders, distill, pictures, teachers
from painterly_engine.training.crops import Crops
from painterly_engine.training.distill import Log, Plan
from painterly_engine.training.folders import output_folder, writing
from painterly_protocol.errors import ErrorCode, PainterlyError

SOURCE = "painterly train-features"
NETWORK, LOG = "slim.safetensors", "train.log"


def train_features(arguments: argparse.Namespace) -> int:
    """Train the network, then its decoders; save and log; ends with the SHA-256 of what was made.

    Raises:
        PainterlyError: before anything long, for a device, teacher or output folder that will not do.
    """
    device = choose(arguments.device)
    panel = teachers.panel(arguments.teacher, arguments.deep_teacher)
    output_folder(arguments.output)
    log = _logger(arguments.output / LOG, "w")
    gallery = _prepare(arguments, device, log)
    for teacher in panel:
        log(f"teacher {teacher.network.name} sha256 {teacher.network.sha256} for {', '.join(teacher.layers)}")
    _features(arguments, Crops(gallery, arguments.crop), panel, device, log)
    _decoders(arguments, gallery, *_trained(arguments.output), device, log)
    folder, file = (shlex.quote(str(path)) for path in (arguments.output, arguments.output / NETWORK))
    print(
        f"To paint with the network: painterly harmonize --weights {file} …; its decoders are read only from the "
        f"package: run painterly train-stylization --weights {file} -o {folder} …, then copy all files of {folder} to "
        f"{built_in_dir()}."
    )
    return 0


def train_decoders(arguments: argparse.Namespace) -> int:
    """Train the decoders of the slim.safetensors that is in the output folder already.

    Raises:
        PainterlyError: before anything long, for a device or folder that will not do; WEIGHTS_MISSING or
            WEIGHTS_CORRUPT where the folder's network is not what train-features left there.
    """
    device = choose(arguments.device)
    network, passport = _trained(arguments.output)
    output_folder(arguments.output)
    log = _logger(arguments.output / LOG, "a")
    log(f"train-decoders begins: new decoders only, of {NETWORK} sha256 {passport.sha256}")
    _decoders(arguments, _prepare(arguments, device, log), network, passport, device, log)
    print(
        f"Decoders are read only from the package, beside their network: copy all files of {arguments.output} to "
        f"{built_in_dir()}."
    )
    return 0


def _prepare(arguments: argparse.Namespace, device: torch.device, log: Log) -> list[pictures.Array]:
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    log(f"torch {torch.__version__}, {device}, {arguments.threads} threads, seed {arguments.seed}")
    log(f"photographs: {_photographs()}")
    if missing := pictures.missing_photographs():
        log(
            f"WARNING: {len(missing)} of the photographs that the shipped network learnt from are not here "
            f"({', '.join(missing)}). What comes out will not be the shipped one. To have them, stop this and run: "
            "pip install scikit-image scikit-learn"
        )
    gallery = pictures.gallery(arguments.seed, arguments.pictures, 320)
    log(f"{len(gallery)} pictures")
    return gallery


def _photographs() -> str:
    return ", ".join(file.name for file in pictures.photograph_files()) or "none"


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
    notes = f"{len(crops.gallery)} pictures, {plan.steps} steps, seed {plan.seed}; photographs: {_photographs()}"
    notes += "; teachers: " + ", ".join(f"{one.network.name} {one.network.sha256}" for one in panel)

    licence = teachers.licence(panel)

    def keep(network: Recognised) -> Passport:
        with writing(arguments.output / NETWORK):
            return store_in(arguments.output, "slim", network, SOURCE, "", licence, notes)

    def snapshot(network: Recognised) -> None:
        keep(network)

    passport = keep(distill.distill(crops, placed, plan, device, log, snapshot))
    log(f"{NETWORK} sha256 {passport.sha256}")


def _trained(folder: Path) -> tuple[FeatureNetwork, Passport]:
    """The network that train-features left in a folder, and its passport, which must agree."""
    file, about = folder / NETWORK, folder / "slim.json"
    again = "Train the network first: painterly train-features makes it and its decoders."
    for path in (file, about):
        if not path.is_file():
            raise PainterlyError(ErrorCode.WEIGHTS_MISSING, f"There is no {path.name} in {folder}.", again)
    try:
        passport = Passport(**json.loads(about.read_text(encoding="utf-8")))
        network = read_safetensors(file).network("slim")
        if file_sha256(file) != passport.sha256 or network.available(decoders.DECODED) != decoders.DECODED:
            raise corrupt(file, again)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise corrupt(file, again) from error
    return network, passport


def _decoders(
    arguments: argparse.Namespace,
    gallery: list[pictures.Array],
    network: FeatureNetwork,
    origin: Passport,
    device: torch.device,
    log: Log,
) -> None:
    crops = Crops(gallery, arguments.decoder_crop)
    plan = replace(Plan(seed=arguments.seed, steps=arguments.decoder_steps), crops=8, rate=1e-3)
    log(f"{plan.crops} crops of {crops.size} px a step, rate {plan.rate}")
    trained = decoders.train_decoders(crops, network, plan, device, log)
    file = arguments.output / "slim_decoders.safetensors"
    notes = (
        f"{len(crops.gallery)} pictures, crops of {crops.size} px, {plan.steps} steps, seed {plan.seed}, half precision"
    )
    with writing(file):
        digest = write_tensors(file, decoder_tensors(trained))
        issue(arguments.output, Passport("slim_decoders", SOURCE, origin.sha256, digest, origin.licence, notes))
    log(f"slim_decoders.safetensors sha256 {digest}")


def _logger(file: Path, mode: Literal["w", "a"]) -> Log:
    """Each line to the terminal and, with the time, to a file that begins anew or goes on."""
    with writing(file):
        stream = file.open(mode, encoding="utf-8")

    def log(line: str) -> None:
        print(line, flush=True)
        with writing(file):
            stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
            stream.flush()

    return log
