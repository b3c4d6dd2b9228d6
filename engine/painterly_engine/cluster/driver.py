"""What speaks with Ray: ``python -m painterly_engine.cluster.driver``, one process beside the engine.

Ray's calls may wait and its losses may end the process that makes them; the engine's I/O loop must neither. Each line
of standard input is an order: ``{"start": LINE}`` puts an actor behind the line (see ``service.line``), ``{"stop":
ADDRESS}`` ends it. On the line the engine says Submit and Cancel, and hears what an actor says of its job; Status tells
whether there is an actor (``ready``) or none any more (``absent``). At the end of its input it ends, and its actors
with it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import ray
import zmq.asyncio
from ray.exceptions import ActorDiedError, ActorUnavailableError, ObjectLostError, RayError

from painterly_engine import __version__
from painterly_engine.cluster.joining import join
from painterly_engine.cluster.options import ClusterOptions
from painterly_engine.cluster.painter import Frames, Painter, to_arrays
from painterly_engine.service.line import LineAddress, join_line
from painterly_protocol import wire
from painterly_protocol.messages import Cancel, EngineState, Status, Submit

CALLS_AT_ONCE = 5  # two that take long, a cancel, a job on its way
SMALL = 50_000  # bytes; Ray itself stores arguments above 100 kB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("options", type=ClusterOptions.from_json)
    options: ClusterOptions = parser.parse_args().options
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal is the engine's business
    with contextlib.ExitStack() as leaving:
        join(options, leaving)
        asyncio.run(_Seats(options).serve())


class _Seats:
    """The actors by the address of their lines."""

    def __init__(self, options: ClusterOptions) -> None:
        self._options = options
        self._context: Any = zmq.asyncio.Context()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Until standard input ends."""
        async for order in _orders():
            if "start" in order:
                address = LineAddress(**order["start"])
                seat = _Seat(self._options, join_line(self._context, address).socket)
                self._tasks[address.address] = asyncio.create_task(seat.serve())
            elif (task := self._tasks.pop(order["stop"], None)) is not None:
                task.cancel()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def _orders() -> AsyncIterator[dict[str, Any]]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)


class _Seat:
    """One actor at the end of one line."""

    def __init__(self, options: ClusterOptions, socket: Any) -> None:
        self._socket = socket
        actor = ray.remote(Painter).options(
            num_gpus=options.gpus,
            num_cpus=options.cpus,
            memory=options.memory,
            max_concurrency=CALLS_AT_ONCE,
            scheduling_strategy="SPREAD",
        )
        self._actor: Any = actor.remote(options.runner, options.memory, options.device)
        self._submits: asyncio.Queue[list[wire.Buffer]] = asyncio.Queue()

    async def serve(self) -> None:
        try:
            facts = await self._actor.ready.remote()
            _check_version(facts)
            await self._tell(EngineState.READY, facts)
            await _first_of(self._listen(), self._work(), self._live())
        except (RayError, OSError, RuntimeError) as error:
            lost = _takes_its_machine_along(error)
            await self._tell(EngineState.ABSENT, {"how": _sentence(error), "of_machine": lost})
        finally:
            ray.kill(self._actor)
            self._socket.close(linger=1000)

    async def _live(self) -> None:
        """Ends with the actor only: a call that is never answered tells of its death even while it idles."""
        await self._actor.live.remote()

    async def _listen(self) -> None:
        """A job waits for its turn, a cancel for none."""
        while True:
            frames = [frame.buffer for frame in await self._socket.recv_multipart(copy=False)]
            message = wire.peek(frames)
            if isinstance(message, Submit):
                self._submits.put_nowait(frames)
            elif isinstance(message, Cancel):
                self._actor.cancel.remote(message.job_id)

    async def _work(self) -> None:
        while True:
            await self._run(await self._submits.get())

    async def _run(self, frames: list[wire.Buffer]) -> None:
        over, messages = await self._actor.begin.remote(await _sendable(frames))
        await self._pass_on(messages)
        while not over:
            over, messages = await self._actor.hear.remote()
            await self._pass_on(messages)

    async def _pass_on(self, messages: list[Frames]) -> None:
        for message in messages:
            await self._socket.send_multipart(message, copy=False)

    async def _tell(self, state: EngineState, details: dict[str, object]) -> None:
        await self._socket.send_multipart(wire.encode(Status(state, None, 0, details)))


async def _sendable(frames: list[wire.Buffer]) -> Any:
    """Through the object store, except what is sooner sent along than stored."""
    arrays = to_arrays(frames)
    if sum(array.nbytes for array in arrays) < SMALL:
        return arrays
    return await asyncio.to_thread(ray.put, arrays)


def _sentence(error: Exception) -> str:
    """Ray's own has many lines for its developers."""
    if _takes_its_machine_along(error):
        return "its machine cannot be reached any more"
    if isinstance(error, ActorDiedError):
        return "its process was killed or crashed"
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _check_version(facts: dict[str, object]) -> None:
    if facts["version"] != __version__:
        raise RuntimeError(
            f"{facts['machine']} has painterly {facts['version']}, not {__version__}: install the same version there"
        )


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Until one ends, as it ended; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()


def _takes_its_machine_along(error: Exception) -> bool:
    """Whether the node, or the way to it, has gone (perhaps with a result on its way); else it was the actor alone."""
    return isinstance(error, ActorUnavailableError | ObjectLostError) or "node has died" in str(error)


if __name__ == "__main__":
    main()
