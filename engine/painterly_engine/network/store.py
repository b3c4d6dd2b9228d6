"""Weight files: our own safetensors with what is known of them, and a user's .pth.

A stored network is two files in the weights folder: ``NAME.safetensors`` and ``NAME.json``, its passport: where it came
from and the SHA-256 of both the file it was made of and the file itself. The passport is checked at every load.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from painterly_engine.network.features import POOL, FeatureNetwork
from painterly_engine.network.layouts import LAYOUTS, Convolutions, Recognised, recognise
from painterly_engine.shortage import is_out_of_memory
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.paths import data_dir

FORMAT = "painterly-network-1"
BUILT_IN = ("slim",)
MADE_FOR_SLIM = ("slim_decoders", "stylization")
"""The decoders and the estimator of the stylization weight: no networks to choose, and of no use to another one."""
SHIPPED = (*BUILT_IN, *MADE_FOR_SLIM)
"""Files inside the package."""


@dataclass(frozen=True)
class Passport:
    """What is known of a stored network.

    Attributes:
        source: address or description of what it was made of.
        source_sha256: of the file downloaded, or of the network that it was made for; "" where there was none.
        sha256: of the safetensors file beside it.
        licence: in a few words.
        notes: what it was trained on or fitted to.
    """

    name: str
    source: str
    source_sha256: str
    sha256: str
    licence: str
    notes: str = ""


def weights_dir() -> Path:
    """Where fetched networks are kept; not created here."""
    return data_dir() / "weights"


def built_in_dir() -> Path:
    """The networks that come inside the package."""
    return Path(__file__).parent.parent / "weights"


def file_sha256(path: Path) -> str:
    """Hexadecimal digest, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def home_of(name: str) -> Path:
    """The folder a network by name lives in."""
    return built_in_dir() if name in SHIPPED else weights_dir()


def is_stored(name: str) -> bool:
    """Whether both files are there; says nothing of their contents."""
    return all((home_of(name) / f"{name}{suffix}").is_file() for suffix in (".safetensors", ".json"))


def save(path: Path, network: Recognised) -> str:
    """As ``write_tensors``, the convolutions and layout."""
    tensors: dict[str, Tensor] = {}
    for layer, (weight, bias) in network.convolutions.items():
        tensors[f"{layer}.weight"], tensors[f"{layer}.bias"] = weight.contiguous(), bias.contiguous()
    # One entry, because safetensors writes several in no fixed order and the same network should be the same file.
    return write_tensors(path, tensors, {FORMAT: json.dumps({"layout": network.layout.name, "steps": network.steps})})


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> str:
    """Write a safetensors file, which appears whole or not at all and is read by whom its folder's others are.

    Not by safetensors' own ``save_file``: it says of a full disk what is no OSError, and lets only the owner read.

    Returns:
        The file's SHA-256.

    Raises:
        OSError: the disk is full or not ours to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = serialize(tensors, metadata)
    _write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def store(name: str, network: Recognised, source: str, source_sha256: str, licence: str, notes: str = "") -> Passport:
    """Keep a network in the weights folder under a name, with its passport.

    Raises:
        OSError: the disk is full or not ours to write.
    """
    return store_in(weights_dir(), name, network, source, source_sha256, licence, notes)


def store_in(
    folder: Path, name: str, network: Recognised, source: str, source_sha256: str, licence: str, notes: str = ""
) -> Passport:
    """As ``store``, in a folder of one's choice. The passport goes last: without it the file counts as absent."""
    (folder / f"{name}.json").unlink(missing_ok=True)
    digest = save(folder / f"{name}.safetensors", network)
    return issue(folder, Passport(name, source, source_sha256, digest, licence, notes))


def issue(folder: Path, passport: Passport) -> Passport:
    """Write a passport beside its file, whole or not at all."""
    content = json.dumps(asdict(passport), indent=1) + "\n"
    _write_whole(folder / f"{passport.name}.json", content.encode("utf-8"))
    return passport


