from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.emulator.store import Store

CREDENTIALS = {
    "grant_type": "password",
    "username": "conformance",
    "password": "conformance",
    "client_id": "sdk-client",
}


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path, "owner", "now")

    def fail() -> None:
        with store.transaction():
            store.add("workspace", name="half", created_at="", created_by="")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert store.one("SELECT 1 FROM workspace WHERE name = 'half'") is None
    with store.transaction():
        assert store.add("workspace", name="whole", created_at="", created_by="") == 11
    store.close()


def test_a_temporary_folder_goes_with_the_store_and_another_stays(tmp_path: Path) -> None:
    temporary, kept = Store(None, "owner", "now"), Store(tmp_path, "owner", "now")
    temporary.keep_model(b"bytes")
    kept.keep_model(b"bytes")
    temporary.close()
    kept.close()
    assert not temporary.folder.exists()
    assert (tmp_path / "models").is_dir()


def test_equal_bytes_are_kept_once_and_forgotten_only_when_nothing_refers_to_them(tmp_path: Path) -> None:
    store = Store(tmp_path, "owner", "now")
    sha = store.keep_model(b"bytes")
    assert store.keep_model(b"bytes") == sha
    assert store.model_path(sha).read_bytes() == b"bytes"
    model = store.add("model", workspace_id=10, name="m")
    store.add("model_version", model_id=model, version="v", sha=sha, file_name="", owner_id="", status="ready")
    store.forget_model(sha)
    assert store.model_path(sha).exists()
    other = store.keep_model(b"others")
    store.forget_model(other)
    assert not store.model_path(other).exists()
    store.close()


@contextmanager
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    command = [sys.executable, "-P", "-m", "conformance", "emulate", "--port", "0", "--exit-with-parent"]
    command += ["--data-dir", str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as child:
        assert child.stdout is not None
        url = child.stdout.readline().removeprefix("Listening on ").strip()
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as http:
            token = http.post("/auth/realms/master/protocol/openid-connect/token", data=CREDENTIALS).json()
            http.headers["authorization"] = f"Bearer {token['access_token']}"
            yield child, http


def test_what_was_acknowledged_survives_sigkill_under_concurrent_writes(tmp_path: Path) -> None:
    acknowledged: list[dict[str, Any]] = []

    def write(http: httpx.Client, thread: int) -> None:
        for turn in range(10_000):
            body = {"pipeline_id": f"p-{thread}-{turn}", "workspace_id": 10, "definition": {}}
            try:
                response = http.post("/v1/api/pipelines/create", json=body)
            except httpx.HTTPError:
                return
            acknowledged.append(response.json())
            if len(acknowledged) == 60:
                os.kill(child.pid, signal.SIGKILL)

    with process(tmp_path) as (child, http):
        threads = [threading.Thread(target=write, args=(http, index)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with process(tmp_path) as (_, http):
        (workspace,) = http.post("/v1/api/workspaces/list", json={}).json()["workspaces"]
        assert len(acknowledged) >= 60
        assert {made["pipeline_pk_id"] for made in acknowledged} <= set(workspace["pipelines"])


def test_a_restart_goes_on_serving_what_was_deployed(tmp_path: Path) -> None:
    from conformance.data import FIXTURES

    conversion = {"framework": "onnx", "requirements": []}
    metadata = json.dumps({"name": "m", "visibility": "public", "workspace_id": 10, "conversion": conversion})
    files = {"metadata": (None, metadata), "file": ("f", (FIXTURES / "models" / "fraud.onnx").read_bytes())}
    rows = [{"dense_input": [0.5] * 29}]
    with process(tmp_path) as (child, http):
        uploaded = http.post("/v1/api/models/upload_and_convert", files=files).json()
        version = uploaded["insert_models"]["returning"][0]["models"][0]["id"]
        body: dict[str, Any] = {"pipeline_id": "p", "workspace_id": 10, "definition": {}}
        made = http.post("/v1/api/pipelines/create", json=body).json()
        body = {"deploy_id": "p", "pipeline_id": made["pipeline_pk_id"], "model_ids": [version]}
        body["pipeline_version_pk_id"] = made["pipeline_variant_pk_id"]
        deployment = http.post("/v1/api/pipelines/deploy", json=body).json()["id"]
        os.kill(child.pid, signal.SIGKILL)
    with process(tmp_path) as (_, http):
        response = http.post(f"/v1/api/pipelines/infer/p-{deployment}/p", json=rows)
        assert response.status_code in (200, 503)
        assert http.post("/v1/api/pipelines/deploy", json=body).json()["id"] == deployment
        body = {"pipeline_id": "p", "workspace_id": 10, "definition": {}}
        assert http.post("/v1/api/pipelines/create", json=body).json()["pipeline_pk_id"] == made["pipeline_pk_id"]
    assert (tmp_path / "signing-key.pem").stat().st_mode & 0o077 == 0
