"""``painterly train-features``, ``train-stylization``, ``evaluate-features``: how the weights were made."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    _add_train_features(commands)
    _add_train_decoders(commands)
    _add_train_stylization(commands)
    _add_evaluate_features(commands)


def _add_train_features(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("train-features", help="train the built-in feature network and its decoders")
    parser.add_argument("--teacher", type=Path, required=True, metavar="PATH", help="VGG-19 in any known layout")
    parser.add_argument("--deep-teacher", type=Path, metavar="PATH", help="compressed VGG-19 for layers it lacks")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--crop", type=int, default=96, help="pixels a side, a multiple of 16")
    _add_common(parser)
    parser.set_defaults(run=_train_features)


def _add_train_decoders(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("train-decoders", help="train only the decoders of FOLDER/slim.safetensors")
    _add_common(parser)
    parser.set_defaults(run=_train_decoders)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decoder-steps", type=int, default=6000)
    parser.add_argument("--pictures", type=int, default=600, help="how many are made by procedure")
    parser.add_argument("--decoder-crop", type=int, default=64, help="pixels a side, a multiple of 16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="other numbers of threads round differently")


def _add_train_stylization(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("train-stylization", help="fit the estimator of the stylization weight")
    parser.add_argument(
        "--paintings", type=Path, required=True, metavar="FOLDER", help="N.jpg and stylization.json with their weights"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.set_defaults(run=_train_stylization)


def _add_evaluate_features(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("evaluate-features", help="fidelity, activity, speckle and speed of a network")
    parser.add_argument("--weights", default="slim", help="the network that is judged")
    parser.add_argument("--teacher", type=Path, required=True, metavar="PATH", help="genuine VGG-19")
    parser.add_argument("--deep-teacher", type=Path, required=True, metavar="PATH", help="compressed VGG-19 with lifts")
    parser.add_argument("--paintings", type=Path, required=True, metavar="FOLDER", help="N.jpg")
    parser.add_argument("--size", type=int, default=256, help="longest side the paintings are shrunk to")
    parser.add_argument("--threads", type=int, default=2)
    parser.set_defaults(run=_evaluate_features)


def _train_features(arguments: argparse.Namespace) -> int:
    from painterly_engine.training.features import train_features

    return train_features(arguments)


def _train_decoders(arguments: argparse.Namespace) -> int:
    from painterly_engine.training.features import train_decoders

    return train_decoders(arguments)


def _train_stylization(arguments: argparse.Namespace) -> int:
    from painterly_engine.training.stylize import train_stylization

    return train_stylization(arguments)


def _evaluate_features(arguments: argparse.Namespace) -> int:
    from painterly_engine.training.evaluate import evaluate_features

    return evaluate_features(arguments)
