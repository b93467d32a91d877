"""Exchanges built by hand: a small world of one model, one pipeline and one deployment, without a server."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
import onnx
import pyarrow as pa

from conformance.api import multipart
from conformance.api.client import PANDAS_RECORDS, arrow_file
from conformance.ledger import Ledger
from conformance.model import Exchange, Headers, Request, Response, label_of
from conformance.spec.document import Document

HOST = "https://x.api.example"
DATE = "Thu, 30 Nov 2023 20:41:19 GMT"
TIME = 1701376879347
UUIDS = tuple(f"c29a277a-10b9-48f9-a738-aafb296df8c{digit}" for digit in range(10))
COLUMN, OUTPUT = "dense_input", "dense_1"
JSON, ARROW = "application/json", "application/vnd.apache.arrow.file"


def model(factor: float = 2.0) -> bytes:
    """An ONNX file that multiplies three numbers a row by `factor` and adds them up."""
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [3, 1], [factor] * 3)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", [COLUMN, "w"], [OUTPUT])],
        "g",
        [onnx.helper.make_tensor_value_info(COLUMN, onnx.TensorProto.FLOAT, [None, 3])],
        [onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, [None, 1])],
        [tensor],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


def two_outputs() -> bytes:
    """The same with a second output, `dense_0`, which is the first's input added up."""
    made = onnx.load_from_string(model())
    made.graph.node.append(onnx.helper.make_node("ReduceSum", [COLUMN], ["dense_0"], keepdims=1))
    made.graph.output.append(onnx.helper.make_tensor_value_info("dense_0", onnx.TensorProto.FLOAT, [None, 1]))
    return bytes(made.SerializeToString())


CONTENT, OTHER_CONTENT, TWO_CONTENT = model(), model(3.0), two_outputs()
SHA, OTHER_SHA, TWO_SHA = (hashlib.sha256(content).hexdigest() for content in (CONTENT, OTHER_CONTENT, TWO_CONTENT))
ROWS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [0.5, 0.25, 0.0]]


def post(
    operation: str | None,
    question: Any,
    answer: Any = None,
    status: int | None = 200,
    *,
    intent: str = "",
    labels: Iterable[str] = (),
    kind: str = JSON,
    sent: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    path: str = "",
    method: str = "POST",
    elapsed: float | None = 0.01,
    started: float | None = None,
) -> Exchange:
    """One exchange. `question` and `answer` are JSON, or bytes; `headers` replaces the answer's."""
    asked = question if isinstance(question, bytes) else json.dumps(question).encode()
    told = body if body is not None else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    path = path or (Document.load().operation(operation).path if operation else "/v1/api/nowhere")
    fields = {"content-type": JSON, "content-length": str(len(told)), "date": DATE} if headers is None else headers
    request = Request(
        method,
        HOST + path,
        Headers({"Content-Type": kind, "Authorization": "Bearer " + "t" * 40} | (sent or {})),
        asked,
    )
    response = Response(status, Headers(fields), told, elapsed)
    ended = None if started is None else started + 0.01
    return Exchange(
        request,
        response,
        operation,
        started=started,
        ended=ended,
        intent=intent,
        labels=frozenset(map(label_of, labels)),
    )


def workspace(number: int = 10, name: str = "ours", **options: Any) -> Exchange:
    return post("workspaces.create", {"workspace_name": name}, {"workspace_id": number}, **options)


def listed_workspaces(*rows: dict[str, Any], **options: Any) -> Exchange:
    plain = {"created_at": "2023-11-30", "created_by": UUIDS[0], "archived": False, "models": [1], "pipelines": [25]}
    return post("workspaces.list", {}, {"workspaces": [{**plain, **row} for row in rows]}, **options)


def uploaded(number: int = 5, content: bytes = CONTENT, status: int = 202, **options: Any) -> Exchange:
    metadata = {"name": "m", "visibility": "public", "workspace_id": 10}
    metadata["conversion"] = {"framework": "onnx", "requirements": []}
    kind, form = multipart.encode(
        [
            multipart.Part("metadata", json.dumps(metadata).encode(), JSON),
            multipart.Part("file", content, "application/octet-stream", "m.onnx"),
        ]
    )
    answer = options.pop("answer", {"insert_models": {"returning": [{"models": [{"id": number}]}]}})
    return post("models.upload-and-convert", form, answer, status, kind=kind, **options)


def version(number: int = 5, sha: str = SHA, **changes: Any) -> dict[str, Any]:
    plain = {"id": number, "models_pk_id": 3, "model_id": "m", "model_version": UUIDS[number], "sha": sha}
    return plain | {"owner_id": '""', "status": "ready"} | changes


def listed(*rows: dict[str, Any], question: Any = None, **options: Any) -> Exchange:
    return post("models.list-versions", question or {"model_id": "m"}, list(rows), **options)


def steps(sha: str = SHA, number: int = 5) -> dict[str, Any]:
    return {"steps": [{"ModelInference": {"models": [{"name": "m", "version": UUIDS[number], "sha": sha}]}}]}


def created(pk: int = 25, variant: int = 26, uuid: str = UUIDS[1], *, name: str = "p", workspace_id: int = 10,
            definition: Any = None, **options: Any) -> Exchange:  # fmt: skip
    question = {
        "pipeline_id": name,
        "workspace_id": workspace_id,
        "definition": steps() if definition is None else definition,
    }
    answer = {"pipeline_pk_id": pk, "pipeline_variant_pk_id": variant, "pipeline_variant_version": uuid}
    return post("pipelines.create", question, answer, **options)


