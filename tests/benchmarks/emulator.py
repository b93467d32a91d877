"""What the emulated instance costs beside a bare Starlette app on the same server settings. Run by hand:

    python tests/benchmarks/emulator.py

Figures are CPU seconds of the serving processes (workers included), read from /proc, since wall time on a shared
machine is not steady. Goals: create and status at least a third of the bare app's requests per CPU-second; 1,000 JSON
rows at most twice parse + float32 + run + dump; 10,000 Arrow rows at most twice a bare app that reads the same body,
runs the model and writes its outputs.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import orjson
import pyarrow as pa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from conformance.data import FIXTURES
from conformance.emulator.app import create_app
from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import Limits, Settings

MODEL = FIXTURES / "models" / "fraud.onnx"
ARROW = "application/vnd.apache.arrow.file"
TICK = os.sysconf("SC_CLK_TCK")


def one_thread() -> onnxruntime.InferenceSession:
    """The model, run without a thread pool, whose waiting would count as work."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])


def bare_app() -> Starlette:
    """Echoes JSON; runs the model on an Arrow body and writes its outputs as Arrow."""
    session = one_thread()

    async def echo(request: Request) -> Response:
        return JSONResponse(await request.json())

    async def arrow(request: Request) -> Response:
        table = pa.ipc.open_file(pa.py_buffer(await request.body())).read_all()
        column = table.column(0).combine_chunks()
        rows = column.flatten().to_numpy().reshape(len(column), -1)
        (out,) = session.run(None, {"dense_input": rows})
        answer = pa.table({"dense_1": pa.array(out[:, 0])})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, answer.schema) as writer:
            writer.write_table(answer)
        return Response(sink.getvalue().to_pybytes(), media_type=ARROW)

    return Starlette(routes=[Route("/echo", echo, methods=["POST"]), Route("/arrow", arrow, methods=["POST"])])


def emulated_app() -> Starlette:
    """The instance as the command line makes it."""
    return create_app(Settings(start_seconds=0, stop_seconds=0, token_seconds=3600))


def _serve(make: Callable[[], Starlette], pipe: Any) -> None:
    listener = listening_socket("127.0.0.1", 0)
    Server(make(), lambda: pipe.send(url_of(listener)), Limits()).run(sockets=[listener])


@contextmanager
def served(make: Callable[[], Starlette]) -> Iterator[tuple[httpx.Client, Callable[[], float]]]:
    """The app in a process of its own: a client, and what it and its children have used of the CPU, in seconds."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(make, theirs))
    process.start()
    try:
        with httpx.Client(base_url=ours.recv(), timeout=60, trust_env=False) as http:
            yield http, lambda: sum(_cpu(pid) for pid in _family(process.pid or 0))
    finally:
        process.terminate()
        process.join()


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def cost(cpu: Callable[[], float], work: Callable[[], Any], seconds: float = 3.0) -> float:
    """CPU seconds of the server for one call of `work`."""
    for _ in range(20):
        work()
    before, started, count = cpu(), time.monotonic(), 0
    while time.monotonic() - started < seconds:
        work()
        count += 1
    return (cpu() - before) / count


def _login(http: httpx.Client) -> None:
    form = {"grant_type": "password", "username": "conformance", "password": "conformance", "client_id": "sdk-client"}
    token = http.post("/auth/realms/master/protocol/openid-connect/token", data=form).json()["access_token"]
    http.headers["authorization"] = f"Bearer {token}"


def _deployed(http: httpx.Client) -> str:
    conversion = {"framework": "onnx", "requirements": []}
    metadata = {"name": "m", "visibility": "public", "workspace_id": 10, "conversion": conversion}
    files = {"metadata": (None, json.dumps(metadata)), "file": ("m.onnx", MODEL.read_bytes())}
    made = http.post("/v1/api/models/upload_and_convert", files=files).json()
    version = made["insert_models"]["returning"][0]["models"][0]["id"]
    pipeline = http.post("/v1/api/pipelines/create", json={"pipeline_id": "p", "workspace_id": 10}).json()
    ids = {"pipeline_id": pipeline["pipeline_pk_id"], "pipeline_version_pk_id": pipeline["pipeline_variant_pk_id"]}
    made = http.post("/v1/api/pipelines/deploy", json={"deploy_id": "p", **ids, "model_ids": [version]}).json()
    return f"p-{made['id']}"


def kernel_json(body: bytes) -> float:
    """CPU seconds of what cannot be left out: parse, float32, run, dump."""
    session = one_thread()
    for _ in range(5):
        orjson.loads(body)
    started, count = time.process_time(), 50
    for _ in range(count):
        records = orjson.loads(body)
        rows = np.array([record["dense_input"] for record in records], np.float32)
        (out,) = session.run(None, {"dense_input": rows})
        answers = [
            {"time": 1, "in": record, "out": {"dense_1": each}, "check_failures": [], "metadata": {}}
            for record, each in zip(records, out.tolist(), strict=True)
        ]
        orjson.dumps(answers)
    return (time.process_time() - started) / count


def arrow_body(rows: np.ndarray[Any, Any]) -> bytes:
    """The rows as an Arrow file of one column."""
    table = pa.table({"dense_input": pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), 29)})
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


Row = tuple[str, float, float, str]


def measured() -> Iterator[Row]:
    """Name, the instance's cost, what it is compared with (both CPU seconds a request), and the goal."""
    draw = np.random.default_rng(1)
    arrow = arrow_body(draw.normal(0, 1, (10_000, 29)).astype(np.float32))
    records = [{"dense_input": row} for row in draw.normal(0, 1, (1_000, 29)).round(10).tolist()]
    body = json.dumps(records, separators=(",", ":")).encode()
    as_arrow = {"content-type": ARROW, "accept": ARROW}
    with served(bare_app) as (http, cpu):
        created = {"pipeline_id": "p", "workspace_id": 10, "definition": {}}
        bare = cost(cpu, lambda: http.post("/echo", json=created))
        bare_arrow = cost(cpu, lambda: http.post("/arrow", content=arrow, headers=as_arrow))
    with served(emulated_app) as (http, cpu):
        _login(http)
        name = _deployed(http)
        yield "create", cost(cpu, lambda: http.post("/v1/api/pipelines/create", json=created)), bare, "at most 3"
        yield (
            "status",
            cost(cpu, lambda: http.post("/v1/api/status/get_deployment", json={"name": name})),
            bare,
            "at most 3",
        )
        url = f"/v1/api/pipelines/infer/{name}/p"
        as_json = {"content-type": "application/json; format=pandas-records"}
        one = json.dumps(records[:1]).encode()
        yield "1 JSON row", cost(cpu, lambda: http.post(url, content=one, headers=as_json)), bare, "-"
        spent = cost(cpu, lambda: http.post(url, content=body, headers=as_json))
        yield "1,000 JSON rows", spent, kernel_json(body), "at most 2"
        spent = cost(cpu, lambda: http.post(url, content=arrow, headers=as_arrow))
        yield "10,000 Arrow rows", spent, bare_arrow, "at most 2"


if __name__ == "__main__":
    print(f"{'request':20} {'instance, us':>14} {'compared, us':>14} {'ratio':>7}  goal")
    for request, spent, compared, goal in measured():
        print(f"{request:20} {spent * 1e6:14.0f} {compared * 1e6:14.0f} {spent / compared:7.2f}  {goal}", flush=True)
    sys.exit(0)
