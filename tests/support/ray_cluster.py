"""A real Ray cluster of several nodes (raylets) on this machine's loopback, with tokens, in a process of its own.

``python tests/support/ray_cluster.py`` prints its address and then obeys lines of standard input: ``add`` a node,
``kill N`` (the N-th that was added; it is SIGKILL), each answered by a line.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

TESTS = Path(__file__).resolve().parent.parent
STORE_BYTES = 100_000_000


class RayCluster:
    """A head node without processors, and ``nodes`` with ``cpus`` each; a context manager.

    Attributes:
        environment: what a program needs to be let in.
        log_dir: of the workers.
    """

    def __init__(self, nodes: int = 1, cpus: int = 1, *, token: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="painterly-cluster-"))
        self.log_dir = self.folder / "log"
        secret = self.folder / "token"
        secret.write_text(secrets.token_hex(32))
        guarded = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(secret)}
        self.environment = {
            **(guarded if token else {"RAY_AUTH_MODE": "disabled"}),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
        }
        self._nodes, self._cpus, self._client_port = nodes, cpus, _free_port()

    def __enter__(self) -> RayCluster:
        environment = {
            **os.environ,
            **self.environment,
            "RAY_USAGE_STATS_ENABLED": "0",
            # A machine that does much else: by default a node gives itself up after 30 s.
            "RAY_raylet_start_wait_time_s": "300",
            "RAY_agent_register_timeout_ms": "300000",
            "PYTHONPATH": str(TESTS),
            "PAINTERLY_LOG_DIR": str(self.log_dir),
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.folder), str(self._cpus), str(self._client_port)],
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

    def owns(self, listener: str) -> bool:
        """Whether a line of “ss -ltnp” is of one of the cluster's processes."""
        found = re.search(r"pid=(\d+)", listener)
        try:
            words = Path(f"/proc/{found[1]}/environ").read_bytes() if found else b""
        except OSError:
            return False
        return f"PAINTERLY_LOG_DIR={self.log_dir}".encode() in words

    @property
    def address_for_others(self) -> str:
        """For a machine that is no node."""
        return f"ray://127.0.0.1:{self._client_port}"

    def add(self) -> None:
        self._order("add")

    def kill(self, number: int) -> None:
        """The machine goes down."""
        self._order(f"kill {number}")

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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def main(folder: str, cpus: str, client_port: str) -> None:
    from ray.cluster_utils import Cluster

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # Ray prints
    usual = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    head = {"num_cpus": 0, "temp_dir": f"{folder}/ray", "ray_client_server_port": int(client_port)}
    cluster = Cluster(True, head_node_args={**usual, **head})
    print(cluster.address, file=answers)
    nodes = []
    try:
        for line in sys.stdin:
            order, *number = line.split()
            if order == "add":
                nodes.append(cluster.add_node(num_cpus=int(cpus), **usual))
            else:
                cluster.remove_node(nodes[int(*number)], allow_graceful=False)
            print("done", file=answers)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
