"""Exchanges written by hand for the tests of comparisons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from conformance.model import Exchange, Headers, Request, Response

PATHS = {
    "pipelines.create": "/v1/api/pipelines/create",
    "pipelines.deploy": "/v1/api/pipelines/deploy",
    "pipelines.undeploy": "/v1/api/pipelines/undeploy",
    "pipelines.infer": "/v1/api/pipelines/infer/conformance-aaaaaaaa-p-1/conformance-aaaaaaaa-p",
    "workspaces.create": "/v1/api/workspaces/create",
    "workspaces.list": "/v1/api/workspaces/list",
    "models.upload-and-convert": "/v1/api/models/upload_and_convert",
    "models.list-versions": "/v1/api/models/list_versions",
    "status.get-deployment": "/v1/api/status/get_deployment",
    "admin.get-pipeline-external-url": "/v1/api/admin/get_pipeline_external_url",
}
ORIGIN = "http://127.0.0.1:1"


def exchange(
    operation: str,
    question: Any,
    answer: Any,
    *,
    status: int = 200,
    at: float = 1_700_000_000.0,
    headers: Mapping[str, str] | None = None,
    intent: str = "",
    labels: frozenset[str] = frozenset(),
) -> Exchange:
    body = json.dumps(answer).encode()
    fields = {"Content-Type": "application/json", **(headers or {})}
    return Exchange(
        request=Request(
            "POST",
            ORIGIN + PATHS[operation],
            Headers({"Content-Type": "application/json"}),
            json.dumps(question).encode(),
        ),
        response=Response(status, Headers(fields), body),
        operation=operation,
        started=at - 0.01,
        ended=at,
        intent=intent,
        labels=labels,
    )
