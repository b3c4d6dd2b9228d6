"""A job in this process: no engine, no sockets, the same events."""

from __future__ import annotations

JOB_ID = "inline"
