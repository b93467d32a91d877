"""Who may not call: every operation, called without credentials or with false ones, refuses."""

from __future__ import annotations

import json

import pytest

from conformance import multipart
from conformance.checks.auth import PROBES
from conformance.client import JSON, PANDAS_RECORDS, infer_path
from conformance.model import Headers, Request
from conformance.session import Session

_BODIES: dict[str, dict[str, object]] = {
    "pipelines/create": {"pipeline_id": "conformance-stranger", "workspace_id": 10, "definition": {}},
    "pipelines/deploy": {"deploy_id": "conformance-stranger", "pipeline_version_pk_id": 1, "pipeline_id": 1},
    "pipelines/undeploy": {"deployment_id": 2147483000},
    "pipelines/copy": {"name": "conformance-stranger", "workspace_id": 10, "source_pipeline": 1},
    "status/get_deployment": {"name": "conformance-stranger-1"},
    "admin/get_pipeline_external_url": {"workspace_id": 10, "pipeline_name": "conformance-stranger"},
    "models/list_versions": {"model_id": "conformance-stranger"},
    "workspaces/create": {"workspace_name": "conformance-stranger"},
    "workspaces/list": {},
}


def _requests() -> list[Request]:
    plain = [
        Request("POST", f"/v1/api/{path}", Headers({"Content-Type": JSON}), json.dumps(body).encode())
        for path, body in _BODIES.items()
    ]
    metadata = {"name": "conformance-stranger", "visibility": "private", "workspace_id": 10}
    conversion = {"conversion": {"framework": "onnx", "requirements": []}}
    kind, form = multipart.encode(
        [
            multipart.Part("metadata", json.dumps(metadata | conversion).encode(), JSON),
            multipart.Part("file", b"none", "application/octet-stream", "model.onnx"),
        ]
    )
    upload = Request("POST", "/v1/api/models/upload_and_convert", Headers({"Content-Type": kind}), form)
    url = infer_path("conformance-stranger-1", "conformance-stranger")
    return [*plain, upload, Request("POST", url, Headers({"Content-Type": PANDAS_RECORDS}), b"[]")]


@pytest.mark.parametrize("request_", _requests(), ids=lambda request: request.path.removeprefix("/v1/api/"))
@pytest.mark.parametrize("probe", sorted(PROBES))
def test_strangers_are_refused(session: Session, probe: str, request_: Request) -> None:
    header = {"identity:none": None, "identity:garbage": "Bearer not.a.token"}[probe]
    fields = [*request_.headers.fields, *([("Authorization", header)] if header else [])]
    request = Request(request_.method, request_.url, Headers(fields), request_.body)
    session.send(request, authenticated=False, labels=frozenset({probe}))
