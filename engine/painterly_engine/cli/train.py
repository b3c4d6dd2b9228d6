"""``painterly train-features``, ``train-stylization``, ``evaluate-features``: how the weights were made."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from painterly_engine.device import DEVICES

MOST_SEED = 2**32 - 1
MOST_THREADS = 1024
CROPS = 16
"""Crops are of so many pixels a side or a multiple: the deepest layer is pooled four times."""


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
    _add_number(parser, "--steps", _whole(1), 12000, "steps in which the network learns")
    _add_number(parser, "--crop", _crop(2 * CROPS), 96, f"pixels a side of what it sees, a multiple of {CROPS}")
    _add_output(parser, "where the network, its decoders and the log go; made if it is not there")
    _add_common(parser)
    parser.set_defaults(run=_train_features)


def _add_train_decoders(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("train-decoders", help="train only the decoders of FOLDER/slim.safetensors")
    _add_output(parser, "of train-features, with its slim.safetensors and slim.json; the decoders go there too")
    _add_common(parser)
    parser.set_defaults(run=_train_decoders)


def _add_common(parser: argparse.ArgumentParser) -> None:
    _add_number(parser, "--seed", _whole(0, MOST_SEED), 0, "of all that is drawn by chance")
    _add_number(parser, "--decoder-steps", _whole(1), 6000, "steps in which the decoders learn")
    _add_number(parser, "--pictures", _whole(1), 600, "how many are made by procedure")
    _add_number(
        parser, "--decoder-crop", _crop(CROPS), 64, f"pixels a side of what the decoders see, a multiple of {CROPS}"
    )
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="to compute on (default: %(default)s)")
    _add_number(parser, "--threads", _whole(1, MOST_THREADS), 1, "other numbers of threads round differently")


def _add_train_stylization(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("train-stylization", help="fit the estimator of the stylization weight")
    parser.add_argument(
        "--paintings", type=Path, required=True, metavar="FOLDER", help="N.jpg and stylization.json with their weights"
    )
    _add_weights(parser, "the network that it will read paintings with")
    _add_output(parser, "where the coefficients go; made if it is not there")
    parser.set_defaults(run=_train_stylization)


def _add_evaluate_features(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("evaluate-features", help="fidelity, activity, speckle and speed of a network")
    _add_weights(parser, "the network that is judged")
    parser.add_argument("--teacher", type=Path, required=True, metavar="PATH", help="genuine VGG-19")
    parser.add_argument("--deep-teacher", type=Path, required=True, metavar="PATH", help="compressed VGG-19 with lifts")
    parser.add_argument("--paintings", type=Path, required=True, metavar="FOLDER", help="N.jpg")
    _add_number(parser, "--size", _whole(64), 256, "longest side the paintings are shrunk to")
    _add_number(parser, "--threads", _whole(1, MOST_THREADS), 2, "of the CPU")
    parser.set_defaults(run=_evaluate_features)


def _add_output(parser: argparse.ArgumentParser, words: str) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help=words)


def _add_weights(parser: argparse.ArgumentParser, words: str) -> None:
    parser.add_argument("--weights", default="slim", metavar="NAME|FILE", help=f"{words} (default: %(default)s)")


def _add_number(
    parser: argparse.ArgumentParser, name: str, kind: Callable[[str], int], default: int, words: str
) -> None:
    parser.add_argument(name, type=kind, default=default, metavar="N", help=f"{words} (default: %(default)s)")


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """What argparse reads a whole number with."""
    wanted = f"give a whole number from {least} " + ("on" if most is None else f"to {most}")

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(wanted) from error
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(wanted)
        return number

    return read


def _crop(least: int) -> Callable[[str], int]:
    """As ``_whole``, a multiple of ``CROPS``."""
    whole = _whole(least)

    def read(text: str) -> int:
        number = whole(text)
        if number % CROPS:
            raise argparse.ArgumentTypeError(f"give a multiple of {CROPS}, from {least} on")
        return number

    return read


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
