"""A plain request of each operation, that changes nothing where it should not be let in: for who may ask, and how."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from conformance.api import multipart
from conformance.api.client import JSON, PANDAS_RECORDS, infer_path
from conformance.model import Headers, Request

NOT_GIVEN = 2_147_000_001
"""An id that no instance has given yet."""

API = "/v1/api/"
INFER = "pipelines.infer"
UPLOAD = "models.upload-and-convert"

PATHS: Mapping[str, str] = {
    "pipelines.create": "pipelines/create",
    "pipelines.deploy": "pipelines/deploy",
    "pipelines.undeploy": "pipelines/undeploy",
    "pipelines.copy": "pipelines/copy",
    "status.get-deployment": "status/get_deployment",
    "admin.get-pipeline-external-url": "admin/get_pipeline_external_url",
    "models.list-versions": "models/list_versions",
    "workspaces.create": "workspaces/create",
    "workspaces.list": "workspaces/list",
    UPLOAD: "models/upload_and_convert",
}
OPERATIONS = (*PATHS, INFER)


def plain_body(operation: str, named: Callable[[str], str], workspace_id: int) -> dict[str, Any]:
    """A body of the right shape, that names what is not there wherever it could do harm."""
    name = named("stranger")
    bodies: dict[str, dict[str, Any]] = {
        "pipelines.create": {"pipeline_id": name, "workspace_id": workspace_id, "definition": {}},
        "pipelines.deploy": {"deploy_id": name, "pipeline_version_pk_id": NOT_GIVEN, "pipeline_id": NOT_GIVEN},
        "pipelines.undeploy": {"deployment_id": NOT_GIVEN},
        "pipelines.copy": {"name": name, "workspace_id": workspace_id, "source_pipeline": NOT_GIVEN},
        "status.get-deployment": {"name": f"{name}-{NOT_GIVEN}"},
        "admin.get-pipeline-external-url": {"workspace_id": workspace_id, "pipeline_name": name},
        "models.list-versions": {"model_id": name},
        "workspaces.create": {"workspace_name": name},
        "workspaces.list": {},
        UPLOAD: metadata_of(name, workspace_id),
    }
    return bodies[operation]


def metadata_of(name: str, workspace_id: int) -> dict[str, Any]:
    """What an upload says of its model."""
    conversion = {"framework": "onnx", "requirements": []}
    return {"name": name, "visibility": "private", "workspace_id": workspace_id, "conversion": conversion}


def plain_request(operation: str, named: Callable[[str], str], workspace_id: int) -> Request:
    """A whole request of an operation, without credentials."""
    if operation == INFER:
        path = infer_path(f"{named('stranger')}-{NOT_GIVEN}", named("stranger"))
        return Request("POST", path, Headers({"Content-Type": PANDAS_RECORDS}), b"[]")
    body = plain_body(operation, named, workspace_id)
    return upload(body, b"none") if operation == UPLOAD else json_request(operation, body)


def json_request(operation: str, body: Any, kind: str = JSON) -> Request:
    """A request of a JSON operation; `body` is any JSON, or bytes to send as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", API + PATHS[operation], Headers({"Content-Type": kind}), content)


def upload(metadata: Any, content: bytes | None, file_name: str = "model.onnx") -> Request:
    """An upload; a part that is None is left out."""
    parts = [] if metadata is None else [multipart.Part("metadata", json.dumps(metadata).encode(), JSON)]
    if content is not None:
        parts.append(multipart.Part("file", content, "application/octet-stream", file_name))
    kind, body = multipart.encode(parts)
    return Request("POST", API + PATHS[UPLOAD], Headers({"Content-Type": kind}), body)
