"""Who may use a cluster: its token, and where it listens. Set in the environment before Ray is loaded, which reads it.

What it means is Ray's: https://docs.ray.io/en/latest/ray-security/token-auth.html
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from painterly_protocol import paths
from painterly_protocol.errors import ErrorCode, PainterlyError
from painterly_protocol.private_file import write_private

TOKEN_FILE = "cluster.token"
USUAL_TOKEN = Path("~/.ray/auth_token")
LOOK_S = 30.0
NO_CLUSTER = 3  # the driver's exit status where its last line says why there is none
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
# A machine that does much else at the time: by default a node gives itself up after 30 s.
PATIENT = {"RAY_raylet_start_wait_time_s": "300", "RAY_agent_register_timeout_ms": "300000"}
# Ray's own switch for machines whose firewalls ask about each open port: with it, every port is loopback's.
LOOPBACK = ("127.0.0.1", "localhost")
LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def check_installed() -> None:
    """Raises PainterlyError BAD_REQUEST where Ray is not installed."""
    if find_spec("ray") is None:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "Ray is not installed.",
            "Install it where painterly is: pip install 'painterly-harmonize[cluster]'.",
        )


def environment(address: str | None) -> Mapping[str, str]:
    """What Ray is to find in its environment: tokens on, and where ours is.

    Raises:
        PainterlyError: NOT_ADMITTED where there is a cluster and no token for it.
    """
    tokens = {"RAY_AUTH_MODE": "token", **QUIET}
    if address is None:
        return {**tokens, **LOOPBACK_ONLY, **PATIENT, "RAY_AUTH_TOKEN_PATH": str(_own_token())}
    if address.removeprefix("ray://").rpartition(":")[0] in LOOPBACK:
        tokens.update(LOOPBACK_ONLY)
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH") or USUAL_TOKEN.expanduser().exists():
        return tokens
    raise PainterlyError(
        ErrorCode.NOT_ADMITTED,
        f"There is no token for the cluster at {address}.",
        "Copy the head node's ~/.ray/auth_token to the same place here, or name it in RAY_AUTH_TOKEN_PATH.",
    )


def _own_token() -> Path:
    file = paths.make_private(paths.keys_dir()) / TOKEN_FILE
    if not file.exists():
        write_private(file, secrets.token_hex(32))
    return file


def lets_anybody_in(address: str) -> bool:
    """Whether a program without a token gets an answer from the cluster at HOST:PORT."""
    open_hand = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address],
            env={**open_hand, "RAY_AUTH_MODE": "disabled"},
            capture_output=True,
            timeout=LOOK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0
