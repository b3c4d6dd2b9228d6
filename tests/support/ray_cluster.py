"""A real Ray cluster of several nodes (raylets) on this machine's loopback, with tokens, in a process of its own.

``python tests/support/ray_cluster.py OPTIONS`` prints its address and then obeys lines of standard input: ``add`` a
node, ``kill N`` (the N-th that was added; it is SIGKILL), ``behead`` (the head node goes down), ``crown`` (a new head
at the same address, without nodes), each answered by a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
STORE_BYTES = 100_000_000
# The head node forks a process for every guest at ray://; gRPC's own handlers of that end it, or the head's client
# server, now and then (https://github.com/ray-project/ray/issues/63202). docs/cluster.md has it for everybody's heads.
FORKS_SAFELY = {"GRPC_ENABLE_FORK_SUPPORT": "0"}


class RayCluster:
    """A head node without processors, and ``nodes`` with ``cpus`` and ``gpus`` each; a context manager.

    Args:
        gpus: that Ray is told of; none need be there.
        first_on_path: where its nodes look for modules before anywhere else.

    Attributes:
        environment: what a program needs to be let in.
        log_dir: of the workers.
    """

    def __init__(
        self, nodes: int = 1, cpus: int = 1, *, gpus: int = 0, token: bool = True, first_on_path: Path | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="painterly-cluster-"))
        self.log_dir = self.folder / "log"
        secret = self.folder / "token"
        secret.write_text(secrets.token_hex(32))
        guarded = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(secret)}
        self.environment = {
            **(guarded if token else {"RAY_AUTH_MODE": "disabled"}),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
        }
        self._path = os.pathsep.join(map(str, [*([first_on_path] if first_on_path else []), TESTS]))
        self._nodes, self._client_port = nodes, free_port()
        head = {"gcs_server_port": free_port(), "ray_client_server_port": self._client_port}
        self._setup = {"folder": str(self.folder), "head": head, "node": {"num_cpus": cpus, "num_gpus": gpus}}

    def __enter__(self) -> RayCluster:
        environment = {
            **os.environ,
            **self.environment,
            "RAY_USAGE_STATS_ENABLED": "0",
            # A machine that does much else: by default a node gives itself up after 30 s.
            "RAY_raylet_start_wait_time_s": "300",
            "RAY_agent_register_timeout_ms": "300000",
            **FORKS_SAFELY,
            "PYTHONPATH": self._path,
            "PAINTERLY_LOG_DIR": str(self.log_dir),
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(self._setup)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "stderr").open("wb"),
            text=True,
            bufsize=1,
        )
        self.address = self._answer()
        for _ in range(self._nodes):
            self.add()
        return self

    @property
    def options(self) -> tuple[str, ...]:
        """Of ``painterly serve``."""
        return ("--backend", "ray", "--address", self.address)

    @property
    def pids(self) -> list[int]:
        """Of its processes."""
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if pid != self._process.pid and _writes_to(self.log_dir, pid)]

    @property
    def address_for_others(self) -> str:
        """For a machine that is no node."""
        return f"ray://127.0.0.1:{self._client_port}"

    def add(self) -> None:
        self._order("add")

    def kill(self, number: int) -> None:
        """The machine goes down."""
        self._order(f"kill {number}")

    def behead(self) -> None:
        """The head node goes down."""
        self._order("behead")

    def crown(self) -> None:
        """It is back, where it was, and so is a node."""
        self._order("crown")
        self.add()

    def _order(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer, (self.folder / "stderr").read_text()
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def listeners(log_dir: Path) -> dict[str, str]:
    """Where the processes that write their logs there listen (TCP), and the program's name; empty where “ss” is not or
    does not tell."""
    found = {}
    try:
        told = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return {}
    for line in told.splitlines():
        program = re.search(r'"([^"]+)",pid=(\d+)', line)
        if program and _writes_to(log_dir, int(program[2])):
            found[line.split()[3]] = program[1]
    return found


def _writes_to(log_dir: Path, pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"PAINTERLY_LOG_DIR={log_dir}\0".encode() in words


def _kill(cluster: Any, node: Any) -> None:
    """With its workers, which outlive their raylet by a second or so; and it must not be able to tell of them."""
    [raylet] = [each.process.pid for each in node.all_processes["raylet"]]
    os.kill(raylet, signal.SIGSTOP)
    for pid in _children(raylet):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    cluster.remove_node(node, allow_graceful=False)


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and int((entry / "stat").read_text("utf-8").rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def main(setup: str) -> None:
    from ray.cluster_utils import Cluster

    given = json.loads(setup)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # Ray prints
    usual = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    head = {**usual, "num_cpus": 0, "temp_dir": f"{given['folder']}/ray", **given["head"]}
    cluster = Cluster(True, head_node_args=head)
    print(cluster.address, file=answers)
    nodes = []
    try:
        for line in sys.stdin:
            order, *number = line.split()
            if order == "add":
                nodes.append(cluster.add_node(**given["node"], **usual))
            elif order == "kill":
                _kill(cluster, nodes[int(*number)])
            elif order == "behead":
                cluster.remove_node(cluster.head_node, allow_graceful=False)
            elif order == "crown":
                for node in cluster.list_all_nodes():  # those that still look for the old head
                    cluster.remove_node(node, allow_graceful=False)
                cluster.add_node(**head)
            print("done", file=answers)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
