"""Into a cluster, or out with a sentence."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import threading

import ray

from painterly_engine.cluster import access
from painterly_engine.cluster.options import ClusterOptions

CONNECT_S, START_S = 90.0, 330.0  # to a cluster that is there; for one of its own on a machine that does much else


def join(options: ClusterOptions, leaving: contextlib.ExitStack) -> None:
    """Be one of the cluster's drivers, or start one here; ends the process where there is none to join.

    The environment must be as ``access.environment`` says before Ray is loaded.

    Args:
        leaving: lets go of it.
    """
    address = options.address
    watch = threading.Timer(
        START_S if address is None else CONNECT_S, _give_up, [f"no cluster answers at {address or 'this machine'}"]
    )
    watch.daemon = True
    watch.start()
    if address is None:
        folder = tempfile.mkdtemp(prefix="painterly-ray-")
        leaving.callback(shutil.rmtree, folder, ignore_errors=True)
        ray.init(
            "local",
            object_store_memory=options.store,
            include_dashboard=False,
            log_to_driver=False,
            _temp_dir=folder,
        )
    else:
        try:
            _enter(address)
        except Exception as error:  # Ray raises its own, gRPC's and Python's
            _give_up(f"the cluster at {address} cannot be used: {_in_short(error)}")
        _refuse_open(address)
    leaving.callback(ray.shutdown)
    watch.cancel()


def _enter(address: str) -> None:
    """Once more where the first time failed in there: the process that the head node starts for every guest may not
    come up within the 30 s that it waits, on a busy machine or since gRPC broke it off in its fork
    (https://github.com/ray-project/ray/issues/63202)."""
    try:
        ray.init(address, log_to_driver=False)
    except ConnectionAbortedError:
        ray.init(address, log_to_driver=False)


def _in_short(error: Exception) -> str:
    """Its first line and, where a traceback follows, the last one: what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(dict.fromkeys([*lines[:1], *lines[-1:]])) or type(error).__name__


def _refuse_open(address: str) -> None:
    place = ray.get_runtime_context().gcs_address if not address.startswith("ray://") else None
    if place is not None and access.lets_anybody_in(place):
        _give_up(f"the cluster at {address} lets anybody in: start its nodes with RAY_AUTH_MODE=token")


def _give_up(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
    os._exit(access.NO_CLUSTER)
