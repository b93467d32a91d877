"""Runs one chain of ONNX models for the server, in a process that may die without harm."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from conformance.emulator import answers, rows
from conformance.emulator.channel import Channel, Frame
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
    shape = answers.Shape(task, task.get("time") or int(time.time() * 1000), (decoded - started, ended - decoded))
    if task["arrow_out"]:
        return {"status": 200, "media_type": ARROW_FILE}, answers.arrow_answer(batch, outputs, shape)
    return {"status": 200, "media_type": JSON}, answers.json_answer(batch, outputs, shape)


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
