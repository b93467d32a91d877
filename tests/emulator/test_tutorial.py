"""The tutorial's flow as the tutorial writes it, with requests and with curl, against the command line's instance."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import requests

from conformance.data import FIXTURES

OURS = FIXTURES / "models" / "fraud.onnx"
ROW = run_path(str(FIXTURES / "models" / "make_fraud_model.py"))["TUTORIAL_ROW"]
OUTPUT = 0.0014974177
ARROW = "application/vnd.apache.arrow.file"
USER = {"username": "conformance", "password": "conformance"}


@pytest.fixture(scope="module")
def api_endpoint() -> Iterator[str]:
    command = [sys.executable, "-P", "-m", "conformance", "emulate", "--port", "0", "--exit-with-parent"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as child:
        assert child.stdout is not None
        yield child.stdout.readline().removeprefix("Listening on ").strip()
        child.terminate()


@pytest.fixture(params=["our own model", "the tutorial's model"])
def model(request: Any) -> Path:
    tutorial = Path(__file__).resolve().parents[3] / "shared" / "models" / "ccfraud.onnx"
    if request.param == "our own model":
        return OURS
    if not tutorial.exists():
        pytest.skip("the tutorial's model is not here")
    assert hashlib.sha256(tutorial.read_bytes()).hexdigest().startswith("bc85ce59")
    return tutorial


def auth_header(api_endpoint: str) -> dict[str, str]:
    url = f"{api_endpoint}/auth/realms/master/protocol/openid-connect/token"
    form = {"grant_type": "password", "client_id": "sdk-client", **USER}
    return {"Authorization": f"Bearer {requests.post(url, data=form, timeout=20).json()['access_token']}"}


def arrow_file() -> bytes:
    column = pa.FixedSizeListArray.from_arrays(pa.array(ROW, pa.float32()), 29)
    table = pa.table({"dense_input": column})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    result: bytes = sink.getvalue().to_pybytes()
    return result


def test_the_tutorial_by_requests(api_endpoint: str, model: Path) -> None:
    def post(path: str, **options: Any) -> Any:
        return requests.post(f"{api_endpoint}{path}", headers=auth_header(api_endpoint), timeout=20, **options).json()

    name = f"requests-{model.stem}"
    metadata = {
        "name": name,
        "visibility": "public",
        "workspace_id": 10,
        "conversion": {"framework": "onnx", "python_version": "3.8", "requirements": []},
    }
    files = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "file": (name, model.open("rb"), "application/octet-stream"),
    }
    with files["file"][1]:  # type: ignore[union-attr]
        response = post("/v1/api/models/upload_and_convert", files=files)
    example_model_id = response["insert_models"]["returning"][0]["models"][0]["id"]
    response = post("/v1/api/models/list_versions", json={"model_id": name, "models_pk_id": example_model_id})
    version = {"name": name, "version": response[-1]["model_version"], "sha": response[-1]["sha"]}
    assert version["sha"] == hashlib.sha256(model.read_bytes()).hexdigest()
    steps = {"steps": [{"ModelInference": {"models": [version]}}]}
    response = post("/v1/api/pipelines/create", json={"pipeline_id": name, "workspace_id": 10, "definition": steps})
    pipeline_id = response["pipeline_pk_id"]
    data = {"deploy_id": name, "pipeline_version_pk_id": response["pipeline_variant_pk_id"], "models": [version]}
    deployment_id = post("/v1/api/pipelines/deploy", json={**data, "pipeline_id": pipeline_id})["id"]
    status: dict[str, Any] = {}
    for _ in range(100):
        status = post("/v1/api/status/get_deployment", json={"name": f"{name}-{deployment_id}"})
        if status["status"] == "Running":
            break
        time.sleep(0.05)
    assert status["engines"][0]["model_statuses"]["models"] == [{**version, "status": "Running"}]
    data = {"workspace_id": 10, "pipeline_name": name}
    deployurl = post("/v1/api/admin/get_pipeline_external_url", json=data)["url"]
    headers = auth_header(api_endpoint) | {"Content-Type": "application/json; format=pandas-records"}
    (record,) = requests.post(deployurl, json=[{"dense_input": ROW}], headers=headers, timeout=20).json()
    assert abs(record["out"]["dense_1"][0] - OUTPUT) < 1e-9
    assert json.loads(record["metadata"]["last_model"])["model_sha"] == version["sha"]
    headers = auth_header(api_endpoint) | {"Content-Type": ARROW, "Accept": ARROW}
    answer = requests.post(deployurl, data=arrow_file(), headers=headers, timeout=20)
    (row,) = pa.ipc.open_file(answer.content).read_all().to_pylist()
    assert abs(row["out"]["dense_1"][0] - OUTPUT) < 1e-9
    data = {"pipeline_id": pipeline_id, "deployment_id": deployment_id}
    assert post("/v1/api/pipelines/undeploy", json=data) is None
    data = {"name": f"copy-{name}", "workspace_id": 10, "source_pipeline": pipeline_id}
    copied = post("/v1/api/pipelines/copy", json=data)
    assert copied["pipeline_pk_id"] != pipeline_id
    assert (copied["pipeline_version"], copied["deployment"]) == (None, None)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_tutorial_by_curl(api_endpoint: str, model: Path, tmp_path: Path) -> None:
    def curl(url: str, *arguments: str) -> bytes:
        authorization = f"Authorization: {auth_header(api_endpoint)['Authorization']}"
        command = ["curl", "--silent", "--show-error", "--fail", url, "-H", authorization, *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=30).stdout

    def post(path: str, data: Any) -> Any:
        return json.loads(curl(api_endpoint + path, "-H", "Content-Type: application/json", "--data", json.dumps(data)))

    name = f"curl-{model.stem}"
    conversion = {"framework": "onnx", "requirements": []}
    metadata = {"name": name, "visibility": "public", "workspace_id": 10, "conversion": conversion}
    form = ["--form", f"metadata={json.dumps(metadata)};type=application/json", "--form", f"file=@{model}"]
    uploaded = json.loads(curl(f"{api_endpoint}/v1/api/models/upload_and_convert", *form))
    made = uploaded["insert_models"]["returning"][0]["models"][0]["id"]
    (version,) = post("/v1/api/models/list_versions", {"model_id": name})
    assert version["id"] == made
    models = [{"name": name, "version": version["model_version"], "sha": version["sha"]}]
    data = {"pipeline_id": name, "workspace_id": 10, "definition": {"steps": [{"ModelInference": {"models": models}}]}}
    pipeline = post("/v1/api/pipelines/create", data)
    ids = {"pipeline_id": pipeline["pipeline_pk_id"], "pipeline_version_pk_id": pipeline["pipeline_variant_pk_id"]}
    deployment = post("/v1/api/pipelines/deploy", {"deploy_id": name, **ids, "models": models})["id"]
    for _ in range(100):
        if post("/v1/api/status/get_deployment", {"name": f"{name}-{deployment}"})["status"] == "Running":
            break
        time.sleep(0.05)
    url = post("/v1/api/admin/get_pipeline_external_url", {"workspace_id": 10, "pipeline_name": name})["url"]
    rows = json.dumps([{"dense_input": ROW}], indent=1)
    (record,) = json.loads(curl(url, "-H", "Content-Type:application/json; format=pandas-records", "--data", rows))
    assert abs(record["out"]["dense_1"][0] - OUTPUT) < 1e-9
    (tmp_path / "row.arrow").write_bytes(arrow_file())
    binary = f"@{tmp_path / 'row.arrow'}"
    answer = curl(url, "-H", f"Content-Type:{ARROW}", "-H", f"Accept: {ARROW}", "--data-binary", binary)
    (row,) = pa.ipc.open_file(answer).read_all().column("out").to_pylist()
    assert np.float32(row["dense_1"][0]) == np.float32(record["out"]["dense_1"][0])
    undeployed = curl(
        f"{api_endpoint}/v1/api/pipelines/undeploy",
        *("-H", "Content-Type: application/json", "--data", json.dumps({"deployment_id": deployment})),
    )
    assert undeployed == b"null"
