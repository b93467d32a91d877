"""The model runtime: one worker process for each chain of models, limited in memory and time."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, cast

from conformance.emulator.channel import WORKER, Channel, shared_memory
from conformance.emulator.settings import Limits

Chain = tuple[str, ...]
"""The SHA-256 of each model, in the order they run."""


class ModelRefusedError(Exception):
    """Bytes that do not load as an ONNX model within the limits."""


class InferenceFailedError(Exception):
    """Rows that a model did not run, with the kind of failure the answer names."""

    def __init__(self, sentence: str, kind: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class Worker(asyncio.Protocol):
    """A process that has one chain of models loaded; it does one task at a time."""

    def __init__(self, memory: int) -> None:
        self._channel = Channel(memory, server=True)
        self._turn = asyncio.Lock()
        self._reply: asyncio.Future[tuple[dict[str, Any], bytes]] | None = None
        self._transport: asyncio.WriteTransport | None = None

    @property
    def alive(self) -> bool:
        """Whether the process can be given a task."""
        return self._transport is not None

    async def do(self, task: Mapping[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """Header and body of the reply. Raises `InferenceFailedError` where the process did not live to give one."""
        async with self._turn:
            if self._transport is None:
                raise _stopped()
            self._reply = asyncio.get_running_loop().create_future()
            self._transport.write(self._channel.pack(dict(task), body))
            try:
                return await self._reply
            except asyncio.CancelledError:
                self.close()  # the reply that is still to come would be taken for the next one's
                raise

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        frame = self._channel.feed(data)
        if frame is not None and self._reply is not None and not self._reply.done():
            self._reply.set_result((frame[0], bytes(frame[1])))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(_stopped())

    def close(self) -> None:
        """Let the process go; it ends when its socket does."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def _stopped() -> InferenceFailedError:
    return InferenceFailedError("the model took too much time or memory, and was stopped", "ModelStopped")


class ForkServer:
    """A process that has the runtime loaded and forks workers, so that a new one costs milliseconds.

    It takes part of a second to be ready, which nobody waits for.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def open(self) -> None:
        """Start the process, if it does not run."""
        if self._process is not None and self._process.poll() is None:
            return
        self._control, theirs = socket.socketpair()
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", "conformance.emulator.worker", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | single | {"ARROW_DEFAULT_MEMORY_POOL": "system"},
        )
        theirs.close()

    def fork(self, limits: Limits, connection: socket.socket, memory: int) -> None:
        """A worker at the other end of this connection. Raises `ModelRefusedError` where none can be had."""
        self.open()
        assert self._control is not None
        request = WORKER.pack(limits.worker_bytes, limits.worker_seconds)
        try:
            socket.send_fds(self._control, [request], [connection.fileno(), memory])
        except OSError:
            raise ModelRefusedError("the model runtime is not available") from None

    def close(self) -> None:
        """End the process; workers end as their connections do."""
        if self._control is not None and self._process is not None:
            self._control.close()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Engine:
    """Loads and runs models whose bytes `path_of` finds by SHA-256.

    The least recently used worker goes when there are more than `limits.workers`. A `forkserver` that is given may be
    shared, and is not closed with the engine.
    """

    def __init__(self, path_of: Callable[[str], Path], limits: Limits, forkserver: ForkServer | None = None) -> None:
        self._path_of = path_of
        self._limits = limits
        self._workers: OrderedDict[Chain, asyncio.Task[Worker]] = OrderedDict()
        self._forkserver = forkserver or ForkServer()
        self._shared = forkserver is not None
        self._pending: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Start the forkserver, if it does not run."""
        self._forkserver.open()

    async def inspect(self, sha: str) -> None:
        """Load the model, and keep it loaded. Raises `ModelRefusedError` where that fails."""
        await self._worker((sha,))

    def warm(self, chain: Chain) -> None:
        """Load these models in the background."""
        if chain and chain not in self._workers:
            self._background(self._quietly(chain))

    async def run(self, chain: Chain, task: Mapping[str, Any], body: bytes) -> tuple[int, str, bytes]:
        """Status, media type and body of the answer to these rows. Raises `InferenceFailedError`."""
        try:
            worker = await self._worker(chain)
        except ModelRefusedError as refused:
            raise InferenceFailedError(f"the model cannot be loaded: {refused}", "ModelRefused") from None
        reply, answer = await worker.do({"task": "run", **task}, body)
        if "error" in reply:
            raise InferenceFailedError(reply["error"], reply["kind"])
        return reply["status"], reply["media_type"], answer

    async def _quietly(self, chain: Chain) -> None:
        try:
            await self._worker(chain)
        except ModelRefusedError:
            return

    async def _worker(self, chain: Chain) -> Worker:
        """The living worker of this chain, loaded; several callers wait for one loading."""
        task = self._workers.get(chain)
        if task is None or (task.done() and (task.cancelled() or task.exception() or not task.result().alive)):
            task = self._workers[chain] = self._background(self._load(chain))
            self._let_go()
        self._workers.move_to_end(chain)
        return task.result() if task.done() else await asyncio.shield(task)

    def _background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        return task

    def _let_go(self) -> None:
        while len(self._workers) > self._limits.workers:
            _, task = self._workers.popitem(last=False)
            task.add_done_callback(_close)

    async def _load(self, chain: Chain) -> Worker:
        worker = await self._fork()
        try:
            reply, _ = await worker.do({"task": "load", "paths": [str(self._path_of(sha)) for sha in chain]})
        except InferenceFailedError as failed:
            raise ModelRefusedError(str(failed)) from None
        if "error" in reply:
            worker.close()
            raise ModelRefusedError(reply["error"])
        return worker

    async def _fork(self) -> Worker:
        ours, theirs = socket.socketpair()
        memory = shared_memory()
        worker = Worker(memory)
        try:
            self._forkserver.fork(self._limits, theirs, memory)
        except ModelRefusedError:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(memory)
        await asyncio.get_running_loop().create_connection(lambda: worker, sock=ours)
        return worker

    def close(self) -> None:
        """End every worker, and the forkserver where it is this engine's own."""
        for task in self._workers.values():
            task.add_done_callback(_close)
            task.cancel()
        self._workers.clear()
        if not self._shared:
            self._forkserver.close()


def _close(task: asyncio.Task[Worker]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
