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
from typing import Any

from conformance.emulator import frames
from conformance.emulator.settings import Limits

Chain = tuple[str, ...]
"""The SHA-256 of each model, in the order they run."""

_BUFFER = 8 * 1024 * 1024


class ModelRefusedError(Exception):
    """Bytes that do not load as an ONNX model within the limits."""


class InferenceFailedError(Exception):
    """Rows that a model did not run, with the kind of failure the answer names."""

    def __init__(self, sentence: str, kind: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class Worker:
    """A process that has one chain of models loaded; it does one task at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self.alive = True

    async def do(self, task: Mapping[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """Header and body of the reply. Raises `InferenceFailedError` where the process did not live to give one."""
        async with self._turn:
            if not self.alive:
                raise InferenceFailedError("the model was stopped", "ModelStopped")
            try:
                self._writer.writelines((frames.head(dict(task), body), body))
                await self._writer.drain()
                return await frames.read(self._reader)
            except (asyncio.IncompleteReadError, OSError):
                self.close()
                raise InferenceFailedError(
                    "the model took too much time or memory, and was stopped", "ModelStopped"
                ) from None
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Let the process go; it ends when its socket does."""
        self.alive = False
        self._writer.close()


class Engine:
    """Loads and runs models whose bytes `path_of` finds by SHA-256.

    Workers are forked by a workshop process that has the runtime loaded, so that a new one costs milliseconds; the
    least recently used goes when there are more than `limits.workers`.
    """

    def __init__(self, path_of: Callable[[str], Path], limits: Limits) -> None:
        self._path_of = path_of
        self._limits = limits
        self._workers: OrderedDict[Chain, asyncio.Task[Worker]] = OrderedDict()
        self._workshop: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._pending: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Start the workshop, if it does not run. It takes part of a second to be ready, which nobody waits for."""
        if self._workshop is not None and self._workshop.poll() is None:
            return
        self._control, theirs = socket.socketpair()
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._workshop = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", "conformance.emulator.workshop", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | single | {"ARROW_DEFAULT_MEMORY_POOL": "system"},
        )
        theirs.close()

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
        return await asyncio.shield(task)

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
        self.open()
        assert self._control is not None
        ours, theirs = socket.socketpair()
        request = frames.WORKER.pack(self._limits.worker_bytes, self._limits.worker_seconds)
        try:
            socket.send_fds(self._control, [request], [theirs.fileno()])
        except OSError:
            ours.close()
            raise ModelRefusedError("the model runtime is not available") from None
        finally:
            theirs.close()
        return Worker(*await asyncio.open_connection(sock=ours, limit=_BUFFER))

    def close(self) -> None:
        """End the workshop and every worker."""
        for task in self._workers.values():
            task.add_done_callback(_close)
            task.cancel()
        self._workers.clear()
        if self._control is not None and self._workshop is not None:
            self._control.close()
            try:
                self._workshop.wait(2)
            except subprocess.TimeoutExpired:
                self._workshop.kill()
                self._workshop.wait()


def _close(task: asyncio.Task[Worker]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
