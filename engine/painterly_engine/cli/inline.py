"""A job in this process: no engine, no sockets, the same events."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from painterly_protocol.messages import EngineMessage, Phase, Preview, Progress, Result
from painterly_protocol.request import HarmonizeRequest
from torch import Tensor

from painterly_engine.arrays import to_pixels
from painterly_engine.job import run_request
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.progress import Observer

JOB_ID = "inline"
