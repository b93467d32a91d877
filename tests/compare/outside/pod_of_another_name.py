"""The partition names no engine that the status lists."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    if not isinstance(body, list):
        return response
    for record in body:
        if isinstance(record.get("metadata"), dict):
            record["metadata"]["partition"] = "engine-0"
    return changed(response, json=body)
