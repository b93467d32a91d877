"""A pipeline whose definition is refused is made all the same."""

from __future__ import annotations

import json

import httpx

from conformance.model import Request, Response


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/create")


def change(request: Request, response: Response) -> Response:
    body = json.loads(request.body or b"null") if response.status == 400 else None
    if (
        isinstance(body, dict)
        and isinstance(body.get("pipeline_id"), str)
        and isinstance(body.get("workspace_id"), int)
    ):
        fields = {
            name: value for name, value in request.headers.fields if name.lower() not in ("host", "content-length")
        }
        httpx.post(request.url, headers=fields, json=body | {"definition": {}}, trust_env=False)
    return response