def passport_of(name: str) -> Passport:
    """Read a stored network's passport.

    Raises:
        PainterlyError: WEIGHTS_MISSING, or WEIGHTS_CORRUPT where it cannot be read.
    """
    file = home_of(name) / f"{name}.json"
    if not is_stored(name):
        raise PainterlyError(ErrorCode.WEIGHTS_MISSING, _absent(name), _repair(name))
    try:
        return Passport(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise corrupt(file, _repair(name)) from error


def verify(name: str) -> Passport:
    """Compare a stored file with the digest in its passport; what goes with the built-in network must be made for it.

    Raises:
        PainterlyError: WEIGHTS_MISSING or WEIGHTS_CORRUPT, with the command that repairs it.
    """
    passport = passport_of(name)
    file = home_of(name) / f"{name}.safetensors"
    if file_sha256(file) != passport.sha256:
        raise corrupt(file, _repair(name))
    if name in MADE_FOR_SLIM and passport.source_sha256 != passport_of("slim").sha256:
        raise PainterlyError(
            ErrorCode.WEIGHTS_CORRUPT, f"The file {file} was made for another network than slim.", _repair(name)
        )
    return passport


def load_stored(name: str) -> FeatureNetwork:
    """A network by name, its digest checked; its ``sha256`` is that of the file it was made of, if there was one.

    Raises:
        PainterlyError: as ``verify``.
    """
    passport = verify(name)
    file = home_of(name) / f"{name}.safetensors"
    try:
        return read_safetensors(file).network(name, passport.source_sha256 or passport.sha256)
    except (SafetensorError, KeyError, ValueError) as error:
        raise corrupt(file, _repair(name)) from error


def load_path(path: Path, layout: str = "") -> FeatureNetwork:
    """A user's own file: safetensors, or what ``torch.save`` wrote, read without running anything that is in it.

    Args:
        path: the file; ``layout`` overrides the layout that its keys suggest.

    Raises:
        PainterlyError: WEIGHTS_MISSING, WEIGHTS_CORRUPT, or UNREADABLE_FILE for an unknown layout or a file that may
            not be read.
    """
    if not path.is_file():
        raise PainterlyError(
            ErrorCode.WEIGHTS_MISSING,
            f"There is no file of weights at {path}.",
            "Give the path of a .pth or .safetensors file, or a name that 'painterly weights list' shows.",
        )
    try:
        digest = file_sha256(path)
        if path.suffix == ".safetensors":
            return _network_of(_read_user_safetensors(path, digest, layout), path, digest)
        state = _read_saved(path)
    except OSError as error:
        raise PainterlyError(
            ErrorCode.UNREADABLE_FILE,
            f"The file of weights {path} cannot be read: {error.strerror or error}.",
            "Correct its permissions, or copy it elsewhere.",
        ) from error
    if not isinstance(state, Mapping):
        raise corrupt(path, "It must hold a state dict: save it with torch.save(model.state_dict(), PATH).")
    return _network_of(recognise(state, digest, layout), path, digest)


def _read_saved(path: Path) -> object:
    """What ``torch.save`` wrote; OSError and what tells of too little memory pass through."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    # Given other bytes, torch's unpickler does what they say until one of its steps fails, in whatever way.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise corrupt(path, "Download or copy it again.") from error


def _network_of(found: Recognised, path: Path, digest: str) -> FeatureNetwork:
    try:
        return found.network(path.name, digest)
    except ValueError as error:
        raise corrupt(path, "Download or copy it again.") from error


def _read_user_safetensors(path: Path, digest: str, layout: str) -> Recognised:
    try:
        with safe_open(path, "pt") as file:
            ours = FORMAT in (file.metadata() or {})
            state = {} if ours else {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        return read_safetensors(path) if ours else recognise(state, digest, layout)
    except (SafetensorError, KeyError, ValueError) as error:
        raise corrupt(path, "Download or copy it again.") from error


def read_safetensors(path: Path) -> Recognised:
    """Read a file that ``save`` wrote.

    Raises:
        SafetensorError, KeyError, ValueError: it is no such file.
    """
    with safe_open(path, "pt") as file:
        about = json.loads((file.metadata() or {})[FORMAT])
        steps = tuple(about["steps"])
        convolutions: Convolutions = {
            step: (file.get_tensor(f"{step}.weight").float(), file.get_tensor(f"{step}.bias").float())
            for step in steps
            if step != POOL
        }
    return Recognised(convolutions, steps, LAYOUTS[about["layout"]])


def remove(name: str) -> tuple[Path, ...]:
    """Delete a fetched network and what is left of an unfinished download.

    Args:
        name: of a network; whether there is one of that name, ``shelf.known`` says.

    Returns:
        The files deleted.

    Raises:
        PainterlyError: BAD_REQUEST for a built-in network, WEIGHTS_MISSING where there is nothing to delete.
    """
    if name in SHIPPED:
        raise PainterlyError(ErrorCode.BAD_REQUEST, f"{name} is part of the package.", "It goes when the package goes.")
    files = tuple(
        file
        for suffix in (".json", ".safetensors", ".pth.part")
        if (file := weights_dir() / f"{name}{suffix}").is_file()
    )
    if not files:
        raise PainterlyError(
            ErrorCode.WEIGHTS_MISSING, f"The network {name} is not here.", "See 'painterly weights list'."
        )
    for file in files:
        file.unlink()
    return files


def corrupt(path: Path, advice: str) -> PainterlyError:
    """The error for a file that is not what it should be."""
    return PainterlyError(ErrorCode.WEIGHTS_CORRUPT, f"The file of weights {path} is damaged.", advice)


def repair_built_in() -> str:
    """How to get back a file that came with the package. Installing a clone again would only find the same file."""
    folder = shlex.quote(str(built_in_dir()))
    return (
        f"In a clone run “git -C {folder} checkout .”; else unpack the release once more, "
        "or give its wheel to “pip install --force-reinstall --no-deps”."
    )


def _absent(name: str) -> str:
    if name not in SHIPPED:
        return f"The network {name} is not here."
    lost = [file for end in (".safetensors", ".json") if not (file := home_of(name) / f"{name}{end}").is_file()]
    return f"The file {lost[0]} of the package is missing."


def _repair(name: str) -> str:
    return repair_built_in() if name in SHIPPED else f"Run 'painterly weights fetch {name}'."
