"""A process that has the model runtime loaded and forks a worker for each model, limited and apart from the server.

`python -m conformance.emulator.forkserver FD` reads from the socket FD one message per worker, with the worker's own
socket and memory attached; it ends when the server does, and so do the workers.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys

import pyarrow as pa

from conformance.emulator import answers, rows, worker
from conformance.emulator.channel import WORKER, Channel
from conformance.emulator.rows import Column


def main(control: socket.socket) -> None:
    """Fork a worker for each message, until the server is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _warm()
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, WORKER.size, 2)
        if not message:
            return
        if os.fork() == 0:
            _work(control, descriptors, *WORKER.unpack(message))
        for descriptor in descriptors:
            os.close(descriptor)


def _warm() -> None:
    """Do once what a library does slowly the first time, so that no worker has to. It must start no thread."""
    column = Column("x", "tensor(float)", (None, 1))
    batch = rows.json_batch(b'[{"x":[1]}]', [column])
    task = {"columns": [], "excluded": [], "separator": "", "anomaly": False, "last_model": "", "partition": ""}
    shape = answers.Shape(task, 0, (0, 0))
    answers.json_answer(batch, batch.arrays, shape)
    answers.arrow_answer(batch, batch.arrays, shape)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, pa.schema({"x": pa.list_(pa.float32())})) as writer:
        writer.write_table(pa.table({"x": pa.array([[1.0]], pa.list_(pa.float32()))}))
    rows.arrow_batch(memoryview(sink.getvalue()), [column])


def _work(control: socket.socket, descriptors: list[int], extra_bytes: int, seconds: float) -> None:
    control.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection, channel = socket.socket(fileno=descriptors[0]), Channel(descriptors[1], server=False)
    for limit, value in (
        (resource.RLIMIT_AS, _virtual_bytes() + extra_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        worker.serve(connection, channel, seconds)
    os._exit(0)


def _virtual_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - a plain read in a freshly forked process
        return int(file.read().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