def copied(pk: int = 32, variant: int = 33, *, name: str = "c", asked: dict[str, Any] | None = None,
           answered: dict[str, Any] | None = None, **options: Any) -> Exchange:  # fmt: skip
    question = {"name": name, "workspace_id": 10, "source_pipeline": 25} | (asked or {})
    answer = {"pipeline_pk_id": pk, "pipeline_variant_pk_id": variant, "pipeline_version": None, "deployment": None}
    return post("pipelines.copy", question, answer | (answered or {}), **options)


def deployed(number: int = 14, *, pk: int = 25, variant: int = 26, name: str = "p", **options: Any) -> Exchange:
    question = {"deploy_id": name, "pipeline_version_pk_id": variant, "pipeline_id": pk}
    return post("pipelines.deploy", question, options.pop("answer", {"id": number}), **options)


def undeployed(number: int = 14, **options: Any) -> Exchange:
    return post("pipelines.undeploy", {"deployment_id": number}, None, **options)


RUNNING = {
    "status": "Running",
    "details": [],
    "engines": [
        {
            "ip": "10.244.3.145", "name": "engine-1", "status": "Running", "reason": None, "details": ["up"],
            "pipeline_statuses": {"pipelines": [{"id": "p", "status": "Running"}]},
            "model_statuses": {"models": [{"name": "m", "version": UUIDS[5], "sha": SHA, "status": "Running"}]},
        }
    ],
    "engine_lbs": [{"ip": "10.244.4.157", "name": "lb-1", "status": "Running", "reason": None, "details": []}],
    "sidekicks": [],
}  # fmt: skip


def running(**changes: Any) -> dict[str, Any]:
    """A Running answer; `path__to__field=value` changes what stands inside, numbers being indices."""
    answer = copy.deepcopy(RUNNING)
    for path, value in changes.items():
        *keys, last = (int(key) if key.isdigit() else key for key in path.split("__"))
        inner: Any = answer
        for key in keys:
            inner = inner[key]
        inner[last] = value
    return answer


def status(answer: Any = None, code: int = 200, name: str = "p-14", **options: Any) -> Exchange:
    return post("status.get-deployment", {"name": name}, RUNNING if answer is None else answer, code, **options)


def gone(name: str = "p-14", **options: Any) -> Exchange:
    return status({"msg": "Deployment not found", "code": 404}, 404, name, **options)


def url(text: str = f"{HOST}/v1/api/pipelines/infer/p-14/p", code: int = 200, **options: Any) -> Exchange:
    question = {"workspace_id": 10, "pipeline_name": "p"}
    answer = {"url": text} if code == 200 else {"msg": "Pipeline not found", "code": code}
    return post("admin.get-pipeline-external-url", question, answer, code, **options)


def record(row: list[float], **changes: Any) -> dict[str, Any]:
    """What one row is answered by; `metadata` among the changes is merged."""
    last = json.dumps({"model_name": "m", "model_sha": SHA})
    metadata = {"last_model": last, "pipeline_version": "", "elapsed": [53101, 318104], "dropped": []}
    metadata |= {"partition": "engine-1"} | changes.pop("metadata", {})
    out = {OUTPUT: [float(np.float32(2.0 * sum(row)))]}
    whole = {"time": TIME, "in": {COLUMN: row}, "out": out, "check_failures": [], "metadata": metadata}
    return whole | changes


def infer(records: Any = None, code: int = 200, *, rows: Any = None, **options: Any) -> Exchange:
    rows = ROWS if rows is None else rows
    records = [record(row) for row in rows] if records is None else records
    question = options.pop("question", [{COLUMN: row} for row in rows])
    path = options.pop("path", "/v1/api/pipelines/infer/p-14/p")
    kind = options.pop("kind", PANDAS_RECORDS)
    return post("pipelines.infer", question, records, code, path=path, kind=kind, **options)


def arrow_request() -> bytes:
    return arrow_file(COLUMN, ROWS)


def arrow_answer(without: str = "", sha: str = SHA, **columns: Any) -> bytes:
    """The answer to ROWS as an Arrow file; `columns` replaces some (`out`, `time`), `without` leaves one out."""
    last = json.dumps({"model_name": "m", "model_sha": sha})
    records = [record(row, metadata={"last_model": last}) for row in ROWS]
    metadata = {name: pa.array([one["metadata"][name] for one in records]) for name in records[0]["metadata"]}
    metadata["dropped"] = pa.array([[] for _ in ROWS], pa.list_(pa.string()))
    outputs = pa.array([one["out"][OUTPUT] for one in records], pa.list_(pa.float32()))
    whole = {
        "time": pa.array([TIME] * len(ROWS), pa.timestamp("ms")),
        "in": pa.StructArray.from_arrays([pa.array(ROWS, pa.list_(pa.float32()))], [COLUMN]),
        "out": pa.StructArray.from_arrays([outputs], [OUTPUT]),
        "check_failures": pa.array([[] for _ in ROWS], pa.list_(pa.string())),
        "metadata": pa.StructArray.from_arrays(list(metadata.values()), list(metadata)),
    } | columns
    table = pa.table({name: column for name, column in whole.items() if name != without})
    sink = BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def infer_arrow(answer: bytes | None = None, **options: Any) -> Exchange:
    """ROWS asked and answered by Arrow files."""
    asked = {"question": arrow_request(), "kind": ARROW, "sent": {"Accept": ARROW}}
    headers = {"content-type": ARROW, "date": DATE}
    return infer(arrow_answer() if answer is None else answer, headers=headers, **asked, **options)


def after(*exchanges: Exchange) -> Ledger:
    """The ledger that these exchanges make."""
    ledger = Ledger()
    for exchange in exchanges:
        ledger = ledger.after(exchange)
    return ledger


MADE = (workspace(), uploaded(), listed(version()), created(), deployed())
SERVING = (*MADE, status())
ENDED = (*SERVING, undeployed(), gone())
