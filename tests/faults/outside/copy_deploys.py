"""A copy is deployed though nobody asked (a default that changed)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/copy")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok else None
    return changed(response, json=body | {"deployment": {"id": 4711}}) if isinstance(body, dict) else response
