"""Starting the engine: one per runtime folder, until a signal, a Shutdown or idleness ends it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import zmq

from painterly_engine import __version__
from painterly_engine.device import DEVICES, VARIABLE
from painterly_engine.network.naming import NAMES
from painterly_engine.service.accounts import Quota
from painterly_engine.service.home import Home
from painterly_engine.service.jobs import Room
from painterly_engine.service.limits import Limits
from painterly_engine.service.lock import EngineLock
from painterly_engine.service.log import log_to_file
from painterly_engine.service.pool import Bounds, Pool
from painterly_engine.service.runner import DEFAULT_FACTORY
from painterly_engine.service.server import Server
from painterly_engine.service.settings import Settings
from painterly_engine.service.supervisor import LocalPool
from painterly_protocol import paths
from painterly_protocol.client import connect
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.keyring import Keyring
from painterly_protocol.listener import LEASE_S, Door, Listener, Transport

LOG_FILE = "engine.log"
BACKENDS = ("local", "ray")
CLUSTER_START_S = 600.0  # an actor may wait for a machine to be switched on
TAKEOVER_S = 15.0  # how long a stopping engine may keep the lock
_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``painterly serve``."""
    default = Settings()
    parser.add_argument("--runtime-dir", type=Path, help="where socket and runtime file go (default: this user's)")
    parser.add_argument(
        "--endpoint", choices=[transport.value for transport in Transport], help="default: ipc where there is such"
    )
    parser.add_argument("--device", choices=DEVICES, help="to compute on (default: the best at hand)")
    parser.add_argument("--listen", metavar="HOST:PORT", help="let other machines in that “painterly keys” knows")
    add_workers(parser.add_argument_group("workers"))
    idle = parser.add_argument_group("when idle")
    idle.add_argument("--idle-exit", type=float, metavar="SECONDS", help="stop after so long without a job")
    idle.add_argument(
        "--idle-unload",
        type=float,
        metavar="SECONDS",
        default=default.idle_unload_s,
        help="give the network's memory back after so long without a job (default: %(default)g; 0: never)",
    )
    _add_limits(parser.add_argument_group("limits"), default)
    parser.add_argument("--runner", default=DEFAULT_FACTORY, help=argparse.SUPPRESS)
    parser.add_argument("--cancel-grace", type=float, default=default.cancel_grace_s, help=argparse.SUPPRESS)
    parser.add_argument("--start-limit", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--stall", type=float, default=default.stall_s, help=argparse.SUPPRESS)
    parser.add_argument("--lease", type=float, default=LEASE_S, help=argparse.SUPPRESS)


def add_workers(group: argparse._ArgumentGroup) -> None:
    """Where the workers are and how many; ``painterly batch`` has these too."""
    group.add_argument(
        "--backend", choices=BACKENDS, default=BACKENDS[0], help="where they are (default: this machine)"
    )
    group.add_argument(
        "--devices", metavar="0,1,…", help="a worker for each of these graphics cards, as CUDA counts them"
    )
    add_cluster(group)


def add_cluster(group: argparse._ArgumentGroup) -> None:
    """How many workers there are, and what each takes of a cluster; ``painterly video`` has these too."""
    group.add_argument(
        "--workers", metavar="N|MIN:MAX", type=_bounds, help="jobs that run at the same time (default: 1)"
    )
    group.add_argument(
        "--address", metavar="auto|HOST:PORT|ray://HOST:PORT", help="of the Ray cluster (default: its own)"
    )
    group.add_argument(
        "--gpus-each", type=float, metavar="N", default=0.0, help="of a node, for each worker of a cluster"
    )
    group.add_argument("--cpus-each", type=float, metavar="N", default=1.0, help="(%(default)g)")


def worker_options(arguments: argparse.Namespace) -> list[str]:
    """What ``add_workers`` has parsed, as ``painterly serve`` takes it."""
    options = ["--backend", arguments.backend, "--gpus-each", str(arguments.gpus_each)]
    options += ["--cpus-each", str(arguments.cpus_each)]
    options += ["--workers", "{}:{}".format(*arguments.workers)] if arguments.workers else []
    options += ["--devices", arguments.devices] if arguments.devices else []
    return options + (["--address", arguments.address] if arguments.address else [])


def most_workers(arguments: argparse.Namespace) -> int:
    """Of the pool that ``add_workers``' options ask for."""
    return _workers(arguments).most


def _workers(arguments: argparse.Namespace) -> Bounds:
    named = getattr(arguments, "devices", None)
    devices = len(named.split(",")) if named else 1
    fewest, most = arguments.workers or (devices, devices)
    # Workers elsewhere keep nothing of this machine's memory from other programs.
    return Bounds(fewest, most, warm=fewest if arguments.backend == "ray" else 0)


def _bounds(text: str) -> tuple[int, int]:
    """``2`` or ``1:4`` → fewest, most."""
    fewest, _, most = text.partition(":")
    numbers = int(fewest), int(most or fewest)
    if not 0 <= numbers[0] <= numbers[1] or not numbers[1]:
        raise argparse.ArgumentTypeError("give how many, or the fewest and the most as in 1:4")
    return numbers


def _add_limits(group: argparse._ArgumentGroup, default: Settings) -> None:
    room, limits = default.room, default.limits
    group.add_argument("--capacity", type=int, metavar="N", default=room.jobs, help="jobs that may wait (%(default)s)")
    group.add_argument(
        "--capacity-each", type=int, metavar="N", default=room.of_one, help="of one client (%(default)s)"
    )
    group.add_argument(
        "--hourly-pixels",
        type=int,
        metavar="N",
        help="of all pictures and masks that one holder of a key sends in an hour",
    )
    group.add_argument(
        "--hourly-seconds", type=float, metavar="S", help="of computing for one holder of a key in an hour"
    )
    group.add_argument(
        "--max-pixels", type=int, metavar="N", default=limits.pixels, help="of one picture (%(default)s)"
    )
    group.add_argument("--max-iterations", type=int, metavar="N", help="of each pass")
    group.add_argument("--max-seconds", type=float, metavar="S", help="of computing one job")
    group.add_argument("--max-memory", type=int, metavar="MEGABYTES", help="of the worker, all told")


def main(argv: Sequence[str] | None = None) -> int:
    """Run an engine; the exit status: 0 ended in order or another one already serves, 1 could not start."""
    parser = argparse.ArgumentParser(prog="painterly serve", description="Run the engine until it is stopped.")
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """As ``main``, with arguments that ``add_arguments`` parsed."""
    folder = (arguments.runtime_dir or paths.runtime_dir()).absolute()
    if arguments.device:
        os.environ[VARIABLE] = arguments.device  # its workers inherit it
    try:
        paths.make_private(folder)
        lock = EngineLock(folder)
        if not _acquire(lock, folder):
            print("An engine is already running.", file=sys.stderr)
            return 0
        log_to_file(LOG_FILE)
        _sweep(folder)
        listener, settings = _listener(arguments, folder), _settings(arguments)
        _serve(Server(listener, _pool(arguments, listener, settings), settings, Home(listener, lock)))
    except PainterlyError as error:
        if logging.getLogger().handlers:  # else it would go to stderr as well
            _log.error("%s", error)
        print(error, file=sys.stderr)
        return 1
    lock.release()
    return 0


def _listener(arguments: argparse.Namespace, folder: Path) -> Listener:
    transport = Transport(arguments.endpoint) if arguments.endpoint else None
    door = Door(arguments.listen, Keyring()) if arguments.listen else None
    return Listener(folder, __version__, transport, lease_s=arguments.lease, door=door)


def _pool(arguments: argparse.Namespace, listener: Listener, settings: Settings) -> Callable[[zmq.Poller], Pool]:
    if arguments.backend != "ray":
        return lambda poller: LocalPool(listener, poller, settings)
    from painterly_engine.cluster.options import ClusterOptions
    from painterly_engine.cluster.pool import RayPool

    options = ClusterOptions(
        arguments.address,
        arguments.gpus_each,
        arguments.cpus_each,
        settings.limits.memory,
        settings.runner,
        device=arguments.device,
    )
    return lambda poller: RayPool(listener, poller, settings.workers, options)


def _settings(arguments: argparse.Namespace) -> Settings:
    far = arguments.backend == "ray"
    return Settings(
        room=Room(arguments.capacity, arguments.capacity_each),
        limits=Limits(
            pixels=arguments.max_pixels,
            iterations=arguments.max_iterations,
            seconds=arguments.max_seconds,
            memory=None if arguments.max_memory is None else arguments.max_memory * 2**20,
            networks=NAMES if arguments.runner == DEFAULT_FACTORY else None,  # another runner has names of its own
        ),
        quota=Quota(arguments.hourly_pixels, arguments.hourly_seconds),
        cancel_grace_s=arguments.cancel_grace,
        start_s=arguments.start_limit or (CLUSTER_START_S if far else Settings.start_s),
        stall_s=arguments.stall,
        idle_unload_s=arguments.idle_unload or None,
        idle_exit_s=arguments.idle_exit,
        runner=arguments.runner,
        workers=_workers(arguments),
        devices=tuple(arguments.devices.split(",")) if arguments.devices else (),
    )


def _serve(server: Server) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    print(f"The engine is starting; its log is {paths.log_dir() / LOG_FILE}. Ctrl+C stops it.", flush=True)
    try:
        server.serve()
    except PainterlyError:
        raise
    except Exception:
        _log.exception("the engine fails")
        raise


def _acquire(lock: EngineLock, folder: Path) -> bool:
    """Take the lock, waiting for an engine that is just stopping; False when one is there to stay."""
    deadline = time.monotonic() + TAKEOVER_S
    while not lock.try_acquire():
        if _answers(folder) or time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _answers(folder: Path) -> bool:
    try:
        connect(folder, timeout_s=2.0, client="painterly-serve").close()
    except PainterlyError:
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove what a killed engine left: whoever holds the lock owns the folder.

    Raises:
        PainterlyError: UNSAFE_FOLDER.
    """
    for pattern in ("engine-*.sock", "worker-*.sock", "engine.json", ".engine.json.*"):
        for leftover in folder.glob(pattern):
            try:
                leftover.unlink(missing_ok=True)
            except OSError as error:
                raise PainterlyError(
                    ErrorCode.UNSAFE_FOLDER,
                    f"{leftover}, which is in the engine's way, cannot be removed: {error.strerror}.",
                    "Remove it, or name another folder in PAINTERLY_RUNTIME_DIR.",
                ) from error
