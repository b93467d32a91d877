"""A process that has the model runtime loaded, and the workers it forks: each runs one chain of models for the server.

`python -m conformance.emulator.worker FD` reads from the socket FD one message per worker, with the worker's own
socket and memory attached. It ends when the server does, and so do the workers; a worker may die without harm.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa

from conformance.emulator import rows
from conformance.emulator.channel import WORKER, Channel, Frame
from conformance.emulator.rows import Arrays, BadInputError, Column
from conformance.emulator.wire import ARROW_FILE, JSON

_CHUNK = 256 * 1024
onnxruntime.set_default_logger_severity(4)


def serve(connection: socket.socket, channel: Channel, seconds: float) -> None:
    """Answer tasks until the server is gone. A task that takes longer than `seconds` ends the process."""
    chain: list[onnxruntime.InferenceSession] = []
    while data := connection.recv(_CHUNK):
        frame = channel.feed(data)
        if frame is None:
            continue
        signal.setitimer(signal.ITIMER_REAL, seconds)
        header, body = frame
        if header["task"] == "load":
            reply: Frame = (_load(chain, header["paths"]), b"")
        else:
            reply = _reply(chain, header, memoryview(body))
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.sendall(channel.pack(*reply))


def _load(chain: list[onnxruntime.InferenceSession], paths: list[str]) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        for path in paths:
            content = Path(path).read_bytes()
            chain.append(onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]))
    except Exception as error:
        return {"error": rows.sentence(error), "kind": type(error).__name__}
    except MemoryError:
        return {"error": "it needs too much memory", "kind": "MemoryError"}
    return {}


def _reply(chain: list[onnxruntime.InferenceSession], task: dict[str, Any], body: memoryview) -> Frame:
    try:
        return _run(chain, task, body)
    except BadInputError as error:
        return {"error": str(error), "kind": error.kind}, b""
    except MemoryError:
        return {"error": "the inference needs too much memory", "kind": "MemoryError"}, b""
    except Exception as error:
        return {"error": rows.sentence(error), "kind": type(error).__name__}, b""


def _run(chain: list[onnxruntime.InferenceSession], task: dict[str, Any], body: memoryview) -> Frame:
    started = time.perf_counter_ns()
    wanted = [Column.of(node) for node in chain[0].get_inputs()]
    batch = rows.arrow_batch(body, wanted) if task["arrow_in"] else rows.json_batch(body, wanted)
    if batch.count > task["rows"]:
        return {"status": 413, "media_type": ""}, b""
    decoded = time.perf_counter_ns()
    outputs = _through(chain, batch.arrays, batch.count)
    ended = time.perf_counter_ns()
    shape = rows.Shape(task, task.get("time") or int(time.time() * 1000), (decoded - started, ended - decoded))
    if task["arrow_out"]:
        return {"status": 200, "media_type": ARROW_FILE}, rows.arrow_answer(batch, outputs, shape)
    return {"status": 200, "media_type": JSON}, rows.json_answer(batch, outputs, shape)


def _through(chain: list[onnxruntime.InferenceSession], arrays: Arrays, count: int) -> Arrays:
    """What the last model makes of the rows; each model takes what the one before it gave."""
    for session in chain:
        names = [node.name for node in session.get_inputs()]
        if set(names) - arrays.keys():
            arrays = dict(zip(names, arrays.values(), strict=True))
        results = session.run(None, {name: arrays[name] for name in names})
        arrays = dict(zip((node.name for node in session.get_outputs()), results, strict=True))
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray) or array.ndim == 0 or array.shape[0] != count:
                raise BadInputError(
                    f"the model's output {name} does not have one row for each row given", "ModelOutput"
                )
    return arrays


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
    shape = rows.Shape(task, 0, (0, 0))
    rows.json_answer(batch, batch.arrays, shape)
    rows.arrow_answer(batch, batch.arrays, shape)
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
        serve(connection, channel, seconds)
    os._exit(0)


def _virtual_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - a plain read in a freshly forked process
        return int(file.read().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
